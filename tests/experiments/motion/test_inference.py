"""A sound file in, a motion out: from a run folder, in any speaker's style, at any length."""

import numpy as np
import pytest
import soundfile
import torch

from gannb.experiments.motion import kinematics
from gannb.experiments.motion.data import recordings, speech
from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.inference import GestureModel, gesture_file, save_speakers
from gannb.experiments.motion.networks import building
from gannb.experiments.motion.synthesis import Controls
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.random import seeded
from gannb.runs.folder import Run, RunError
from gannb.training.checkpoint import Checkpoint


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """A run folder with a checkpoint, as training leaves it; G's average differs from G."""
    p = MotionBalance(runs=str(tmp_path_factory.mktemp("runs")), head="angles", compared=[], n_mels=16)
    run = Run.open(p)
    save_speakers(run, ["ada", "ben"])
    with seeded("gesturing"):
        networks = {part: building.generator(p, 2) for part in ("module", "average")}
        for network in networks.values():
            torch.nn.init.normal_(network.body_out.weight, std=0.5)
    tensors = {f"G/{part}/{name}": t for part, network in networks.items() for name, t in network.state_dict().items()}
    Checkpoint(tensors, {"step": 1}).write(run.path("checkpoints", "step-00000001.safetensors"))
    return run


@pytest.fixture
def voice(tmp_path):
    path = tmp_path / "voice.wav"
    t = np.arange(int(7.3 * 16_000)) / 16_000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 180 * t) * (1 + np.sin(2 * np.pi * 3 * t)), 16_000)
    return path


@pytest.mark.parametrize("suffix", [".bvh", ".npz"])
def test_a_sound_file_becomes_a_motion_of_its_length(run: Run, voice, tmp_path, suffix: str) -> None:
    pose, _, _ = recordings.read_motion(gesture_file(voice, run.folder, tmp_path / f"out{suffix}", speaker="ben"))
    assert len(pose) == int(7.3 * FPS)
    assert kinematics.bone_violation(torch.from_numpy(pose).float()).max() < 1e-2


def test_the_average_speaks_and_speakers_differ(run: Run, voice) -> None:
    gesturer = GestureModel.of(run.folder)
    stored = Checkpoint.read(run.folder / "checkpoints" / "step-00000001.safetensors").tensors
    assert torch.equal(gesturer.network.body_out.weight, stored["G/average/body_out.weight"])
    said = speech.read(voice)
    assert not torch.equal(gesturer(said, "ada").pose, gesturer(said, "ben").pose)
    still = gesturer(said, "ada", Controls(amplitude=0.0)).pose
    assert still.std(0).max() < 1e-5


def test_real_speech_gives_a_motion(run: Run, shared_data, tmp_path) -> None:
    sounds = sorted((shared_data / "speech").glob("*.ogg"))
    assert sounds
    for sound in sounds:
        pose, _, _ = recordings.read_motion(gesture_file(sound, run.folder, tmp_path / f"{sound.stem}.npz"))
        assert len(pose) == int(speech.read(sound).seconds * FPS) and np.isfinite(pose).all()


def test_what_is_wrong_is_said_before_time_is_spent(run: Run, voice, tmp_path) -> None:
    with pytest.raises(ValueError, match="knows: ada, ben"):
        gesture_file(voice, run.folder, tmp_path / "out.bvh", speaker="zoe")
    with pytest.raises(ValueError, match=r"motion is written as \.bvh or \.npz"):
        gesture_file(voice, run.folder, tmp_path / "out.fbx")
    with pytest.raises(FileNotFoundError, match="no such sound file"):
        gesture_file(tmp_path / "none.wav", run.folder, tmp_path / "out.bvh")
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(24_000), 24_000)
    with pytest.raises(speech.SpeechError, match="silent"):
        gesture_file(silent, run.folder, tmp_path / "out.bvh")
    empty = Run.open(MotionBalance(runs=str(tmp_path), compared=[]))
    with pytest.raises(RunError, match="no whole checkpoint"):
        GestureModel.of(empty.folder)
