"""Speech: sound files to log-mel features on a grid that divides the pose frame exactly, and synthetic voices.

Time: 24 kHz, a hop of 400 samples is 1/60 s, so four mel frames make one pose frame of 1/15 s. The four frames of pose
frame f lie symmetrically around its time f/15 s (at -25, -8.3, +8.3 and +25 ms).
"""

from __future__ import annotations

import hashlib
import importlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from gannb.random import key
from gannb.runs.files import write_with

SAMPLE_RATE = 24_000
HOP = 400
WINDOW = 1024
MELS_PER_FRAME = 4
POSE_FPS = SAMPLE_RATE / HOP / MELS_PER_FRAME
N_MELS = 64
SUFFIXES = (".wav", ".ogg", ".flac")

RATES = (4_000, 768_000)  # samples per second of sound files; others would size the resampled speech
SHORTEST = 0.5  # seconds: less holds no syllable
SILENCE = 10 ** (-60 / 20)  # peak below -60 dB of full scale
FLOOR = 1e-5  # added to the mel power before the logarithm
_BEFORE = np.zeros(WINDOW // 2 + HOP * (MELS_PER_FRAME - 1) // 2, np.float32)
"""What comes before a speech: puts the four windows of a pose frame around its time."""


class SpeechError(ValueError):
    """Audio that cannot be used; the message says what was found and what to do."""


@dataclass(frozen=True)
class Speech:
    """Mono speech at 24 kHz.

    Attributes:
        samples: `[n]` float32 in [-1, 1].
        name: where it comes from, for messages.
        notes: what was done to it that a person should know (mixed down, resampled, ...).
    """

    samples: np.ndarray
    name: str = "speech"
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.samples) / SAMPLE_RATE

    def cut(self, start: float, seconds: float) -> Speech:
        """The part from `start`, both in seconds; fewer where the speech ends before."""
        first = round(start * SAMPLE_RATE)
        return replace(self, samples=self.samples[first : first + round(seconds * SAMPLE_RATE)])

    def __repr__(self) -> str:
        return f"Speech({self.name}, {self.seconds:.2f} s)" + "".join(f"\n  {note}" for note in self.notes)


# ----------------------------------------------------------------------------------------------------------------
# reading


def read(path: str | Path) -> Speech:
    """Read a sound file as mono 24 kHz speech.

    Raises:
        FileNotFoundError: there is no such file.
        SpeechError: not a sound file; silent; shorter than half a second; NaN samples.
    """
    import soundfile

    path = Path(path)
    with readable(path):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return from_samples(samples, rate, path.name)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name a sound file that is missing or cannot be read.

    Raises:
        FileNotFoundError: there is no such file.
        SpeechError: not a sound file.
    """
    import soundfile

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such sound file; give a {', '.join(SUFFIXES)} file of speech")
    try:
        yield
    except soundfile.LibsndfileError as fault:
        raise SpeechError(f"{path.name}: cannot be read as sound ({fault}); convert it to WAV, OGG or FLAC") from fault


def from_samples(samples: np.ndarray, rate: int, name: str = "speech") -> Speech:
    """Make mono 24 kHz speech of samples; raises as `read` does.

    Args:
        samples: `[n]` or `[n, channels]`.
        rate: samples per second.
        name: where they come from, for messages.

    Raises:
        SpeechError: silent; shorter than half a second; values that are not finite.
    """
    samples, notes = np.asarray(samples, dtype=np.float32), []
    if samples.ndim == 2 and samples.shape[1] > 1:
        notes.append(f"{samples.shape[1]} channels mixed down to one")
    samples = samples.mean(axis=1) if samples.ndim == 2 else samples
    check([samples], rate, name)
    if rate < 16_000:
        notes.append(
            f"recorded at {rate} Hz: nothing above {rate // 2} Hz, those mel bands are empty; 16 kHz is better"
        )
    if rate != SAMPLE_RATE:
        samples = load_librosa().resample(samples, orig_sr=rate, target_sr=SAMPLE_RATE)
        notes.append(f"resampled from {rate} to {SAMPLE_RATE} Hz")
    return Speech(np.ascontiguousarray(samples, dtype=np.float32), name, tuple(notes))


def check(blocks: Iterable[np.ndarray], rate: int, name: str) -> int:
    """Check a recording, and return how many samples it has.

    Args:
        blocks: its mono samples `[n]`, in order.
        rate: samples per second.
        name: where they come from, for messages.

    Raises:
        SpeechError: a rate that is not allowed; silent; shorter than half a second; values that are not finite.
    """
    if not RATES[0] <= rate <= RATES[1]:
        low, high = RATES
        raise SpeechError(f"{name}: {rate:g} samples per second; allowed: {low} to {high}; mend its header")
    count, peak, bad, first = 0, 0.0, 0, 0
    for block in blocks:
        wrong = ~np.isfinite(block)
        first = first if bad else count + int(wrong.argmax())
        bad += int(wrong.sum())
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        count += len(block)
    if count < SHORTEST * rate:
        raise SpeechError(
            f"{name}: {1000 * count / rate:.0f} ms of audio, at least {1000 * SHORTEST:.0f} ms are needed; "
            "give a longer recording"
        )
    if bad:
        raise SpeechError(f"{name}: {bad} samples are NaN or infinite, the first at {first / rate:.2f} s")
    if peak < SILENCE:
        level = "digital silence" if peak == 0 else f"peak at {20 * np.log10(peak):.0f} dB"
        raise SpeechError(f"{name}: silent ({level}, needs more than -60 dB); check the microphone or the channel")
    return count


# ----------------------------------------------------------------------------------------------------------------
# features


def log_mel(speech: Speech, n_mels: int = N_MELS, cache: Path | None = None) -> np.ndarray:
    """Compute the log-mel features `[4 * F, n_mels]` float32, F = whole pose frames in the speech.

    Args:
        speech: mono 24 kHz.
        n_mels: mel bands between 0 and 12 kHz.
        cache: a folder that keeps features by the hash of what they were computed from; None computes anew.
    """
    if cache is None:
        return _log_mel(speech.samples, n_mels)
    settings = f"{SAMPLE_RATE}|{HOP}|{WINDOW}|{n_mels}|{FLOOR}|v1".encode()
    digest = hashlib.blake2b(np.ascontiguousarray(speech.samples).tobytes() + settings, digest_size=16).hexdigest()
    path = Path(cache) / f"{digest}.npy"
    if not path.is_file():
        write_with(path, lambda file: np.save(file, _log_mel(speech.samples, n_mels)))
    return np.load(path)


def log_mels(pieces: Iterable[np.ndarray], n_mels: int = N_MELS) -> Iterator[np.ndarray]:
    """Compute the log-mel features `[4 * F, n_mels]` of each piece of a speech.

    Args:
        pieces: mono 24 kHz samples `[n]`, in order; each but the last one whole pose frames (1600 samples) long.
        n_mels: mel bands between 0 and 12 kHz.
    """
    before = _BEFORE
    for piece in pieces:
        yield _log_mel(piece, n_mels, before)
        before = np.concatenate([before, piece])[-len(_BEFORE) :]


def _log_mel(samples: np.ndarray, n_mels: int, before: np.ndarray = _BEFORE) -> np.ndarray:
    frames = int(len(samples) // (HOP * MELS_PER_FRAME)) * MELS_PER_FRAME
    padded = np.concatenate([before, samples, np.zeros(WINDOW, samples.dtype)])
    power = load_librosa().feature.melspectrogram(
        y=padded, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, n_mels=n_mels, center=False, power=2.0
    )
    return np.ascontiguousarray(np.log(power[:, :frames].T + FLOOR), dtype=np.float32)


@cache
def load_librosa() -> Any:
    """Import librosa and what it compiles on import, one process at a time.

    Where two processes compile at once, numba keeps a mixture of both, and every later process that uses it ends with a
    segmentation fault (numba issue 10128).
    """
    user = getattr(os, "getuid", lambda: 0)()
    with FileLock(Path(tempfile.gettempdir()) / f"gannb-{user}-numba.lock"):
        for part in ("util.utils", "core.audio", "core.pitch", "feature", "onset"):
            importlib.import_module(f"librosa.{part}")
    return importlib.import_module("librosa")


# ----------------------------------------------------------------------------------------------------------------
# a synthetic voice


@dataclass(frozen=True)
class Voice:
    """How a synthetic speaker sounds.

    Attributes:
        pitch: fundamental in Hz.
        rate: syllables per second.
        accents: share of syllables that are stressed.
        breathiness: noise against voice, 0..1.
    """

    pitch: float = 120.0
    rate: float = 4.5
    accents: float = 0.22
    breathiness: float = 0.1


@dataclass(frozen=True)
class Prosody:
    """What was said when, all `[n]`: syllable centres and lengths in seconds, stress 0 (none) to 1."""

    centres: np.ndarray
    lengths: np.ndarray
    stress: np.ndarray
    seconds: float

    @property
    def strokes(self) -> np.ndarray:
        """Times `[k]` of the stressed syllables in seconds, where gestures strike."""
        return self.centres[self.stress > 0]


_VOWELS = ((730, 1090), (530, 1840), (270, 2290), (570, 840), (300, 870))  # first two formants in Hz, rounded means


def prosody(seconds: float, voice: Voice, seed: int) -> Prosody:
    """Phrases of syllables with pauses between them; stressed syllables stand at least half a second apart.

    Args:
        seconds: length of the speech.
        voice: whose rate and accents.
        seed: of all draws.
    """
    rng = np.random.default_rng(key(seed, "prosody"))
    centres, lengths, stress, time, last = [], [], [], rng.uniform(0.4, 0.8), -9.0
    while time < seconds - 0.5:
        end = time + rng.uniform(1.5, 3.5)
        while time < min(end, seconds - 0.5):
            stressed = time - last > 0.55 and rng.random() < min(1.0, 2.5 * voice.accents)
            length = rng.uniform(0.8, 1.2) / voice.rate * (1.25 if stressed else 1.0)
            centres.append(time + length / 2)
            lengths.append(length)
            stress.append(rng.uniform(0.5, 1.0) if stressed else 0.0)
            last = centres[-1] if stressed else last
            time += length
        time += rng.uniform(0.3, 0.8)
    return Prosody(*map(np.asarray, (centres, lengths, stress)), seconds)


def synthesise(said: Prosody, voice: Voice, seed: int) -> Speech:
    """Give prosody a voice: a pulse train through moving formants, stressed syllables louder, longer and higher.

    Args:
        said: what is said when.
        voice: whose pitch and breathiness.
        seed: of all draws.
    """
    from scipy.signal import iirpeak, lfilter

    rng = np.random.default_rng(key(seed, "voice"))
    n = round(said.seconds * SAMPLE_RATE)
    time = np.arange(n) / SAMPLE_RATE
    loudness, rise = np.zeros(n), np.zeros(n)
    vowels = rng.integers(len(_VOWELS), size=len(said.centres))
    sung = np.zeros((len(_VOWELS), n), dtype=np.float32)
    for centre, length, stress, vowel in zip(said.centres, said.lengths, said.stress, vowels, strict=True):
        part = slice(max(0, int((centre - length) * SAMPLE_RATE)), int((centre + length) * SAMPLE_RATE))
        bump = np.exp(-0.5 * ((time[part] - centre) / (0.22 * length)) ** 2)
        loudness[part] += bump * (0.35 + 0.65 * stress)
        rise[part] += bump * stress
        sung[vowel, part] += bump
    phase = np.cumsum(voice.pitch * (1 + 0.35 * rise) / SAMPLE_RATE)
    pulses = 2 * (phase % 1.0) - 1 + voice.breathiness * rng.standard_normal(n)
    mouth = sum(
        weight * sum(lfilter(*iirpeak(formant, 5.0, fs=SAMPLE_RATE), pulses) for formant in formants)
        for weight, formants in zip(sung, _VOWELS, strict=True)
    )
    samples = mouth * loudness + 1e-4 * rng.standard_normal(n)
    return Speech((0.7 * samples / np.abs(samples).max()).astype(np.float32), "synthetic speech")
