"""Speech of any length: a sound file that is checked once and then read piece by piece, in the memory of a piece."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gannb.experiments.motion.data.speech import HOP, MELS_PER_FRAME, SAMPLE_RATE, check, readable

_BLOCK = 1 << 18  # samples of all channels that are decoded at a time


@dataclass(frozen=True)
class SpeechFile:
    """A sound file of speech, without its samples.

    Attributes:
        path: the file.
        rate: its samples per second.
        recorded: its samples per channel.
    """

    path: Path
    rate: int
    recorded: int

    @classmethod
    def of(cls, path: str | Path) -> SpeechFile:
        """Read a sound file once, from end to end, and check it as `speech.read` does.

        Raises:
            FileNotFoundError: there is no such file.
            SpeechError: not a sound file; silent; shorter than half a second; NaN samples.
        """
        import soundfile

        path = Path(path)
        with readable(path):
            rate = soundfile.info(path).samplerate
            return cls(path, rate, check(_decoded(path), rate, path.name))

    @property
    def samples(self) -> int:
        """How many mono samples at 24 kHz it has."""
        return math.ceil(self.recorded * (SAMPLE_RATE / self.rate))

    @property
    def frames(self) -> int:
        """How many whole pose frames it has."""
        return self.samples // (HOP * MELS_PER_FRAME)

    def pieces(self, seconds: float) -> Iterator[np.ndarray]:
        """The samples `[n]` that `speech.read` gives, mono float32 at 24 kHz, in pieces; the last one may be shorter.

        Args:
            seconds: length of a piece.
        """
        size, left = round(seconds * SAMPLE_RATE), self.samples
        held = np.zeros(0, np.float32)
        for block in self._resampled():
            held = np.concatenate([held, block])[:left]
            while len(held) >= size:
                yield held[:size]
                held, left = held[size:], left - size
        if left:  # librosa fills up a last sample that the resampler does not give
            yield np.pad(held, (0, left - len(held)))

    def _resampled(self) -> Iterator[np.ndarray]:
        import soxr

        if self.rate == SAMPLE_RATE:
            yield from _decoded(self.path)
            return
        resampler = soxr.ResampleStream(self.rate, SAMPLE_RATE, 1, dtype="float32", quality="soxr_hq")
        for block in _decoded(self.path):
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _decoded(path: Path) -> Iterator[np.ndarray]:
    """The samples `[n]` of a sound file in its own rate, mixed down, block by block."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        while len(block := file.read(max(1, _BLOCK // file.channels), dtype="float32", always_2d=True)):
            yield block.mean(axis=1)
