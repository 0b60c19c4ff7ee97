"""Inference with a trained run of either gesture experiment: a sound file of speech in, a motion out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from gannb.config import presets
from gannb.config.yaml_files import read_yaml
from gannb.experiments.motion.data import recordings, speech
from gannb.experiments.motion.data.speech import Speech
from gannb.experiments.motion.networks import building
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.params import Motion
from gannb.experiments.motion.synthesis import Controls, Gesture, generate
from gannb.runs import files, locations
from gannb.runs.folder import Run, RunError, settings_of
from gannb.training.checkpoint import Checkpoints

SPEAKERS = "speakers.json"


@dataclass(frozen=True)
class GestureModel:
    """A trained generator and the speakers it knows.

    Attributes:
        network: the generator's average, or itself where none was kept; in eval mode, on the CPU.
        speakers: their names.
        run: the run folder's name.
    """

    network: Generator
    speakers: tuple[str, ...]
    run: str

    @classmethod
    def of(cls, run: str | Path) -> GestureModel:
        """From a run folder's path or name, or `last` (the newest on gesture).

        Raises:
            FileNotFoundError: no such run.
            RunError: not a run on gesture, one without a whole checkpoint, or without its speakers.
        """
        folder = locations.find(str(run), name="motion_*" if str(run) == "last" else "*")
        checkpoint, faults = Checkpoints(folder / "checkpoints").newest()
        if checkpoint is None:
            raise RunError(f"{folder.name} has no whole checkpoint; {'; '.join(faults) or 'train it first'}")
        if not (folder / SPEAKERS).is_file():
            raise RunError(f"{folder.name} names no speakers ({SPEAKERS}): it is no gesture run, or an unfinished one")
        speakers = json.loads((folder / SPEAKERS).read_text(encoding="utf-8"))
        network = building.generator(_params(folder), len(speakers)).eval()
        network.load_state_dict(checkpoint.part("G/average/") or checkpoint.part("G/module/"))
        return cls(network.requires_grad_(False), tuple(speakers), folder.name)

    def __call__(self, said: Speech, speaker: str | None = None, controls: Controls | None = None) -> Gesture:
        """A gesture to speech of any length, in the style of a speaker (the first one by default).

        Raises:
            ValueError: a speaker that the generator does not know.
        """
        speaker = speaker or self.speakers[0]
        if speaker not in self.speakers:
            raise ValueError(f"speaker {speaker!r}; this generator knows: {', '.join(self.speakers)}")
        mel = torch.from_numpy(speech.log_mel(said, self.network.audio.n_mels))
        return generate(self.network, mel, self.speakers.index(speaker), controls=controls or Controls())


def gesture_file(
    sound: str | Path, run: str | Path, out: str | Path, speaker: str | None = None, controls: Controls | None = None
) -> Path:
    """Make a motion to a sound file of speech with a trained run, and write it as `.bvh` or `.npz`.

    Args:
        sound: WAV, OGG or FLAC.
        run: a run folder, its name, or `last`.
        out: where to; its suffix says as what.
        speaker: whose style.
        controls: how it is shaped.

    Raises:
        speech.SpeechError, motion.MotionDataError, ValueError, FileNotFoundError: what is wrong, and what to do.
    """
    if Path(out).suffix.lower() not in recordings.SUFFIXES:  # before time is spent
        raise recordings.MotionDataError(f"{Path(out).name}: motion is written as {' or '.join(recordings.SUFFIXES)}")
    generated = GestureModel.of(run)(speech.read(sound), speaker, controls)
    return recordings.export(
        out, generated.pose.numpy(), None if generated.angles is None else generated.angles.numpy()
    )


def save_speakers(run: Run, speakers: Sequence[str]) -> None:
    """Keep the speakers' names with a run, for `GestureModel`."""
    if run.writes:
        files.write_json(run.path(SPEAKERS), list(speakers))


def _params(folder: Path) -> Motion:
    name = read_yaml(folder / "params.yaml").get("experiment", "")
    declared = presets.declaration(name)
    if not issubclass(declared, Motion):
        raise RunError(f"{folder.name} is a run of {name}, not one on gesture")
    return declared(**settings_of(folder))
