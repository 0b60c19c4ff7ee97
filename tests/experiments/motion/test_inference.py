"""A sound file in, a motion out: from a run folder, in any speaker's style, at any length."""

import re

import numpy as np
import pytest
import soundfile
import torch

from gannb.experiments.motion import kinematics
from gannb.experiments.motion.data import recordings, speech
from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.inference import GestureModel, gesture_file, save_speakers, write_gesture
from gannb.experiments.motion.networks import building
from gannb.experiments.motion.synthesis import Controls
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.random import seeded
from gannb.runs.folder import Run, RunError
from gannb.training.checkpoint import Checkpoint
from gannb.training.trained import Trained
from tests import memory

SOUND = re.compile(r'"audio":"data:audio/ogg;base64,([^"]*)"')


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


def test_a_sound_file_in_pieces_gives_the_gesture_of_the_whole(run: Run, voice, tmp_path, monkeypatch) -> None:
    gesturer, out = GestureModel.of(run.folder), tmp_path / "out"
    out.mkdir()
    whole = gesturer(speech.read(voice), "ben")
    write_gesture(Trained.of(run.folder, "last"), voice, "ben", out)
    assert {path.name for path in out.iterdir()} == {"gesture.bvh", "gesture.npz", "gesture.html"}
    with np.load(out / "gesture.npz") as written:
        assert np.array_equal(written["positions"], whole.pose) and np.array_equal(written["angles"], whole.angles)
    before = (out / "gesture.bvh").read_text()
    for where, name, value in [("inference", "PIECE", 32), ("inference", "PAGE", 45), ("data.bvh", "_TOGETHER", 20)]:
        monkeypatch.setattr(f"gannb.experiments.motion.{where}.{name}", value)
    write_gesture(Trained.of(run.folder, "last"), voice, "ben", out)
    with np.load(out / "gesture.npz") as written:
        assert np.abs(written["positions"] - whole.pose.numpy()).max() < 1e-5, "metres"
    rows, same = (
        (out / "gesture.bvh").read_text().split("Frame Time")[1].split()[2:],
        before.split("Frame Time")[1].split()[2:],
    )
    np.testing.assert_allclose(np.array(rows, float), np.array(same, float), atol=0.02)
    pages = {path.name: path.read_text() for path in out.glob("*.html")}
    assert sorted(pages) == ["gesture.html", "gesture_002.html", "gesture_003.html"]
    assert [len(SOUND.search(page)[1]) > 1000 for page in pages.values()] == [True] * 3


_LONG = """
import soundfile, numpy as np
from gannb.experiments.motion import inference
from gannb.training.trained import Trained
inference.PAGE = 900
run, seconds, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
second = np.sin(np.arange(16_000) / 9) * np.sin(np.arange(16_000) / 1300)
with soundfile.SoundFile(folder / "long.wav", "w", 16_000, 1) as file:
    for _ in range(seconds):
        file.write(0.3 * second)
held.clear()
inference.write_gesture(Trained.of(run, "last"), folder / "long.wav", None, folder)
"""


@pytest.mark.skipif(not memory.is_told(), reason="reads memory as Linux tells it")
def test_long_speech_takes_the_memory_of_short_speech(run: Run, tmp_path) -> None:
    peaks = {}
    for minutes in (2, 7):
        (folder := tmp_path / str(minutes)).mkdir()
        peaks[minutes] = memory.peak(_LONG, run.folder, 60 * minutes, folder)
        assert len(list(folder.glob("*.html"))) == minutes
    assert peaks[7] < peaks[2] + 70, "MiB; held as a whole, five minutes more took 169"


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
