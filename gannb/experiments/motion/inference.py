"""Inference with a trained run of either gesture experiment: a sound file of speech in, a motion out."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from gannb.experiments.motion.data import recordings, speech
from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.data.speech import Speech
from gannb.experiments.motion.data.speech_file import SpeechFile
from gannb.experiments.motion.networks import building
from gannb.experiments.motion.networks.audio_encoder import MEL_FRAMES
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.skeleton import ANGLES, JOINTS
from gannb.experiments.motion.synthesis import WINDOW, Controls, Gesture, generate, shaped, stream
from gannb.experiments.motion.widgets.skeleton_player import SkeletonPlayer
from gannb.runs import files
from gannb.runs.folder import Run, RunError
from gannb.training.trained import Network, Trained

SPEAKERS = "speakers.json"
PIECE = 1024
"""Pose frames of speech that are in memory at a time: 68 s."""
PAGE = 9000
"""Pose frames of an HTML player: ten minutes, about 11 MB."""


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
    def of(cls, run: str | Path | Trained) -> GestureModel:
        """From a run folder's path or name, `last` (the newest on gesture), or a run that is loaded.

        Raises:
            NotFound: no such run.
            RunError: not a run on gesture, one without a whole checkpoint, or without its speakers.
        """
        trained = run if isinstance(run, Trained) else Trained.of(run, "last", experiment="motion_*")
        if not (trained.folder / SPEAKERS).is_file():
            raise RunError(f"{trained.folder.name} names no speakers ({SPEAKERS}): it is an unfinished run")
        speakers = json.loads((trained.folder / SPEAKERS).read_text(encoding="utf-8"))
        network = trained.load("G", building.generator(trained.params, len(speakers)))
        return cls(network, tuple(speakers), trained.folder.name)

    def __call__(self, said: Speech, speaker: str | None = None, controls: Controls | None = None) -> Gesture:
        """A gesture to speech of any length, in the style of a speaker (the first one by default).

        Raises:
            ValueError: a speaker that the generator does not know.
        """
        number = self.number(speaker)
        mel = torch.from_numpy(speech.log_mel(said, self.network.audio.n_mels))
        return generate(self.network, mel, number, controls=controls or Controls())

    def number(self, speaker: str | None) -> int:
        """Which one a speaker is; the first one by default.

        Raises:
            ValueError: a speaker that the generator does not know.
        """
        if speaker is not None and speaker not in self.speakers:
            raise ValueError(f"speaker {speaker!r}; this generator knows: {', '.join(self.speakers)}")
        return 0 if speaker is None else self.speakers.index(speaker)

    def stream(self, said: SpeechFile, speaker: str | None = None) -> Iterator[Gesture]:
        """The gesture to a sound file of any length in pieces, in the memory of a piece.

        Up to 68 s it is the one that a call gives; beyond, poses differ by the rounding of the spectra (below 0.01 mm).

        Raises:
            ValueError: a speaker that the generator does not know, or a motion that is not finite.
        """
        number, n_mels = self.number(speaker), self.network.audio.n_mels
        mels = map(torch.from_numpy, speech.log_mels(said.pieces(PIECE / FPS), n_mels))
        for motion in stream(self.network, mels, said.frames, number):
            if not motion.isfinite().all():
                raise ValueError("its generator gives NaN or infinity: the training diverged")
            bones = self.network.bones[number]
            yield shaped(motion, Controls(), bones) if self.network.head == "angles" else Gesture(motion)


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


def network(run: Trained) -> Network:
    """The generator of a run on gesture, as `gannb export` takes it."""
    model, p = GestureModel.of(run), run.params

    def inputs(n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        mel = torch.randn(n, WINDOW * MEL_FRAMES, p.n_mels, generator=generator)
        return mel, torch.randint(len(model.speakers), (n,), generator=generator)

    arguments = building.of_generator(p, len(model.speakers))
    reason = "torch's exporter does not take the graph layers of torch-geometric"
    return Network(model.network, Generator, arguments, inputs, {"speakers": model.speakers}, reason)


def write_gesture(run: Trained, sound: Path, speaker: str | None, out: Path) -> None:
    """Write the gesture to a sound file of speech as BVH, npz and HTML players of ten minutes each.

    Args:
        run: a trained run on gesture.
        sound: WAV, OGG or FLAC, of any length.
        speaker: whose style; the first one by default.
        out: the folder.

    Raises:
        ValueError: a speaker that the run does not know, or sound that cannot be used.
    """
    said, model = SpeechFile.of(sound), GestureModel.of(run)
    name = speaker or model.speakers[0]
    with TemporaryFile(dir=out) as poses, TemporaryFile(dir=out) as turns:
        with tqdm(total=said.frames, desc="gesture", unit="frame", delay=2, disable=None) as bar:
            for gesture in model.stream(said, speaker):
                poses.write(gesture.pose.numpy().tobytes())
                if gesture.angles is not None:
                    turns.write(gesture.angles.numpy().tobytes())
                bar.update(len(gesture.pose))
        pose = _mapped(poses, said.frames, len(JOINTS), 3)
        angles = _mapped(turns, said.frames, len(ANGLES)) if turns.tell() else None
        for file in ("gesture.bvh", "gesture.npz"):
            recordings.export(out / file, pose, angles)
        pages = math.ceil(said.frames / PAGE)
        for number, samples in enumerate(tqdm(said.pieces(PAGE / FPS), "players", pages, delay=2, disable=None)):
            part = pose[number * PAGE : (number + 1) * PAGE].copy()
            minutes = f", from minute {number * PAGE / FPS / 60:g}" if said.frames > PAGE else ""
            page = out / (f"gesture_{number + 1:03d}.html" if number else "gesture.html")
            if len(part):
                SkeletonPlayer({name + minutes: part}, Speech(samples, said.path.name)).save(page)


def _mapped(file: IO[bytes], *shape: int) -> np.ndarray:
    """A file of float32 as a read-only array, whose pages the system takes back when it needs the memory."""
    file.flush()
    return np.memmap(file, np.float32, "r", shape=shape)


def save_speakers(run: Run, speakers: Sequence[str]) -> None:
    """Keep the speakers' names with a run, for `GestureModel`."""
    if run.writes:
        files.write_json(run.path(SPEAKERS), list(speakers))
