"""BVH: read motion capture of any common naming onto the 52 joints, write the 52 joints for any animation program.

BVH states no unit (metres, centimetres and millimetres are distinguished by the length of the upper arm) and no facing:
the trunk's frame is found from the shoulders and the spine, so that the speaker faces forward throughout.
Nose and eyes, which BVH rarely has, follow the head joint, which is taken to look straight ahead on the average.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from gannb.experiments.motion.data.clips import FPS, MotionDataError
from gannb.experiments.motion.data.retarget import check_finite, into, standardise, trunk_axes
from gannb.experiments.motion.skeleton import BONE_LENGTHS, INDEX, JOINTS, PARENTS, bone_lengths, forward_kinematics
from gannb.runs.files import write_text

_CHANNELS = ("Xposition", "Yposition", "Zposition", "Xrotation", "Yrotation", "Zrotation")


@dataclass
class Bvh:
    """A BVH file as it stands.

    Attributes:
        names: of all joints, end sites as "<parent> end".
        parents: index of each joint's parent, -1 for the root.
        offsets: `[K, 3]` in the file's unit.
        channels: names of each joint's channels.
        frames: `[F, C]`, degrees and the file's unit.
        fps: frames per second.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[str]] = field(default_factory=list)
    frames: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    fps: float = 0.0

    def world(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions `[F, K, 3]` and orientations `[F, K, 3, 3]` of all joints in the world."""
        from scipy.spatial.transform import Rotation

        n, column = len(self.frames), 0
        at, turned = np.zeros((n, len(self.names), 3)), np.zeros((n, len(self.names), 3, 3))
        for k, (parent, channels) in enumerate(zip(self.parents, self.channels, strict=True)):
            values = self.frames[:, column : column + len(channels)]
            column += len(channels)
            offset = np.tile(np.asarray(self.offsets[k], dtype=np.float64), (n, 1))
            for i, channel in enumerate(channels):
                if channel.endswith("position"):
                    offset[:, "XYZ".index(channel[0])] = values[:, i]
            spins = [i for i, channel in enumerate(channels) if channel.endswith("rotation")]
            axes = "".join(channels[i][0] for i in spins)
            local = Rotation.from_euler(axes, values[:, spins], degrees=True).as_matrix() if axes else np.eye(3)
            if parent < 0:
                at[:, k], turned[:, k] = offset, local
            else:
                at[:, k] = at[:, parent] + np.einsum("fij,fj->fi", turned[:, parent], offset)
                turned[:, k] = turned[:, parent] @ local
        return at, turned


# ----------------------------------------------------------------------------------------------------------------
# reading


def read(path: str | Path, names: Mapping[str, str] | None = None) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read a BVH file onto the 52 joints.

    Args:
        path: the file.
        names: our joint name → the file's, for what is not recognised.

    Returns:
        positions `[F, 52, 3]` at 15 fps, bone lengths `[51]`, notes.

    Raises:
        MotionDataError: broken hierarchy, wrong counts, unknown joint names, NaN frames: named, with what to do.
    """
    path = Path(path)
    bvh = parse(path.read_text(encoding="utf-8", errors="replace"), path.name)
    check_finite(bvh.frames, path.name)
    found = _recognise(bvh, names or {}, path.name)
    at, turned = bvh.world()
    scale, unit = _unit(at, found, path.name)
    positions, added = _onto_joints(bvh, at * scale, turned, found)
    positions, lengths = standardise(positions, bvh.fps, path.name)
    notes = [f"unit {unit}", f"{bvh.fps:.4g} fps resampled to 15"] if bvh.fps != FPS else [f"unit {unit}"]
    return positions, lengths, (*notes, *([f"estimated, not in the file: {', '.join(added)}"] if added else []))


def parse(text: str, name: str) -> Bvh:
    """Parse the text of a BVH file; `name` is for messages."""
    bvh, lines = Bvh(), _lines(text)
    if next(lines, (0, [""]))[1] != ["HIERARCHY"]:
        raise MotionDataError(f"{name}: does not begin with HIERARCHY; not a BVH file")
    _parse_hierarchy(bvh, lines, name)
    _parse_motion(bvh, lines, name)
    return bvh


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        for part in re.sub(r"([{}])", r"\n\1\n", line).splitlines():
            if words := part.split():
                yield number, words


def _parse_hierarchy(bvh: Bvh, lines: Iterator[tuple[int, list[str]]], name: str) -> None:
    open_joints: list[int] = []
    opening = False  # a joint was named and its brace has not come yet
    for number, words in lines:
        where = f"{name}, line {number}"
        match words:
            case ["ROOT" | "JOINT" | "End", *rest]:
                if opening or (words[0] == "ROOT") == bool(open_joints):
                    raise MotionDataError(f"{where}: {' '.join(words)} out of place; the hierarchy is broken")
                parent = open_joints[-1] if open_joints else -1
                bvh.names.append(f"{bvh.names[parent]} end" if words[0] == "End" else " ".join(rest))
                bvh.parents.append(parent)
                bvh.offsets.append([])
                bvh.channels.append([])
                opening = True
            case ["{"] if opening:
                open_joints.append(len(bvh.names) - 1)
                opening = False
            case ["}"] if open_joints and not opening:
                closed = open_joints.pop()
                if len(bvh.offsets[closed]) != 3:
                    raise MotionDataError(f"{where}: {bvh.names[closed]} has no OFFSET of three numbers")
            case ["OFFSET", *numbers] if open_joints:
                bvh.offsets[open_joints[-1]] = _numbers(numbers, where)
            case ["CHANNELS", count, *channels] if open_joints:
                if count != str(len(channels)) or not set(channels) <= set(_CHANNELS):
                    raise MotionDataError(
                        f"{where}: CHANNELS {count} {' '.join(channels)}; allowed: {', '.join(_CHANNELS)}"
                    )
                bvh.channels[open_joints[-1]] = channels
            case ["MOTION"] if not open_joints and not opening and bvh.names:
                return
            case ["MOTION"]:
                still = ", ".join(bvh.names[i] for i in open_joints) or "no joint"
                raise MotionDataError(f"{where}: MOTION begins while {still} is open; a closing brace is missing")
            case _:
                raise MotionDataError(f"{where}: {' '.join(words)[:40]!r} out of place; the hierarchy is broken")
    raise MotionDataError(f"{name}: the file ends before MOTION; it is cut off")


def _parse_motion(bvh: Bvh, lines: Iterator[tuple[int, list[str]]], name: str) -> None:
    number, words = next(lines, (0, []))
    if len(words) != 2 or words[0] != "Frames:" or not words[1].isdigit():
        raise MotionDataError(f"{name}, line {number}: expected `Frames: <count>`, found {' '.join(words)!r}")
    count = int(words[1])
    number, words = next(lines, (0, []))
    if len(words) != 3 or words[:2] != ["Frame", "Time:"] or not _numbers(words[2:], f"{name}, line {number}")[0] > 0:
        raise MotionDataError(f"{name}, line {number}: expected `Frame Time: <seconds>`, found {' '.join(words)!r}")
    bvh.fps = 1 / float(words[2])
    if abs(bvh.fps - round(bvh.fps)) < 0.01:
        bvh.fps = float(round(bvh.fps))  # files round 1/30 to 0.033333
    width, rows = sum(map(len, bvh.channels)), []
    for number, words in lines:
        if len(words) != width:
            raise MotionDataError(f"{name}, line {number}: {len(words)} values, the hierarchy has {width} channels")
        rows.append(_numbers(words, f"{name}, line {number}"))
    if len(rows) != count:
        raise MotionDataError(f"{name}: {len(rows)} frames, its header says {count}; the file is cut off or edited")
    bvh.frames = np.asarray(rows, dtype=np.float64).reshape(count, width)


def _numbers(words: list[str], where: str) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError as fault:
        raise MotionDataError(f"{where}: {' '.join(words)[:40]!r} is not a row of numbers") from fault


# ----------------------------------------------------------------------------------------------------------------
# names


def _aliases(joint: str) -> tuple[str, ...]:
    """Names that other skeletons give one of our joints (MotionBuilder, BEAT, ZEGGS, Mixamo, SMPL), compared bare."""
    side, _, part = joint.partition("_")
    if joint in ("neck", "nose"):
        return (joint,)
    finger, _, place = part.partition("_")
    finger = {"little": "pinky"}.get(finger, finger)
    number = {"cmc": 1, "mcp": 2, "ip": 3, "tip": 4} if finger == "thumb" else {"mcp": 1, "pip": 2, "dip": 3, "tip": 4}
    if place:
        numbered = f"{finger}{number[place]}"
        return (f"{side}{part}", f"{side}hand{numbered}", f"{side}{numbered}", f"{side}{part.replace('_', '')}")
    return {
        "shoulder": (f"{side}arm", f"{side}uparm", f"{side}upperarm", f"{side}shoulder"),
        "elbow": (f"{side}forearm", f"{side}lowerarm", f"{side}lowarm", f"{side}elbow"),
        "wrist": (f"{side}wrist", f"{side}hand"),
        "hand": (f"{side}hand",),
        "eye": (f"{side}eye",),
    }[part]


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.rsplit(":", 1)[-1].lower())


def _recognise(bvh: Bvh, names: Mapping[str, str], file: str) -> dict[str, int]:
    """Our joint → the file's joint, for those it has; end sites stand in for finger tips."""
    unknown = [theirs for theirs in names.values() if theirs not in bvh.names]
    unknown += [ours for ours in names if ours not in INDEX]
    if unknown:
        raise MotionDataError(f"{file}: names: no joint {', '.join(unknown)}; the file has: {', '.join(bvh.names)}")
    bare, found = {_bare(name): k for k, name in reversed([*enumerate(bvh.names)])}, {}
    for joint in JOINTS:
        hit = bvh.names.index(names[joint]) if joint in names else None
        hit = next((bare[_bare(a)] for a in _aliases(joint) if _bare(a) in bare), None) if hit is None else hit
        if hit is not None and hit not in found.values():
            found[joint] = hit
        elif joint.endswith("_tip") and (above := JOINTS[PARENTS[INDEX[joint]]]) in found:
            ends = [k for k, parent in enumerate(bvh.parents) if parent == found[above]]
            found |= {joint: ends[0]} if len(ends) == 1 else {}
    optional = ("_tip", "_hand", "_eye", "nose")
    missing = [joint for joint in JOINTS if joint not in found and not joint.endswith(optional)]
    if missing:
        raise MotionDataError(
            f"{file}: no joint recognised as {', '.join(missing[:6])}{' …' if len(missing) > 6 else ''} "
            f"({len(missing)} of 52); the file has: {', '.join(bvh.names)}; "
            f"say which is which: names={{'{missing[0]}': '<name in the file>'}}"
        )
    return found


def _unit(at: np.ndarray, found: Mapping[str, int], file: str) -> tuple[float, str]:
    upper = float(np.median(np.linalg.norm(at[:, found["right_elbow"]] - at[:, found["right_shoulder"]], axis=-1)))
    for scale, unit in ((1.0, "metres"), (0.01, "centimetres"), (0.001, "millimetres")):
        if 0.1 <= upper * scale < 1.0:
            return scale, unit
    raise MotionDataError(f"{file}: the upper arm is {upper:.3g} long; expected 0.1-1 m, in m, cm or mm")


# ----------------------------------------------------------------------------------------------------------------
# onto the 52 joints


def _onto_joints(
    bvh: Bvh, at: np.ndarray, turned: np.ndarray, found: Mapping[str, int]
) -> tuple[np.ndarray, list[str]]:
    """Positions `[F, 52, 3]` in the trunk's frame, and the joints that had to be estimated."""
    neck, spine = found["neck"], bvh.parents[found["neck"]]
    if spine >= 0:
        up = at[:, neck] - at[:, spine]
        axes = trunk_axes(at[:, found["left_shoulder"]], at[:, found["right_shoulder"]], up)
    else:  # a file that begins at the neck: its orientation is the trunk's
        axes = turned[:, neck].transpose(0, 2, 1)
    out = np.full((len(at), len(JOINTS), 3), np.nan)
    for joint, k in found.items():
        out[:, INDEX[joint]] = at[:, k]
    out = into(axes, out - at[:, neck, None])
    added = [joint for joint in JOINTS if joint not in found]
    _add_hands(out)
    if {"nose", "left_eye", "right_eye"} & set(added):
        _add_face(out, _head(bvh, axes, turned))
    return out, added


def _add_hands(out: np.ndarray) -> None:
    """Fill in hand roots (on the way to the middle knuckle) and finger tips (straight on), where they are missing."""
    for side in ("left", "right"):
        root, wrist, knuckle = (INDEX[f"{side}_{part}"] for part in ("hand", "wrist", "middle_mcp"))
        if np.isnan(out[:, root]).all():
            out[:, root] = out[:, wrist] + _toward(out, wrist, knuckle) * float(BONE_LENGTHS[root - 1])
    for tip, name in enumerate(JOINTS):
        if name.endswith("_tip") and np.isnan(out[:, tip]).all():
            last = PARENTS[tip]
            out[:, tip] = out[:, last] + _toward(out, PARENTS[last], last) * float(BONE_LENGTHS[tip - 1])


def _add_face(out: np.ndarray, head: np.ndarray) -> None:
    rest = forward_kinematics(torch.zeros(57, dtype=torch.float64)).numpy()
    for name in ("nose", "left_eye", "right_eye"):
        out[:, INDEX[name]] = head @ rest[INDEX[name]]


def _head(bvh: Bvh, axes: np.ndarray, turned: np.ndarray) -> np.ndarray:
    """The head's turn against the trunk `[F, 3, 3]`, none on the average; none at all where there is no head joint."""
    from scipy.spatial.transform import Rotation

    head = next((k for k, name in enumerate(bvh.names) if _bare(name) == "head"), None)
    if head is None:
        return np.tile(np.eye(3), (len(axes), 1, 1))
    against = Rotation.from_matrix(axes @ turned[:, head])
    return (against * against.mean().inv()).as_matrix()


def _toward(out: np.ndarray, origin: int, target: int) -> np.ndarray:
    bone = out[:, target] - out[:, origin]
    return bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)


# ----------------------------------------------------------------------------------------------------------------
# writing


def write(path: str | Path, positions: np.ndarray, fps: float = FPS) -> Path:
    """Write positions `[F, 52, 3]` (metres) as BVH in centimetres, with our joint names.

    A joint with several bones gets one `<child>_bone` joint of no length for each, so that any pose can be said in
    rotations: what is read back is what was written, as far as its bones keep their (median) length.
    """
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 3 or positions.shape[1:] != (len(JOINTS), 3):
        raise ValueError(f"positions: shape {positions.shape}, expected [F, {len(JOINTS)}, 3]")
    check_finite(positions, Path(path).name)
    writer = _Writer(positions)
    writer.joint(0, 0, np.tile(np.eye(3), (len(positions), 1, 1)))
    rows = np.concatenate(writer.columns, axis=1)
    motion = ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {1 / fps:.8f}"]
    motion += [" ".join(f"{value:.5f}" for value in row) for row in rows]
    return write_text(Path(path), "\n".join(["HIERARCHY", *writer.hierarchy, *motion, ""]))


class _Writer:
    """Walks down the skeleton, collecting the hierarchy's lines and the motion's columns in one order."""

    def __init__(self, positions: np.ndarray) -> None:
        neutral = forward_kinematics(torch.zeros(57, dtype=torch.float64)).numpy()
        self.positions, self.hierarchy = positions, []
        self.columns = [100 * positions[:, 0]]
        self.lengths = np.median(bone_lengths(torch.from_numpy(positions)).numpy(), axis=0)
        bones = {j: neutral[j] - neutral[p] for j, p in enumerate(PARENTS) if p >= 0}
        self.rest = {j: bone / np.linalg.norm(bone) for j, bone in bones.items()}

    def joint(self, joint: int, depth: int, frame: np.ndarray) -> None:
        """Write a joint and what hangs on it; `frame` `[F, 3, 3]` is how its parent has turned it."""
        offset = self.rest[joint] * self.lengths[joint - 1] * 100 if joint else np.zeros(3)
        children = [child for child, parent in enumerate(PARENTS) if parent == joint]
        self._begin(depth, JOINTS[joint], offset, _CHANNELS[:3] if joint == 0 else ())
        if len(children) != 1:
            self.columns.append(np.zeros((len(self.positions), 3)))
        for child in children:
            turned, euler = _aim(frame, self.rest[child], self.positions[:, child] - self.positions[:, joint])
            if len(children) == 1:
                self.columns.append(euler)
                self.joint(child, depth + 1, turned)
            else:
                self._begin(depth + 1, f"{JOINTS[child]}_bone", np.zeros(3))
                self.columns.append(euler)
                self.joint(child, depth + 2, turned)
                self._line(depth + 1, "}")
        if not children:
            for line in ("  End Site", "  {", "    OFFSET 0.0 0.0 0.0", "  }"):
                self._line(depth, line)
        self._line(depth, "}")

    def _begin(self, depth: int, name: str, offset: np.ndarray, channels: tuple[str, ...] = ()) -> None:
        channels = (*channels, "Zrotation", "Xrotation", "Yrotation")
        self._line(depth, f"{'JOINT' if depth else 'ROOT'} {name}")
        self._line(depth, "{")
        self._line(depth, f"  OFFSET {offset[0]:.6f} {offset[1]:.6f} {offset[2]:.6f}")
        self._line(depth, f"  CHANNELS {len(channels)} {' '.join(channels)}")

    def _line(self, depth: int, text: str) -> None:
        self.hierarchy.append("  " * depth + text)


def _aim(frame: np.ndarray, rest: np.ndarray, bone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn `frame` `[F, 3, 3]` the shortest way so that `rest` points along `bone` `[F, 3]`; also in ZXY degrees."""
    from scipy.spatial.transform import Rotation

    target = np.einsum("fji,fj->fi", frame, bone)
    target /= np.maximum(np.linalg.norm(target, axis=-1, keepdims=True), 1e-9)
    axis = np.cross(rest, target)
    sin, cos = np.linalg.norm(axis, axis=-1, keepdims=True), (target @ rest)[:, None]
    any_across = np.cross(rest, np.eye(3)[np.abs(rest).argmin()])  # for a bone turned right round
    axis = np.where(sin > 1e-9, axis / np.maximum(sin, 1e-9), any_across / np.linalg.norm(any_across))
    local = Rotation.from_rotvec(axis * np.arctan2(sin, cos))
    return frame @ local.as_matrix(), local.as_euler("ZXY", degrees=True)
