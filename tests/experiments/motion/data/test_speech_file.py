"""A sound file in pieces is the one that is read whole, whatever its rate, channels and format."""

import numpy as np
import pytest
import soundfile

from gannb.experiments.motion.data import speech
from gannb.experiments.motion.data.speech_file import SpeechFile
from gannb.random import key


def recorded(path, seconds: float, rate: int, channels: int = 1):
    """Noise as a sound file, written in blocks as libsndfile's Vorbis needs them."""
    noise = np.random.default_rng(key(0, "noise")).normal(0, 0.1, (int(seconds * rate), channels)).astype(np.float32)
    with soundfile.SoundFile(path, "w", rate, channels) as file:
        for start in range(0, len(noise), 65536):
            file.write(noise[start : start + 65536])
    return path


@pytest.mark.parametrize(
    "kind, rate, channels, seconds",
    [
        ("wav", 16_000, 1, 9.3),
        ("wav", 44_100, 2, 21.7),
        ("flac", 22_050, 1, 9.1),
        ("ogg", 48_000, 2, 8),
        ("wav", 24_000, 1, 7),
    ],
)
def test_pieces_are_the_speech_that_is_read_whole(
    tmp_path, kind: str, rate: int, channels: int, seconds: float
) -> None:
    path = recorded(tmp_path / f"noise.{kind}", seconds, rate, channels)
    whole, file = speech.read(path), SpeechFile.of(path)
    pieces = list(file.pieces(32 / 15))
    assert [len(piece) for piece in pieces[:-1]] == [51_200] * (len(pieces) - 1) and len(pieces) > 3
    assert np.array_equal(np.concatenate(pieces), whole.samples) and file.samples == len(whole.samples)
    mels, mel = np.concatenate(list(speech.log_mels(pieces))), speech.log_mel(whole)
    assert mels.shape == mel.shape == (4 * file.frames, speech.N_MELS)
    assert np.abs(mels - mel).max() < 2e-6, "but for the rounding of a matrix product"
    assert np.array_equal(np.concatenate(list(speech.log_mels([whole.samples]))), mel), "one piece is exact"


def test_what_cannot_be_used_is_named_as_for_a_whole_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("gannb.experiments.motion.data.speech_file._BLOCK", 1000)
    nan = np.full(24_000, 0.1, np.float32)
    nan[[5_300, 5_301, 9_999]] = np.nan
    for name, samples, rate in [
        ("short", np.full(3_000, 0.1), 24_000),
        ("silent", np.zeros(24_000), 24_000),
        ("quiet", np.full(24_000, 1e-4), 24_000),
        ("nan", nan, 24_000),
        ("slow", np.full(24_000, 0.1), 2_000),
    ]:
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, samples, rate, subtype="FLOAT")
        with pytest.raises(speech.SpeechError) as whole:
            speech.read(path)
        with pytest.raises(speech.SpeechError) as pieces:
            SpeechFile.of(path)
        assert str(pieces.value) == str(whole.value)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(speech.SpeechError, match=r"text\.wav: cannot be read as sound"):
        SpeechFile.of(tmp_path / "text.wav")
    with pytest.raises(FileNotFoundError, match="no such sound file"):
        SpeechFile.of(tmp_path / "none.wav")
