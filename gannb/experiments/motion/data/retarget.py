"""From another skeleton to the 52 joints: by name, into the trunk's frame, in metres, onto 15 fps.

Nose and eyes, which motion capture rarely has, follow the head joint, which is taken to look straight ahead on the
average. Bones keep their median length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from gannb.experiments.motion.data.clips import FPS, MotionDataError
from gannb.experiments.motion.kinematics import bone_lengths, forward_kinematics, with_bones
from gannb.experiments.motion.skeleton import BONE_LENGTHS, INDEX, JOINTS, PARENTS, SIDES

UNITS = {"metres": 1.0, "feet": 0.3048, "inches": 0.0254, "centimetres": 0.01, "millimetres": 0.001}
"""Name → metres."""
UPPER_ARM = (0.19, 0.48)
"""Metres between which an upper arm is long: one unit at most fits any length."""
RATES = (1.0, 1000.0)
"""Frames per second between which motion is captured."""
REACH = 10.0
"""Metres from the neck beyond which no joint lies: further away is a glitch, or an overflow."""
FAR = 1e5
"""Metres from the origin beyond which positions have no precision left for a finger."""
_TOGETHER = 4096  # frames that are checked at a time
_SHORTEST = 1e-9  # metres; a shorter bone has no direction


def standardise(positions: np.ndarray, fps: float, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Resample to 15 fps, move the neck to the origin, and give every bone its median length.

    Args:
        positions: `[F, 52, 3]` metres in the trunk's frame.
        fps: their frames per second.
        name: of the file, for messages.

    Returns:
        positions `[F', 52, 3]` and the lengths `[51]`, both float32.

    Raises:
        MotionDataError: values that are not finite, before or after; joints out of reach; a frame rate out of range;
            fewer than two frames; a bone without length.
    """
    check_finite(positions, name)
    if len(positions) < 2:
        raise MotionDataError(f"{name}: {len(positions)} frames of motion, at least 2 are needed")
    centred = positions - positions[:, :1]
    _refuse(np.abs(centred).max(axis=(1, 2)) > REACH, f"joints more than {REACH:g} m from the neck", name)
    moved = torch.from_numpy(resample(centred, check_rate(fps, name)))
    bones = bone_lengths(moved).numpy()
    lengths = torch.from_numpy(np.median(bones, axis=0))
    if short := (lengths < 1e-5).nonzero().flatten().tolist():
        ends = ", ".join(JOINTS[i + 1] for i in short)
        raise MotionDataError(f"{name}: no length in the bone that ends at {ends}; two joints lie on each other")
    _refuse((bones < 1e-7).any(axis=1), "joints that lie on each other", name)
    out = with_bones(moved - moved[:, :1], lengths).float().numpy()
    check_finite(out, name)
    return out, lengths.float().numpy()


def resample(positions: np.ndarray, fps: float, to: float = FPS) -> np.ndarray:
    """Interpolate linearly to another frame rate; frame 0 stays frame 0.

    Args:
        positions: `[F, ...]`.
        fps: their frames per second.
        to: the new frames per second.
    """
    if fps == to:
        return positions
    at = np.arange(int((len(positions) - 1) * to / fps + 1e-9) + 1) * fps / to
    before = np.minimum(at.astype(int), len(positions) - 1)
    after = np.minimum(before + 1, len(positions) - 1)
    share = (at - before).reshape(-1, *[1] * (positions.ndim - 1))
    return positions[before] * (1 - share) + positions[after] * share


def check_rate(rate: np.ndarray | float, name: str) -> float:
    """The frame rate that a file gives, a number or an array `[1]`, where it is one of motion capture.

    Raises:
        MotionDataError: several numbers, or one outside `RATES`, which would size the resampled motion.
    """
    values = np.ravel(rate)
    if values.size != 1 or not RATES[0] <= values[0] <= RATES[1]:
        given = f"{values[0]:g}" if values.size == 1 else f"{values.size} values"
        low, high = RATES
        raise MotionDataError(f"{name}: {given} as frames per second; allowed: {low:g} to {high:g}; mend its header")
    return float(values[0])


def check_finite(values: np.ndarray, name: str) -> None:
    """Check the frames `[F, ...]`.

    Raises:
        MotionDataError: it names the frames that hold NaN or infinity.
    """
    bad = [
        ~np.isfinite(values[i : i + 4096]).all(axis=tuple(range(1, values.ndim))) for i in range(0, len(values), 4096)
    ]
    _refuse(np.concatenate(bad or [np.zeros(0, bool)]), "NaN or infinite values", name)


def _refuse(bad: np.ndarray, what: str, name: str) -> None:
    if len(frames := np.flatnonzero(bad)):
        listed = ", ".join(map(str, frames[:8])) + (f" and {len(frames) - 8} more" if len(frames) > 8 else "")
        raise MotionDataError(f"{name}: {what} in {len(frames)} of {len(bad)} frames ({listed}); cut or mend them")


# ----------------------------------------------------------------------------------------------------------------
# joints by name


def onto_joints(
    names: Sequence[str],
    parents: Sequence[int],
    at: np.ndarray,
    turned: np.ndarray,
    known: Mapping[str, str],
    file: str,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Positions in metres in the trunk's frame; what the other skeleton lacks is estimated.

    Args:
        names: of the other skeleton's joints.
        parents: index of each joint's parent, -1 for the root.
        at: positions `[F, K, 3]` in the world, in the other unit.
        turned: orientations `[F, K, 3, 3]`.
        known: our joint name → the other's, for what is not recognised.
        file: for messages.

    Returns:
        positions `[F, 52, 3]`, and notes: the unit, and the joints that were estimated.

    Raises:
        MotionDataError: joints or a unit that are not recognised; positions out of reach.
    """
    found = recognise(names, parents, known, file)
    scale, unit = unit_of(np.linalg.norm(at[:, found["right_elbow"]] - at[:, found["right_shoulder"]], axis=-1), file)
    _refuse(np.abs(scale * at).max(axis=(1, 2)) > FAR, f"positions more than {FAR:g} m from the origin", file)
    neck, spine = found["neck"], parents[found["neck"]]
    if spine >= 0:
        up = at[:, neck] - at[:, spine]
        axes = trunk_axes(at[:, found["left_shoulder"]], at[:, found["right_shoulder"]], up)
    else:  # a file that begins at the neck: its orientation is the trunk's
        axes = turned[:, neck].transpose(0, 2, 1)
    out = np.full((len(at), len(JOINTS), 3), np.nan)
    joints = [INDEX[joint] for joint in found]
    out[:, joints] = np.einsum("fij,fkj->fki", axes, scale * (at[:, [*found.values()]] - at[:, neck, None]))
    missing = [joint for joint in JOINTS if joint not in found]
    _estimate_hands(out, missing)
    if face := {"nose", "left_eye", "right_eye"} & set(missing):
        head = next((k for k, name in enumerate(names) if _bare(name) == "head"), None)
        turns = Rotation.from_matrix(axes @ (turned[:, head] if head is not None else axes.transpose(0, 2, 1)))
        looking = (turns * turns.mean().inv()).as_matrix()
        rest = forward_kinematics(torch.zeros(57, dtype=torch.float64)).numpy()
        for joint in face:
            out[:, INDEX[joint]] = looking @ rest[INDEX[joint]]
    return out, (f"unit {unit}", *([f"estimated, not in the file: {', '.join(missing)}"] if missing else []))


def recognise(names: Sequence[str], parents: Sequence[int], known: Mapping[str, str], file: str) -> dict[str, int]:
    """Our joint → the other skeleton's, for those it has; end sites stand in for finger tips.

    Args:
        names: of the other skeleton's joints.
        parents: index of each joint's parent.
        known: our joint name → the other's.
        file: for messages.

    Raises:
        MotionDataError: joints that are missing, or names in `known` that there are not.
    """
    unknown = [
        *(theirs for theirs in known.values() if theirs not in names),
        *(ours for ours in known if ours not in INDEX),
    ]
    if unknown:
        raise MotionDataError(f"{file}: names: no joint {', '.join(unknown)}; the file has: {', '.join(names)}")
    bare, found = {_bare(name): k for k, name in reversed([*enumerate(names)])}, {}
    for joint in JOINTS:
        aliases = [bare[alias] for alias in map(_bare, _aliases(joint)) if alias in bare]
        hit = names.index(known[joint]) if joint in known else next(iter(aliases), None)
        if hit is not None and hit not in found.values():
            found[joint] = hit
        elif joint.endswith("_tip") and (above := JOINTS[PARENTS[INDEX[joint]]]) in found:
            ends = [k for k, parent in enumerate(parents) if parent == found[above]]
            found |= {joint: ends[0]} if len(ends) == 1 else {}
    missing = [
        joint for joint in JOINTS if joint not in found and not joint.endswith(("_tip", "_hand", "_eye", "nose"))
    ]
    if missing:
        raise MotionDataError(
            f"{file}: no joint recognised as {', '.join(missing[:6])}{' …' if len(missing) > 6 else ''} "
            f"({len(missing)} of 52); the file has: {', '.join(names)}; "
            f"say which is which: names={{'{missing[0]}': '<name in the file>'}}"
        )
    return found


def unit_of(lengths: np.ndarray, file: str) -> tuple[float, str]:
    """The unit in which an upper arm `[F]` is as long as a person's, in metres, and its name.

    Raises:
        MotionDataError: no unit fits.
    """
    length = float(np.median(lengths))
    fits = [unit for unit, metres in UNITS.items() if UPPER_ARM[0] <= length * metres <= UPPER_ARM[1]]
    if not fits:
        sizes = ", ".join(f"{length * metres:.3g} m if {unit}" for unit, metres in UNITS.items())
        raise MotionDataError(
            f"{file}: the upper arm is {length:.3g} long ({sizes}); a person's has {UPPER_ARM[0]} to {UPPER_ARM[1]} m: "
            "scale the file"
        )
    return UNITS[fits[0]], fits[0]


def trunk_axes(left_shoulder: np.ndarray, right_shoulder: np.ndarray, up: np.ndarray) -> np.ndarray:
    """The trunk's axes `[F, 3, 3]`: rows x left, y up, z forward.

    Args:
        left_shoulder: `[F, 3]`.
        right_shoulder: `[F, 3]`.
        up: a vector `[F, 3]` that points up along the spine.
    """
    x = _unit(left_shoulder - right_shoulder)
    y = _unit(up - (up * x).sum(-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], axis=-2)


def _aliases(joint: str) -> tuple[str, ...]:
    """Names that other skeletons give one of our joints (MotionBuilder, BEAT, ZEGGS, Mixamo, SMPL), compared bare."""
    side, _, part = joint.partition("_")
    if joint in ("neck", "nose"):
        return (joint,)
    finger, _, place = part.partition("_")
    if place:
        finger = {"little": "pinky"}.get(finger, finger)
        number = ("cmc", "mcp", "ip", "tip") if finger == "thumb" else ("mcp", "pip", "dip", "tip")
        numbered = f"{finger}{number.index(place) + 1}"
        return (f"{side}{part}", f"{side}hand{numbered}", f"{side}{numbered}", f"{side}{part.replace('_', '')}")
    others = {"shoulder": ("arm", "uparm", "upperarm"), "elbow": ("forearm", "lowerarm", "lowarm"), "wrist": ("hand",)}
    first = (part, *others[part]) if part == "wrist" else (*others.get(part, ()), part)
    return tuple(f"{side}{name}" for name in first)


def _estimate_hands(out: np.ndarray, missing: Sequence[str]) -> None:
    """Fill in hand roots (on the way to the middle knuckle) and finger tips (straight on)."""
    ways = {f"{side}_hand": (INDEX[f"{side}_wrist"], INDEX[f"{side}_middle_mcp"]) for side in SIDES}
    ways = {INDEX[joint]: way for joint, way in ways.items() if joint in missing}
    tips = [INDEX[joint] for joint in missing if joint.endswith("_tip")]
    for joint, (origin, target) in (ways | {tip: (PARENTS[PARENTS[tip]], PARENTS[tip]) for tip in tips}).items():
        along = _unit(out[:, target] - out[:, origin]) * float(BONE_LENGTHS[joint - 1])
        out[:, joint] = out[:, PARENTS[joint]] + along


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.rsplit(":", 1)[-1].lower())


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _SHORTEST)
