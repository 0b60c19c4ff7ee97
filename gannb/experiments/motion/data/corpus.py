"""Clips cut from recordings: windows of 64 frames in memory or on disk, split by recording, with their statistics.

A corpus is a map-style dataset: `corpus[i]` is one clip, `corpus.clips()` all of them as one batch, so
`Batches(corpus.clips(), …)` holds a small corpus on the device and `StreamedBatches(corpus, …)` streams a long one.
On disk it is two raw files and an index; each clip maps its own few pages, so memory does not grow with the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gannb.experiments.motion.data.clips import FPS, FRAMES, Clips, MotionDataError, Recording
from gannb.experiments.motion.data.recordings import Fault
from gannb.experiments.motion.data.speech import MELS_PER_FRAME, N_MELS, log_mel
from gannb.experiments.motion.skeleton import JOINTS
from gannb.random import key
from gannb.runs.files import write_json
from gannb.tables import ShownAsTable, Table

POSE_TYPE, MEL_TYPE = np.dtype("<f4"), np.dtype("<f2")  # half a percent of a log-mel step is below the noise
STRIDE = 16
_CHUNK = 4096  # frames read at a time when all are


@dataclass(frozen=True)
class Take:
    """Where a recording lies in the corpus: `start` and `frames` in pose frames over all recordings."""

    name: str
    speaker: str
    start: int
    frames: int
    lengths: list[float]


class Statistics(NamedTuple):
    """Mean and deviation of the training clips, by which networks scale their data.

    Attributes:
        pose_mean: `[52, 3]` metres.
        pose_std: `[52, 3]` metres; at least 1 cm, so that what stands still stays near 0.
        mel_mean: `[n_mels]`.
        mel_std: `[n_mels]`.
    """

    pose_mean: Tensor
    pose_std: Tensor
    mel_mean: Tensor
    mel_std: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Corpus(ShownAsTable, torch.utils.data.Dataset):
    """Windows over recordings.

    Args:
        takes: where each recording lies.
        pose: `[F, 52, 3]` in memory, or the file that holds it.
        mel: `[4F, n_mels]` in memory, or the file that holds it.
        n_mels: mel bands.
        windows: `[W, 2]` int64, take and first frame within it.
    """

    takes: Sequence[Take]
    pose: np.ndarray | Path
    mel: np.ndarray | Path
    n_mels: int
    windows: np.ndarray

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        """Their names; a clip's speaker is an index into them."""
        return tuple(sorted({take.speaker for take in self.takes}))

    # ------------------------------------------------------------------------------------------------------------
    # making one

    @classmethod
    def of(
        cls, recordings: Iterable[Recording], *, stride: int = STRIDE, n_mels: int = N_MELS, cache: Path | None = None
    ) -> Corpus:
        """Hold recordings in memory.

        Args:
            recordings: at least one.
            stride: frames between the beginnings of windows.
            n_mels: mel bands.
            cache: a folder that keeps audio features.

        Raises:
            MotionDataError: no recording is as long as one clip.
        """
        takes: list[Take] = []
        poses, mels = zip(*(_arrays(recording, takes, n_mels, cache) for recording in recordings))
        return cls(takes, np.concatenate(poses), np.concatenate(mels), n_mels, _windows(takes, stride))

    @classmethod
    def build(cls, folder: str | Path, recordings: Iterable[Recording | Fault], n_mels: int = N_MELS) -> list[Fault]:
        """Write a corpus to disk, one recording in memory at a time (`read_folder` feeds it); returns the faults.

        Args:
            folder: where to.
            recordings: at least one, and faults among them.
            n_mels: mel bands.

        Raises:
            MotionDataError: not one recording could be read.
        """
        folder, takes, faults = Path(folder), [], []
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "corpus.json").unlink(missing_ok=True)  # the index comes last: a half-written corpus cannot be opened
        with (folder / "pose.f32").open("wb") as poses, (folder / "mel.f16").open("wb") as mels:
            for recording in recordings:
                if isinstance(recording, Fault):
                    faults.append(recording)
                    continue
                for file, array in zip((poses, mels), _arrays(recording, takes, n_mels, None)):
                    file.write(array.tobytes())
        if not takes:
            reasons = "".join(f"\n  {fault.name}: {fault.reason}" for fault in faults[:20])
            raise MotionDataError(f"{folder}: no recording to write{reasons}")
        write_json(folder / "corpus.json", {"n_mels": n_mels, "takes": [asdict(take) for take in takes]})
        return faults

    @classmethod
    def open(cls, folder: str | Path, stride: int = STRIDE) -> Corpus:
        """Open a corpus that `build` wrote; clips are mapped from disk when they are read.

        Args:
            folder: that of `build`.
            stride: frames between the beginnings of windows.

        Raises:
            FileNotFoundError: no corpus there, or one that was not finished.
            MotionDataError: its files are not as long as its index says.
        """
        folder = Path(folder)
        if not (folder / "corpus.json").is_file():
            raise FileNotFoundError(f"{folder}: no corpus.json in it; write one with Corpus.build(folder, recordings)")
        index = json.loads((folder / "corpus.json").read_text())
        takes, n_mels = [Take(**take) for take in index["takes"]], index["n_mels"]
        total = takes[-1].start + takes[-1].frames
        sizes = {
            "pose.f32": len(JOINTS) * 3 * POSE_TYPE.itemsize,
            "mel.f16": MELS_PER_FRAME * n_mels * MEL_TYPE.itemsize,
        }
        for name, size in sizes.items():
            found = (folder / name).stat().st_size if (folder / name).is_file() else 0
            if found != total * size:
                said = f"its index says {total * size}; build the corpus again"
                raise MotionDataError(f"{folder / name}: {found} bytes, {said}")
        return cls(takes, *(folder / name for name in sizes), n_mels, _windows(takes, stride))

    # ------------------------------------------------------------------------------------------------------------
    # reading it

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> Clips:
        """One clip, without a batch axis."""
        number, first = self.windows[index]
        take = self.takes[number]
        arrays = map(torch.from_numpy, self._read(take.start + int(first), FRAMES))
        return Clips(*arrays, torch.tensor(self.speakers.index(take.speaker)), torch.tensor(take.lengths))

    def clips(self, index: Iterable[int] | None = None) -> Clips:
        """Many clips as one batch; all of them when `index` is None."""
        chosen = [self[int(i)] for i in (range(len(self)) if index is None else index)]
        return Clips(*(torch.stack(parts) for parts in zip(*chosen, strict=True)))

    def split(self, held_out: float = 0.2, seed: int = 0) -> tuple[Corpus, Corpus]:
        """Split by recording, speaker by speaker: (training, held out); `held_out` is a share in (0, 1).

        Of a speaker with one recording only, its end is held out, and no window lies on both sides.

        Raises:
            ValueError: a share out of range, no clip to train on, or fewer held out than a Fréchet distance needs (4).
        """
        if not 0 < held_out < 1:
            raise ValueError(f"held_out: given {held_out}; allowed: a share between 0 and 1")
        rng = np.random.default_rng(key(seed, "split"))
        out, both = np.zeros((2, len(self)), dtype=bool)
        for speaker in self.speakers:
            mine = sorted({int(n) for n in self.windows[:, 0] if self.takes[n].speaker == speaker})
            if len(mine) == 1:
                cut = self.takes[mine[0]].frames * (1 - held_out)
                here, first = self.windows[:, 0] == mine[0], self.windows[:, 1]
                out |= here & (first >= cut)
                both |= here & (first < cut) & (first + FRAMES > cut)
            elif mine:
                out |= np.isin(self.windows[:, 0], rng.permutation(mine)[: max(1, round(held_out * len(mine)))])
        kept, train = int(out.sum()), int((~out & ~both).sum())
        if kept < 4 or train < 1:
            found = f"{kept} of {len(self)} clips held out and {train} to train on"
            raise ValueError(f"held_out: {held_out} gives {found}; allowed: 4 and 1 or more; give longer recordings")
        return self._only(~out & ~both), self._only(out)

    def statistics(self) -> Statistics:
        """Mean and deviation over the frames that this corpus's windows cover, each frame once."""
        sums: dict[str, np.ndarray] = {}
        count = 0
        for start, frames in self._covered():
            for first in range(0, frames, _CHUNK):
                pose, mel = self._read(start + first, min(_CHUNK, frames - first))
                for name, values in (("pose", pose.astype(np.float64)), ("mel", mel.astype(np.float64))):
                    sums[name] = sums.get(name, 0) + np.stack([values.sum(0), (values**2).sum(0)])
                count += len(pose)
        parts = []
        for name, n, least in (("pose", count, 0.01), ("mel", MELS_PER_FRAME * count, 1e-3)):
            mean, square = sums[name] / n
            parts += [mean, np.sqrt(np.maximum(square - mean**2, 0)).clip(least)]
        return Statistics(*(torch.from_numpy(part).float() for part in parts))

    def table(self) -> Table:
        """Clips, recordings and minutes of each speaker."""
        rows = []
        for speaker in self.speakers:
            mine = self._only(np.array([self.takes[n].speaker == speaker for n in self.windows[:, 0]]))
            minutes = sum(frames for _, frames in mine._covered()) / FPS / 60
            rows.append((speaker, len(mine), len(set(mine.windows[:, 0])), f"{minutes:.1f}"))
        return Table(("speaker", "clips", "recordings", "minutes"), rows, f"{len(self)} clips of {FRAMES} frames")

    def _only(self, chosen: np.ndarray) -> Corpus:
        return replace(self, windows=self.windows[chosen])

    def _covered(self) -> list[tuple[int, int]]:
        """Stretches (start, frames) that the windows cover, without overlap."""
        covered = np.zeros(self.takes[-1].start + self.takes[-1].frames + 1, dtype=bool)
        for number, first in self.windows:
            start = self.takes[number].start + int(first)
            covered[start : start + FRAMES] = True
        ends = np.flatnonzero(np.diff(covered, prepend=False)).reshape(-1, 2)
        return [(int(start), int(end - start)) for start, end in ends]

    def _read(self, start: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
        pose = _slice(self.pose, POSE_TYPE, start, (frames, len(JOINTS), 3))
        mel = _slice(self.mel, MEL_TYPE, start * MELS_PER_FRAME, (frames * MELS_PER_FRAME, self.n_mels))
        return pose, mel.astype(np.float32)


def _slice(source: np.ndarray | Path, kind: np.dtype, start: int, shape: tuple[int, ...]) -> np.ndarray:
    """Copy rows out of an array, or out of a file of which only these rows are mapped."""
    if isinstance(source, Path):
        row = int(np.prod(shape[1:])) * kind.itemsize
        return np.array(np.memmap(source, dtype=kind, mode="r", offset=start * row, shape=shape))
    return source[start : start + shape[0]].copy()


def _arrays(recording: Recording, takes: list[Take], n_mels: int, cache: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Pose and mel of a recording as they are stored, and its take behind the others."""
    mel, needed = log_mel(recording.speech, n_mels, cache), MELS_PER_FRAME * recording.frames
    if len(mel) < needed:
        found = f"{len(mel)} mel frames for {recording.frames} pose frames"
        raise MotionDataError(f"{recording.name}: {found}; use recording.trimmed()")
    start = takes[-1].start + takes[-1].frames if takes else 0
    takes.append(Take(recording.name, recording.speaker, start, recording.frames, recording.lengths.tolist()))
    return recording.pose.astype(POSE_TYPE), mel[:needed].astype(MEL_TYPE)


def _windows(takes: list[Take], stride: int) -> np.ndarray:
    windows = [(n, first) for n, take in enumerate(takes) for first in range(0, take.frames - FRAMES + 1, stride)]
    if not windows:
        longest = max((take.frames for take in takes), default=0)
        raise MotionDataError(
            f"no recording is as long as one clip of {FRAMES} frames ({FRAMES / FPS:.2f} s); "
            f"the longest has {longest}: give longer recordings"
        )
    return np.asarray(windows, dtype=np.int64)
