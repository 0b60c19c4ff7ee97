"""The BVH format: motion capture of any naming is read onto the 52 joints, and the 52 joints are written.

BVH states neither unit nor facing: `retarget` finds the unit from the length of the upper arm, and the trunk's frame
from the shoulders and the spine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from gannb.experiments.motion.data.clips import FPS, MotionDataError
from gannb.experiments.motion.data.retarget import check_finite, check_rate, onto_joints, standardise
from gannb.experiments.motion.kinematics import bone_lengths, forward_kinematics
from gannb.experiments.motion.skeleton import JOINTS, PARENTS
from gannb.runs.files import writing

POSITIONS = ("Xposition", "Yposition", "Zposition")
ROTATIONS = ("Xrotation", "Yrotation", "Zrotation")
_TOGETHER = 4096  # frames that are written at a time

Lines = Iterator[tuple[int, list[str]]]
"""Numbers and words of the lines, braces on lines of their own."""


@dataclass
class _Joint:
    """A joint, or an end site, which is called "<parent> end".

    Attributes:
        name: in the file.
        parent: its index, -1 for the root.
        offset: from the parent, in the file's unit.
        channels: their names.
    """

    name: str
    parent: int
    offset: list[float] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)


def read(path: str | Path, names: Mapping[str, str] | None = None) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read a BVH file onto the 52 joints.

    Args:
        path: the file.
        names: our joint name → the file's, for what is not recognised.

    Returns:
        positions `[F, 52, 3]` in metres at 15 fps, bone lengths `[51]`, notes.

    Raises:
        MotionDataError: broken hierarchy (with the line), wrong counts, unknown joints, rate or unit, values that are
            not finite.
    """
    path = Path(path)
    lines = _lines(path.read_text(encoding="utf-8-sig", errors="replace"))
    joints = _hierarchy(lines, path.name)
    frames, fps = _motion(lines, sum(len(joint.channels) for joint in joints), path.name)
    check_finite(frames, path.name)
    called, parents = zip(*((joint.name, joint.parent) for joint in joints))
    positions, notes = onto_joints(called, parents, *_world(joints, frames), names or {}, path.name)
    positions, lengths = standardise(positions, fps, path.name)
    rate = () if fps == FPS else (f"{fps:.4g} fps resampled to 15",)
    return positions, lengths, (*notes[:1], *rate, *notes[1:])


def _lines(text: str) -> Lines:
    for number, line in enumerate(text.splitlines(), start=1):
        for part in re.split(r"([{}])", line):
            if words := part.split():
                yield number, words


def _hierarchy(lines: Lines, name: str) -> list[_Joint]:
    """The joints, parents before children; what follows MOTION is left in `lines`."""
    if next(lines, (0, [""]))[1] != ["HIERARCHY"]:
        raise MotionDataError(f"{name}: does not begin with HIERARCHY; not a BVH file")
    joints: list[_Joint] = []
    open_joints: list[int] = []
    opening = False  # a joint was named and its brace has not come yet
    for number, words in lines:
        where = f"{name}, line {number}"
        match words:
            case ["ROOT" | "JOINT" | "End", *rest] if not opening and (words[0] == "ROOT") != bool(open_joints):
                parent = open_joints[-1] if open_joints else -1
                joints.append(_Joint(f"{joints[parent].name} end" if words[0] == "End" else " ".join(rest), parent))
                opening = True
            case ["{"] if opening:
                open_joints.append(len(joints) - 1)
                opening = False
            case ["}"] if open_joints and not opening:
                closed = joints[open_joints.pop()]
                if len(closed.offset) != 3:
                    raise MotionDataError(f"{where}: {closed.name} has no OFFSET of three numbers")
            case ["OFFSET", *numbers] if open_joints:
                joints[open_joints[-1]].offset = _numbers(numbers, where)
            case ["CHANNELS", count, *channels] if open_joints:
                known = set(channels) <= {*POSITIONS, *ROTATIONS} and len(set(channels)) == len(channels)
                if count != str(len(channels)) or not known:
                    given = f"CHANNELS {count} {' '.join(channels)}"
                    allowed = ", ".join((*POSITIONS, *ROTATIONS))
                    raise MotionDataError(f"{where}: {given}; allowed, each once: {allowed}")
                joints[open_joints[-1]].channels = channels
            case ["MOTION"] if not open_joints and not opening and joints:
                return joints
            case ["MOTION"]:
                still = ", ".join(joints[i].name for i in open_joints) or "no joint"
                raise MotionDataError(f"{where}: MOTION begins while {still} is open; a closing brace is missing")
            case _:
                raise MotionDataError(f"{where}: {' '.join(words)[:40]!r} out of place; the hierarchy is broken")
    raise MotionDataError(f"{name}: the file ends before MOTION; it is cut off")


def _motion(lines: Lines, width: int, name: str) -> tuple[np.ndarray, float]:
    """The frames `[F, width]`, in degrees and the file's unit, and how many there are per second."""
    number, words = next(lines, (0, []))
    if len(words) != 2 or words[0] != "Frames:" or not re.fullmatch(r"\d{1,12}", words[1], re.ASCII):
        raise MotionDataError(f"{name}, line {number}: expected `Frames: <count>`, found {' '.join(words)[:80]!r}")
    count = int(words[1])
    number, words = next(lines, (0, []))
    seconds = _numbers(words[2:], f"{name}, line {number}") if words[:2] == ["Frame", "Time:"] else []
    if len(seconds) != 1 or not seconds[0] > 0:
        found = " ".join(words)[:80]
        raise MotionDataError(f"{name}, line {number}: expected `Frame Time: <seconds>`, found {found!r}")
    fps = check_rate(1 / seconds[0], name)
    fps = float(round(fps)) if abs(fps - round(fps)) < 0.01 else fps  # files round 1/30 to 0.033333
    rows = []
    for number, words in lines:
        if len(words) != width:
            raise MotionDataError(f"{name}, line {number}: {len(words)} values, the hierarchy has {width} channels")
        rows.append(np.array(_numbers(words, f"{name}, line {number}")))
    if len(rows) != count or count < 2:
        wrong = f"its header says {count}; the file is cut off or edited" if len(rows) != count else "2 are needed"
        raise MotionDataError(f"{name}: {len(rows)} frames, {wrong}")
    return np.stack(rows), fps


def _numbers(words: list[str], where: str) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as fault:
        raise MotionDataError(f"{where}: {' '.join(words)[:40]!r} is not a row of numbers") from fault


def _world(joints: list[_Joint], frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions `[F, K, 3]` and orientations `[F, K, 3, 3]` of all joints in the world."""
    n, columns = len(frames), np.split(frames, np.cumsum([len(joint.channels) for joint in joints])[:-1], axis=1)
    at, turned = np.zeros((n, len(joints), 3)), np.zeros((n, len(joints), 3, 3))
    for k, (joint, values) in enumerate(zip(joints, columns, strict=True)):
        offset, local = np.tile(np.asarray(joint.offset), (n, 1)), np.tile(np.eye(3), (n, 1, 1))
        moves, spins = ([i for i, c in enumerate(joint.channels) if c in kind] for kind in (POSITIONS, ROTATIONS))
        offset[:, [POSITIONS.index(joint.channels[i]) for i in moves]] = values[:, moves]
        if spins:
            axes = "".join(joint.channels[i][0] for i in spins)
            local = Rotation.from_euler(axes, values[:, spins], degrees=True).as_matrix()
        if joint.parent >= 0:
            above = turned[:, joint.parent]
            offset, local = at[:, joint.parent] + np.einsum("fij,fj->fi", above, offset), above @ local
        at[:, k], turned[:, k] = offset, local
    return at, turned


# ----------------------------------------------------------------------------------------------------------------
# writing


def write(path: str | Path, positions: np.ndarray, fps: float = FPS) -> Path:
    """Write positions as BVH in centimetres, with our joint names.

    A joint with several bones gets one `<child>_bone` joint of no length for each, so that any pose can be said in
    rotations: what is read back is what was written, as far as its bones keep their (median) length.

    Args:
        path: the file.
        positions: `[F, 52, 3]`, metres.
        fps: frames per second.

    Raises:
        ValueError: another shape.
        MotionDataError: values that are not finite.
    """
    positions = np.asarray(positions)
    if positions.ndim != 3 or positions.shape[1:] != (len(JOINTS), 3) or not len(positions):
        raise ValueError(f"positions: shape {positions.shape}, expected [F, {len(JOINTS)}, 3]")
    check_finite(positions, Path(path).name)
    with writing(Path(path)) as file, TemporaryFile(dir=Path(path).parent) as scratch:
        lengths = np.memmap(scratch, np.float64, "w+", shape=(len(PARENTS) - 1, len(positions)))
        for block, part in _blocks(positions):
            lengths[:, part] = bone_lengths(torch.from_numpy(block)).numpy().T
        medians = np.array([np.median(bone) for bone in lengths])
        blocks = math.ceil(len(positions) / _TOGETHER)
        for block, part in tqdm(_blocks(positions), Path(path).name, blocks, delay=2, disable=None):
            writer = _Writer(block, medians)
            writer.joint(0, 0, np.tile(np.eye(3), (len(block), 1, 1)))
            if not part.start:
                head = ["MOTION", f"Frames: {len(positions)}", f"Frame Time: {1 / fps:.8f}", ""]
                file.write("\n".join(["HIERARCHY", *writer.hierarchy, *head]).encode("ascii"))
            rows = np.concatenate(writer.columns, axis=1)
            file.writelines((" ".join(f"{value:.5f}" for value in row) + "\n").encode("ascii") for row in rows)
    return Path(path)


def _blocks(positions: np.ndarray) -> Iterator[tuple[np.ndarray, slice]]:
    """Positions of `_TOGETHER` frames at a time in double precision, and which frames these are."""
    for start in range(0, len(positions), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        yield positions[part].astype(np.float64), part


class _Writer:
    """Walks down the skeleton, collecting the hierarchy's lines and the motion's columns in one order.

    Args:
        positions: `[F, 52, 3]`, metres.
        lengths: of the bones `[51]`.
    """

    def __init__(self, positions: np.ndarray, lengths: np.ndarray) -> None:
        neutral = forward_kinematics(torch.zeros(57, dtype=torch.float64)).numpy()
        self.positions, self.lengths, self.hierarchy = positions, lengths, []
        self.columns = [100 * positions[:, 0]]
        bones = {j: neutral[j] - neutral[p] for j, p in enumerate(PARENTS) if p >= 0}
        self.rest = {j: bone / np.linalg.norm(bone) for j, bone in bones.items()}

    def joint(self, joint: int, depth: int, frame: np.ndarray) -> None:
        """Write a joint and what hangs on it; `frame` `[F, 3, 3]` is how its parent has turned it."""
        offset = self.rest[joint] * self.lengths[joint - 1] * 100 if joint else np.zeros(3)
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        self._begin(depth, JOINTS[joint], offset, POSITIONS if joint == 0 else ())
        if len(children) != 1:
            self.columns.append(np.zeros((len(self.positions), 3)))
        for child in children:
            turned, euler = _aim(frame, self.rest[child], self.positions[:, child] - self.positions[:, joint])
            if len(children) > 1:
                self._begin(depth + 1, f"{JOINTS[child]}_bone", np.zeros(3))
            self.columns.append(euler)
            self.joint(child, depth + len(children[:2]), turned)
            if len(children) > 1:
                self._lines(depth + 1, "}")
        if not children:
            self._lines(depth + 1, "End Site", "{", "  OFFSET 0.0 0.0 0.0", "}")
        self._lines(depth, "}")

    def _begin(self, depth: int, name: str, offset: np.ndarray, positions: tuple[str, ...] = ()) -> None:
        channels = (*positions, "Zrotation", "Xrotation", "Yrotation")
        self._lines(depth, f"{'JOINT' if depth else 'ROOT'} {name}", "{")
        self._lines(depth + 1, "OFFSET {:.6f} {:.6f} {:.6f}".format(*offset))
        self._lines(depth + 1, f"CHANNELS {len(channels)} {' '.join(channels)}")

    def _lines(self, depth: int, *texts: str) -> None:
        self.hierarchy += ["  " * depth + text for text in texts]


def _aim(frame: np.ndarray, rest: np.ndarray, bone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn `frame` `[F, 3, 3]` the shortest way so that `rest` points along `bone` `[F, 3]`; also in ZXY degrees."""
    target = np.einsum("fji,fj->fi", frame, bone)
    target /= np.maximum(np.linalg.norm(target, axis=-1, keepdims=True), 1e-9)
    axis = np.cross(rest, target)
    sin, cos = np.linalg.norm(axis, axis=-1, keepdims=True), (target @ rest)[:, None]
    any_across = np.cross(rest, np.eye(3)[np.abs(rest).argmin()])  # for a bone turned right round
    axis = np.where(sin > 1e-9, axis / np.maximum(sin, 1e-9), any_across / np.linalg.norm(any_across))
    local = Rotation.from_rotvec(axis * np.arctan2(sin, cos))
    return frame @ local.as_matrix(), local.as_euler("ZXY", degrees=True)
