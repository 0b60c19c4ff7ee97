"""Speech-driven motion: synthetic, or read from a folder of pairs; and written out again.

A folder holds motion (`.bvh`, or `.npz` with SMPL-X `poses` or our own export) and speech (`.wav`, `.ogg`, `.flac`), as
BEAT, BEAT2 and ZEGGS have it; `pairing` says which goes with which. A pair that cannot be read is named with the reason
and the rest go on; no usable pair at all is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from gannb.data.arrays import ArrayError, Arrays
from gannb.experiments.motion.data import beat2, bvh, speech
from gannb.experiments.motion.data.clips import FPS, MotionDataError, Recording
from gannb.experiments.motion.data.pairing import pairs
from gannb.experiments.motion.data.retarget import check_rate, standardise
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.skeleton import JOINTS
from gannb.runs.files import write_with
from gannb.tables import ShownAsTable, Table

SUFFIXES = (".bvh", ".npz")


@dataclass(frozen=True)
class Fault:
    """A file or pair that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True, repr=False)
class Recordings(ShownAsTable, Sequence):
    """What was loaded, and what was not; shows itself as a table.

    Attributes:
        taken: the recordings.
        faults: what was left out.
    """

    taken: tuple[Recording, ...]
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.taken)

    def __getitem__(self, index: int) -> Recording:
        return self.taken[index]

    def table(self) -> Table:
        """One row per recording; what was left out stands below."""
        rows = [(r.name, r.speaker, f"{r.seconds:.1f}", r.frames, "; ".join(r.notes)) for r in self.taken]
        rows += [(fault.name, "left out", "", "", fault.reason) for fault in self.faults]
        seconds = sum(r.seconds for r in self.taken)
        caption = f"{len(self.taken)} recordings, {seconds:.0f} s, {len({r.speaker for r in self.taken})} speakers"
        return Table(("recording", "speaker", "seconds", "frames", "notes"), rows, caption)


# ----------------------------------------------------------------------------------------------------------------
# getting recordings


def load(source: str | Path = "synthetic", *, seconds: float = 60.0, each: int = 2, seed: int = 0) -> Recordings:
    """Load recordings.

    Args:
        source: "synthetic" for the synthetic corpus, or a folder of pairs.
        seconds: length of a synthetic recording.
        each: synthetic recordings per speaker.
        seed: of the synthetic recordings.

    Raises:
        FileNotFoundError: no such folder.
        MotionDataError: no pair in the folder can be read; every reason is named.
    """
    if str(source) == "synthetic":
        return Recordings(tuple(record(style, seconds, seed, take) for style in STYLES for take in range(each)))
    outcomes = list(read_folder(source))
    taken = tuple(outcome for outcome in outcomes if isinstance(outcome, Recording))
    faults = tuple(outcome for outcome in outcomes if isinstance(outcome, Fault))
    if not taken:
        reasons = "".join(f"\n  {fault.name}: {fault.reason}" for fault in faults[:20])
        raise MotionDataError(f"{source}: none of {len(faults)} motion files can be used{reasons}")
    return Recordings(taken, faults)


def read_folder(folder: str | Path) -> Iterator[Recording | Fault]:
    """Read a folder pair by pair, in order of their names: a recording, or the fault that kept it out.

    Raises:
        FileNotFoundError: no such folder, or no motion file in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give one of motion and speech files, or 'synthetic'")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    motions, voices = ([path for path in files if path.suffix.lower() in kind] for kind in (SUFFIXES, speech.SUFFIXES))
    if not motions:
        raise FileNotFoundError(f"{folder}: no {' or '.join(SUFFIXES)} file in it")
    for pair in pairs(motions, sorted(voices, key=lambda path: speech.SUFFIXES.index(path.suffix.lower()))):
        if pair.speech is None:
            yield Fault(pair.motion.as_posix(), pair.note)
            continue
        try:
            recording = read_pair(folder / pair.motion, folder / pair.speech, pair.speaker)
        except (MotionDataError, speech.SpeechError, OSError) as fault:
            yield Fault(pair.motion.as_posix(), str(fault))
        except Exception as fault:  # a damaged file raises nearly anything; it never ends a folder
            yield Fault(pair.motion.as_posix(), f"cannot be read ({type(fault).__name__}: {fault})")
        else:
            notes = (pair.note, *recording.notes) if pair.note else recording.notes
            yield replace(recording, name=pair.motion.with_suffix("").as_posix(), notes=notes)


def read_pair(motion: str | Path, voice: str | Path, speaker: str | None = None) -> Recording:
    """Read one motion file and its speech, cut to the shorter of the two.

    Args:
        motion: a `.bvh` or `.npz` file.
        voice: its sound file.
        speaker: who it is; by the file's name (`pairing.PATTERNS`) when None.

    Raises:
        MotionDataError, speech.SpeechError, FileNotFoundError: what is wrong with which file, and what to do.
    """
    motion = Path(motion)
    pose, lengths, notes = read_motion(motion)
    said = speech.read(voice)
    speaker = speaker or pairs([PurePath(motion.name)], [])[0].speaker
    recording = Recording(motion.stem, speaker, pose, said, lengths, notes=notes).trimmed()
    if recording.frames < 2:
        raise MotionDataError(f"{motion.name}: nothing is left after cutting to its speech ({said.seconds:.2f} s)")
    return recording


def read_motion(path: str | Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read positions `[F, 52, 3]` at 15 fps, bone lengths `[51]` and notes from a `.bvh` or `.npz` file.

    Raises:
        FileNotFoundError: no such file.
        MotionDataError: what is wrong with it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such motion file")
    if path.suffix.lower() == ".bvh":
        return bvh.read(path)
    if path.suffix.lower() == ".npz":
        return _read_npz(path)
    raise MotionDataError(f"{path.name}: motion is read from {' and '.join(SUFFIXES)} files")


# ----------------------------------------------------------------------------------------------------------------
# writing motion


def export(path: str | Path, pose: np.ndarray, angles: np.ndarray | None = None) -> Path:
    """Write motion as `.bvh` or `.npz`, by the path's suffix; `read_motion` reads both.

    The npz holds `positions`, `joints`, `fps` and, where they are given, `angles`.

    Args:
        path: where to.
        pose: `[F, 52, 3]`, metres, 15 fps.
        angles: `[F, 57]`, radians.

    Raises:
        MotionDataError: another suffix; values that are not finite.
    """
    path, pose = Path(path), np.asarray(pose)
    if path.suffix.lower() == ".bvh":
        return bvh.write(path, pose)
    if path.suffix.lower() != ".npz":
        raise MotionDataError(f"{path.name}: motion is written as {' or '.join(SUFFIXES)}")
    extra = {} if angles is None else {"angles": np.asarray(angles, np.float32)}
    arrays = {"positions": np.asarray(pose, np.float32), "joints": np.array(JOINTS), "fps": FPS, **extra}
    return write_with(path, lambda file: np.savez_compressed(file, **arrays))


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Our own export, or BEAT2's poses."""
    try:
        file = Arrays(path)
        if "positions" not in file:
            return beat2.read(file)
        positions, fps = file.read("positions", finite=False), file.read("fps") if "fps" in file else FPS
    except ArrayError as fault:
        raise MotionDataError(f"{fault}; copy it again") from fault
    if positions.ndim != 3 or positions.shape[1:] != (len(JOINTS), 3):
        raise MotionDataError(f"{path.name}: `positions` has shape {positions.shape}, expected [F, {len(JOINTS)}, 3]")
    return *standardise(positions.astype(np.float64), check_rate(fps, path.name), path.name), ()
