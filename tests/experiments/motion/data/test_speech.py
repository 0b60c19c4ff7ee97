"""Speech: what is refused and why, the grid of the features, the cache, the synthetic voice."""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.experiments.motion.data import speech as sp


def tone(seconds: float, rate: int = sp.SAMPLE_RATE, hertz: float = 300.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def write(path, samples, rate):
    soundfile.write(path, samples, rate)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".ogg", ".flac"])
def test_formats_are_read_at_24_khz(tmp_path, suffix):
    said = sp.read(write(tmp_path / f"a{suffix}", tone(2.0, 16_000), 16_000))
    assert len(said.samples) == 2 * sp.SAMPLE_RATE and said.samples.dtype == np.float32
    assert any("16000 to 24000" in note for note in said.notes)
    spectrum = np.abs(np.fft.rfft(said.samples))
    assert spectrum.argmax() / 2.0 == pytest.approx(300, abs=1)


def test_stereo_is_mixed_down_and_said(tmp_path):
    left = tone(1.0)
    said = sp.read(write(tmp_path / "a.wav", np.stack([left, 0 * left], axis=1), sp.SAMPLE_RATE))
    np.testing.assert_allclose(said.samples, left / 2, atol=1e-3)
    assert said.notes == ("2 channels mixed down to one",)


def test_8_khz_is_taken_and_said(tmp_path):
    said = sp.read(write(tmp_path / "a.wav", tone(1.0, 8000), 8000))
    assert "nothing above 4000 Hz" in said.notes[0] and said.seconds == pytest.approx(1.0)


@pytest.mark.parametrize(
    "samples,words",
    [
        (tone(0.01), "10 ms of audio"),
        (np.zeros(24_000, np.float32), "digital silence"),
        (1e-4 * tone(1.0), "silent .peak at -90 dB"),
        (np.where(np.arange(24_000) == 12_000, np.nan, tone(1.0)), "1 samples are NaN.*0.50 s"),
    ],
)
def test_unusable_audio_is_named(samples, words):
    with pytest.raises(sp.SpeechError, match=f"take7.*{words}"):
        sp.from_samples(samples, sp.SAMPLE_RATE, "take7")


def test_missing_and_broken_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such sound file"):
        sp.read(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("not sound")
    with pytest.raises(sp.SpeechError, match=r"text\.wav: cannot be read as sound.*convert"):
        sp.read(tmp_path / "text.wav")


@settings(max_examples=15, deadline=None)
@given(st.integers(sp.SAMPLE_RATE // 2, 3 * sp.SAMPLE_RATE))
def test_four_mel_frames_make_every_whole_pose_frame(samples):
    mel = sp.log_mel(sp.Speech(tone(samples / sp.SAMPLE_RATE)))
    assert mel.shape == (4 * (samples // 1600), sp.N_MELS) and np.isfinite(mel).all()


@pytest.mark.parametrize("frame", [0, 1, 10, 29])
def test_click_at_a_pose_frame_lies_in_its_four_mel_frames(frame):
    samples = np.zeros(2 * sp.SAMPLE_RATE, dtype=np.float32)
    samples[1600 * frame] = 1.0
    power = np.exp(sp.log_mel(sp.Speech(samples))).sum(axis=1)
    heard = power - power.min()
    centre = (np.arange(len(power)) * heard).sum() / heard.sum()
    if frame:  # at the very start half of the click's windows lie before the recording
        assert centre == pytest.approx(4 * frame + 1.5, abs=0.2)  # symmetric around the frame's time
    assert power.argmax() // 4 == frame


def test_features_are_cached_by_content_and_settings(tmp_path, monkeypatch):
    said = sp.Speech(tone(1.0))
    first = sp.log_mel(said, cache=tmp_path)
    monkeypatch.setattr(sp, "_log_mel", lambda *_: pytest.fail("computed twice"))
    np.testing.assert_array_equal(sp.log_mel(said, cache=tmp_path), first)
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.undo()
    assert sp.log_mel(said, n_mels=32, cache=tmp_path).shape[1] == 32
    sp.log_mel(sp.Speech(tone(1.0, hertz=301)), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_made_up_speech_is_loud_where_it_is_said():
    said = sp.prosody(12.0, sp.Voice(), seed=3)
    voice = sp.synthesise(said, sp.Voice(), seed=3)
    np.testing.assert_array_equal(voice.samples, sp.synthesise(said, sp.Voice(), seed=3).samples)
    loud = np.exp(sp.log_mel(voice)).sum(axis=1)
    near = np.abs(np.arange(len(loud))[:, None] / 60 - said.strokes).min(axis=1) < 0.05
    assert loud[near].mean() > 3 * loud[~near].mean()
    assert np.diff(said.strokes).min() > 0.5 and 8 <= len(said.strokes) <= 22


def test_real_speech_is_read(shared_data):
    for path in sorted((shared_data / "speech").glob("*.ogg")):
        said = sp.read(path)
        assert 10 < said.seconds < 20 and np.isfinite(sp.log_mel(said)).all()


LOADING = """
from gannb.experiments.motion.data.speech import load_librosa
print("ready", flush=True)
load_librosa()
"""


@pytest.mark.gate
def test_one_process_at_a_time_compiles_what_librosa_compiles(tmp_path):
    """Two at once leave numba's cache a mixture that ends every later process (numba issue 10128)."""
    there = {"TMPDIR": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    with FileLock(tmp_path / f"gannb-{os.getuid()}-numba.lock"):
        other = subprocess.Popen([sys.executable, "-c", LOADING], env=os.environ | there, stdout=subprocess.PIPE)
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(3)
        assert not list(tmp_path.rglob("guf-*.nbi")), "nothing is compiled while another process does"
    assert other.wait(120) == 0 and list(tmp_path.rglob("guf-*peak_pick*.nbi"))
