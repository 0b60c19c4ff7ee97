"""Folders of pairs: what cannot be read is named, the rest go on; click track; export."""

import shutil

import numpy as np
import pytest
import soundfile

from gannb.experiments.motion import skeleton as sk
from gannb.experiments.motion.data import recordings
from gannb.experiments.motion.data.clips import FPS, MotionDataError
from gannb.experiments.motion.data.speech import SAMPLE_RATE, log_mel
from gannb.experiments.motion.data.synthetic import STYLES, record


@pytest.fixture(scope="module")
def take():
    return record(STYLES[0], 6.0)


def write_pair(folder, name, take, suffix=".bvh"):
    folder.mkdir(parents=True, exist_ok=True)
    recordings.export(folder / f"{name}{suffix}", take.pose)
    soundfile.write(folder / f"{name}.wav", take.speech.samples, SAMPLE_RATE)


def test_self_made_corpus_has_several_speakers():
    generated = recordings.load(seconds=5.0, each=2)
    assert [r.name for r in generated] == ["ada_0", "ada_1", "ben_0", "ben_1", "cleo_0", "cleo_1", "dan_0", "dan_1"]
    assert not generated.faults
    assert "8 recordings, 40 s, 4 speakers" in repr(generated)


def test_folder_goes_on_without_the_bad_pairs(tmp_path, take):
    write_pair(tmp_path, "1_wayne_0_1_1", take)
    write_pair(tmp_path / "export", "2_scott_0_2_2", take, ".npz")
    recordings.export(tmp_path / "lonely.bvh", take.pose)
    write_pair(tmp_path, "broken", take)
    (tmp_path / "broken.bvh").write_text("HIERARCHY\nROOT a\n{\n")
    write_pair(tmp_path, "silent", take)
    soundfile.write(tmp_path / "silent.wav", np.zeros(48_000), SAMPLE_RATE)
    write_pair(tmp_path, "poseless", take, ".npz")
    np.savez(tmp_path / "poseless.npz", a=np.zeros(3))
    loaded = recordings.load(tmp_path)
    assert sorted(r.speaker for r in loaded) == ["scott", "wayne"]
    reasons = {fault.name: fault.reason for fault in loaded.faults}
    assert "no speech of its name; add lonely.wav" in reasons["lonely.bvh"]
    assert "cut off" in reasons["broken.bvh"]
    assert "silent" in reasons["silent.bvh"] and "no `poses`" in reasons["poseless.npz"]
    for name in reasons:
        assert name in repr(loaded)


def test_no_usable_pair_is_an_error_with_every_reason(tmp_path, take):
    recordings.export(tmp_path / "a.bvh", take.pose)
    (tmp_path / "b.npz").write_text("x")
    with pytest.raises(
        MotionDataError, match=r"none of 2 motion files(?s:.)*a\.bvh: no speech(?s:.)*b\.npz: no speech"
    ):
        recordings.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        recordings.load(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no \.bvh or \.npz"):
        recordings.load(tmp_path / "empty")


def test_speech_in_a_folder_of_its_own_is_found(tmp_path, take):
    write_pair(tmp_path / "bvh", "7_lu_0_1_1", take)
    (tmp_path / "wav").mkdir()
    shutil.move(tmp_path / "bvh" / "7_lu_0_1_1.wav", tmp_path / "wav" / "7_lu_0_1_1.wav")
    assert recordings.load(tmp_path)[0].frames == 90


def test_different_lengths_are_cut_and_said(tmp_path, take):
    recordings.export(tmp_path / "a.bvh", take.pose)
    soundfile.write(tmp_path / "a.wav", take.speech.samples[: 4 * SAMPLE_RATE], SAMPLE_RATE)
    recording = recordings.load(tmp_path)[0]
    assert recording.frames == 60 and "the last 2.00 s of motion fell away" in recording.notes[-1]


@pytest.mark.parametrize("suffix", [".bvh", ".npz"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_click_track_is_aligned_within_a_frame(tmp_path, take, suffix, rate):
    """A hand that jumps when it clicks still jumps when it clicks after reading, resampling and features."""
    clicks = np.array([10, 23, 41, 70])
    pose = np.repeat(take.pose[:1], 90, axis=0)
    samples = np.zeros(6 * rate)
    for i, frame in enumerate(clicks):
        pose[frame:] = take.pose[20 if i % 2 == 0 else 0]
        samples[round(frame / FPS * rate)] = 1.0
    recordings.export(tmp_path / f"a{suffix}", pose)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    recording = recordings.load(tmp_path)[0]
    jumps = np.abs(np.diff(recording.pose, axis=0)).max(axis=(1, 2))
    assert sorted(np.argsort(jumps)[-4:] + 1) == clicks.tolist()
    power = np.exp(log_mel(recording.speech)).sum(axis=1)
    heard = power.reshape(-1, 4).sum(axis=1)
    assert sorted(np.argsort(heard)[-4:]) == clicks.tolist()


@pytest.mark.parametrize("suffix", [".bvh", ".npz"])
def test_export_is_read_back(tmp_path, take, suffix):
    pose, lengths, _ = recordings.read_motion(recordings.export(tmp_path / f"a{suffix}", take.pose, take.angles))
    np.testing.assert_allclose(pose, take.pose, atol=2e-6)
    np.testing.assert_allclose(lengths, take.lengths, atol=1e-6)


def test_exported_npz_says_what_is_in_it(tmp_path, take):
    with np.load(recordings.export(tmp_path / "a.npz", take.pose, take.angles)) as file:
        assert file["joints"].tolist() == list(sk.JOINTS) and file["fps"] == FPS
        np.testing.assert_array_equal(file["angles"], take.angles)
    with pytest.raises(MotionDataError, match=r"written as \.bvh or \.npz"):
        recordings.export(tmp_path / "a.fbx", take.pose)


def test_real_pair_loads(shared_data):
    loaded = recordings.load(shared_data / "motion")
    assert len(loaded) == 1 and loaded[0].speaker == "scott" and loaded[0].frames == 953
    assert "speech fell away" in loaded[0].notes[-1]
