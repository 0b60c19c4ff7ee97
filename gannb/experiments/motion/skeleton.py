"""The 52 joints of a speaker's upper body: names, bones, joint limits, and forward kinematics from 57 angles.

Axes: right-handed, metres; y up, z forward (where the speaker faces), x to the right as the viewer in front sees it,
which is the speaker's **left**. The origin is the neck, the frame is the trunk's: a pose holds no walking or swaying.

All angles zero is the neutral position of the AAOS: arms hanging, palms to the thighs, thumbs and nose forward.
Angles carry the anatomical sign, the same on both sides; the mirroring happens once, in `_sides`:

- shoulder: flexion + forward, abduction + sideways, rotation + inwards; in that order, each about the moved axis
- elbow: flexion +; forearm: pronation +; wrist: flexion + to the palm, deviation + to the little finger
- fingers: flexion + to the palm, abduction + to the thumb's side
- thumb: CMC flexion + across the palm, abduction + out of the palm's plane; zero is 30 degrees beside the index
- neck: flexion + chin to chest, side + to the speaker's left, rotation + to the speaker's left

Sources: segment proportions, Drillis & Contini (1966), for a height of 1.75 m; finger bones, Buryanov & Kotiuk (2010);
limits, the AAOS norms and hand-clinic norms. Marked `ours`: estimates that these tables do not give. The directions of
the bones that never turn (neck to shoulder, metacarpals, face) are ours too.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

FINGERS = ("thumb", "index", "middle", "ring", "little")
SIDES = ("left", "right")


def _hand(side: str) -> list[str]:
    thumb = [f"{side}_thumb_{part}" for part in ("cmc", "mcp", "ip", "tip")]
    rest = [f"{side}_{finger}_{part}" for finger in FINGERS[1:] for part in ("mcp", "pip", "dip", "tip")]
    return [f"{side}_hand", *thumb, *rest]


JOINTS: tuple[str, ...] = (
    "neck",
    *("right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist"),
    *("nose", "right_eye", "left_eye"),
    *_hand("left"),
    *_hand("right"),
)
"""Names of the 52 joints, in the order of every array of positions."""

INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINTS)}


def _hand_parents(root: int, wrist: int) -> list[int]:
    fingers = [[root, first, first + 1, first + 2] for first in range(root + 1, root + 21, 4)]
    return [wrist, *(parent for finger in fingers for parent in finger)]


PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 7, *_hand_parents(10, 6), *_hand_parents(31, 3))
"""Parent of each joint; -1 for the root. A parent always comes before its children."""

BODY: tuple[int, ...] = tuple(range(10))
LEFT_HAND: tuple[int, ...] = tuple(range(10, 31))
RIGHT_HAND: tuple[int, ...] = tuple(range(31, 52))
HANDS: tuple[int, ...] = LEFT_HAND + RIGHT_HAND

_FINGER_LENGTHS = {
    "thumb": (0.030, 0.046, 0.032, 0.022),  # the first, root to CMC, is ours
    "index": (0.095, 0.040, 0.022, 0.016),  # the first is metacarpal + 0.027 of carpus (ours)
    "middle": (0.092, 0.045, 0.026, 0.017),
    "ring": (0.085, 0.041, 0.026, 0.017),
    "little": (0.080, 0.033, 0.018, 0.016),
}
_ARM_LENGTHS = (0.19, 0.33, 0.26)  # neck-shoulder, upper arm, forearm
_FACE_LENGTHS = (0.20, 0.05, 0.05)  # neck-nose, nose-eye, nose-eye: ours
_HAND_LENGTHS = (0.02, *(bone for finger in FINGERS for bone in _FINGER_LENGTHS[finger]))  # wrist-root: ours

BONE_LENGTHS: Tensor = torch.tensor([*_ARM_LENGTHS, *_ARM_LENGTHS, *_FACE_LENGTHS, *_HAND_LENGTHS, *_HAND_LENGTHS])
"""Rest lengths `[51]` in metres; bone i ends at joint i + 1."""

_ARM_LIMITS = {
    "shoulder_flexion": (-60, 180),
    "shoulder_abduction": (0, 180),
    "shoulder_rotation": (-90, 70),
    "elbow_flexion": (0, 150),
    "forearm_pronation": (-70, 85),
    "wrist_flexion": (-70, 80),
    "wrist_deviation": (-20, 35),
}
_THUMB_LIMITS = {
    "thumb_cmc_flexion": (-15, 50),  # ours
    "thumb_cmc_abduction": (0, 60),
    "thumb_mcp_flexion": (-10, 55),
    "thumb_ip_flexion": (-15, 80),
}
_FINGER_LIMITS = {
    "mcp_flexion": (-45, 90),
    "mcp_abduction": (-20, 20),  # ours
    "pip_flexion": (0, 100),
    "dip_flexion": (0, 90),
}
_NECK_LIMITS = {"neck_flexion": (-45, 45), "neck_side": (-45, 45), "neck_rotation": (-60, 60)}

_SIDE_LIMITS = {
    **_ARM_LIMITS,
    **_THUMB_LIMITS,
    **{f"{finger}_{angle}": limit for finger in FINGERS[1:] for angle, limit in _FINGER_LIMITS.items()},
}
LIMITS_DEGREES: dict[str, tuple[float, float]] = {
    **{f"{side}_{name}": limit for side in SIDES for name, limit in _SIDE_LIMITS.items()},
    **_NECK_LIMITS,
}
"""Name of each of the 57 angles to its (least, most) in degrees: 27 left, 27 right, 3 of the neck."""

ANGLES: tuple[str, ...] = tuple(LIMITS_DEGREES)
LIMITS: Tensor = torch.deg2rad(torch.tensor([*LIMITS_DEGREES.values()], dtype=torch.float64)).float()
"""Limits `[57, 2]` in radians (least, most), in the order of `ANGLES`."""

BODY_ANGLES: tuple[int, ...] = (*range(7), *range(27, 34), *range(54, 57))
HAND_ANGLES: tuple[int, ...] = (*range(7, 27), *range(34, 54))

HINGES: tuple[str, ...] = tuple(
    f"{side}_{joint}"
    for side in SIDES
    for joint in ("thumb_mcp", "thumb_ip", *(f"{f}_{part}" for f in FINGERS[1:] for part in ("pip", "dip")))
)
"""The 20 finger joints that bend in one plane only."""

ANGLE_JOINTS: tuple[int, ...] = tuple(
    INDEX["neck"]
    if name.startswith("neck")
    else INDEX[
        name.rsplit("_", 1)[0].replace("forearm", "wrist")  # pronation shows at the wrist
    ]
    for name in ANGLES
)
"""The joint at which each angle acts, for showing a violation where it is."""

STRAIGHT = math.radians(3.0)
"""Below this elbow flexion, positions tell only the sum of shoulder rotation and pronation."""

_SHOULDER = (0.95, -math.sqrt(1 - 0.95**2), 0.0)  # to the left, and a little down
_NOSE = (0.8, 0.6)  # up, forward
_EYE = (0.63, 0.70, -math.sqrt(1 - 0.63**2 - 0.70**2))  # left, up, back
_CMC = (-0.30, -0.60, math.sqrt(1 - 0.30**2 - 0.60**2))  # to the palm, distal, to the thumb's side
_METACARPALS = tuple(math.radians(a) for a in (14.0, 0.0, -12.0, -24.0))  # fan of the knuckles, + to the thumb

_SIDE_JOINTS = torch.tensor([[4, 5, 6, *LEFT_HAND], [1, 2, 3, *RIGHT_HAND]])  # shoulder, elbow, wrist, hand 21
_MIRROR = torch.tensor([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])  # left as is, right mirrored

# Within this module the three axes come first, `[3, ...]`: sums over a last axis of three are slow.

Frame = tuple[Tensor, Tensor, Tensor]
"""A rotation as its three columns `[3, ...]`: where the x, y and z axes have gone."""


# ----------------------------------------------------------------------------------------------------------------
# from angles to positions


def forward_kinematics(angles: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Turn joint angles into joint positions, differentiably.

    Args:
        angles: `[..., 57]` radians, in the order of `ANGLES`. Nothing is clamped here.
        lengths: bone lengths `[51]` or `[..., 51]` in metres; `BONE_LENGTHS` when None.

    Returns:
        `[..., 52, 3]` metres, the neck at the origin.
    """
    if angles.shape[-1] != len(ANGLES):
        raise ValueError(f"angles: last axis is {angles.shape[-1]}, expected {len(ANGLES)} (skeleton.ANGLES)")
    lengths = (BONE_LENGTHS if lengths is None else lengths).to(angles)
    if lengths.shape[-1] != len(BONE_LENGTHS):
        raise ValueError(f"lengths: last axis is {lengths.shape[-1]}, expected {len(BONE_LENGTHS)} bones")
    lengths = lengths.expand(*angles.shape[:-1], len(BONE_LENGTHS))
    side_lengths = lengths[..., _SIDE_JOINTS.to(angles.device) - 1]  # [..., 2, 24]
    sides = _sides(_arm_positions(angles[..., :54].unflatten(-1, (2, 27)), side_lengths))
    face = _face_positions(angles[..., 54:], lengths[..., 6:9])
    neck = torch.zeros_like(face[..., :1])
    left, right = sides.unbind(-2)
    joints = torch.cat([neck, right[..., :3], left[..., :3], face, left[..., 3:], right[..., 3:]], dim=-1)
    return joints.movedim(0, -1).contiguous()


def within_limits(raw: Tensor) -> Tensor:
    """Squash unbounded numbers `[..., 57]` into the joint limits, radians: every pose that follows is possible."""
    low, high = LIMITS.to(raw).unbind(-1)
    return low + (high - low) * torch.sigmoid(raw)


def _arm_positions(angles: Tensor, lengths: Tensor) -> Tensor:
    """Both arms and hands as left ones: angles `[..., 2, 27]`, lengths `[..., 2, 24]` → `[3, ..., 2, 24]`."""
    arm, thumb, fingers = angles[..., :7], angles[..., 7:11], angles[..., 11:].unflatten(-1, (4, 4))
    flexion, abduction, rotation, elbow, pronation, wrist, deviation = arm.unbind(-1)

    upper = _turn(_turn(_turn(_upright(flexion), 0, -flexion), 2, abduction), 1, -rotation)
    fore = _turn(upper, 0, -elbow)
    hand = _turn(_turn(_turn(fore, 1, -pronation), 2, -wrist), 0, deviation)

    shoulder = _vector(_SHOULDER, flexion) * lengths[..., 0]
    elbow_at = shoulder - upper[1] * lengths[..., 1]
    wrist_at = elbow_at - fore[1] * lengths[..., 2]
    root = wrist_at - hand[1] * lengths[..., 3]
    hand_joints = [_thumb(thumb, hand, root, lengths[..., 4:8])]
    hand_joints += [_fingers(fingers, hand, root, lengths[..., 8:].unflatten(-1, (4, 4)))]
    return torch.cat([torch.stack([shoulder, elbow_at, wrist_at, root], dim=-1), *hand_joints], dim=-1)


def _thumb(angles: Tensor, hand: Frame, root: Tensor, lengths: Tensor) -> Tensor:
    flexion, abduction, mcp, ip = angles.unbind(-1)
    cmc = root + _along(hand, *_CMC) * lengths[..., 0]
    frame = _turn(_turn(hand, 2, -abduction), 0, flexion - math.radians(30.0))
    joints = [cmc]
    for bend, length in zip((None, mcp, ip), lengths[..., 1:].unbind(-1), strict=True):
        frame = frame if bend is None else _turn(frame, 0, bend)
        joints.append(joints[-1] - frame[1] * length)
    return torch.stack(joints, dim=-1)


def _fingers(angles: Tensor, hand: Frame, root: Tensor, lengths: Tensor) -> Tensor:
    """The four fingers at once: angles and lengths `[..., 4 fingers, 4]` → `[3, ..., 16]`."""
    mcp, abduction, pip, dip = angles.unbind(-1)
    hand = tuple(axis[..., None] for axis in hand)
    fan = angles.new_tensor(_METACARPALS)
    knuckle = root[..., None] + (hand[2] * fan.sin() - hand[1] * fan.cos()) * lengths[..., 0]
    frame = _turn(_turn(hand, 2, -mcp), 0, -abduction)
    joints = [knuckle]
    for bend, length in zip((None, pip, dip), lengths[..., 1:].unbind(-1), strict=True):
        frame = frame if bend is None else _turn(frame, 2, -bend)
        joints.append(joints[-1] - frame[1] * length)
    return torch.stack(joints, dim=-1).flatten(-2)


def _face_positions(angles: Tensor, lengths: Tensor) -> Tensor:
    """Nose, right eye, left eye `[3, ..., 3]`."""
    flexion, side, rotation = angles.unbind(-1)
    head = _turn(_turn(_turn(_upright(flexion), 1, rotation), 0, flexion), 2, -side)
    nose = _along(head, 0.0, *_NOSE) * lengths[..., 0]
    x, y, z = _EYE
    right = nose + _along(head, -x, y, z) * lengths[..., 1]
    left = nose + _along(head, x, y, z) * lengths[..., 2]
    return torch.stack([nose, right, left], dim=-1)


def _sides(points: Tensor) -> Tensor:
    """Mirror the right side of `[3, ..., 2, joints]`: the one place where left and right differ. Its own inverse."""
    return points * _MIRROR.to(points).T.reshape(3, *[1] * (points.ndim - 3), 2, 1)


def _upright(like: Tensor) -> Frame:
    return tuple(torch.eye(3).to(like).reshape(3, 3, *[1] * like.ndim).expand(3, 3, *like.shape).unbind(0))


def _turn(frame: Frame, axis: int, angle: Tensor) -> Frame:
    """Turn a frame about its own axis (0 x, 1 y, 2 z) by `angle` radians."""
    cos, sin = angle.cos(), angle.sin()
    columns = list(frame)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    columns[i], columns[j] = frame[i] * cos + frame[j] * sin, frame[j] * cos - frame[i] * sin
    return tuple(columns)


def _along(frame: Frame, x: float, y: float, z: float) -> Tensor:
    return frame[0] * x + frame[1] * y + frame[2] * z


def _vector(values: tuple[float, ...], like: Tensor) -> Tensor:
    return like.new_tensor(values).reshape(-1, *[1] * like.ndim)


# ----------------------------------------------------------------------------------------------------------------
# from positions back to angles and lengths


def bone_lengths(positions: Tensor) -> Tensor:
    """Measure the bones `[..., 51]` of positions `[..., 52, 3]`, metres."""
    joints = _axes_first(positions)
    parents = joints.index_select(-1, torch.tensor(PARENTS[1:], device=joints.device))
    return (joints[..., 1:] - parents).square().sum(0).clamp_min(1e-16).sqrt()


def bone_violation(positions: Tensor, rest: Tensor | None = None) -> Tensor:
    """How far each bone is from its rest length, |length / rest - 1|, `[..., 51]`; `rest` is `[51]` or `[..., 51]`."""
    rest = BONE_LENGTHS if rest is None else rest
    return (bone_lengths(positions) / rest.to(positions) - 1).abs()


def joint_angles(positions: Tensor) -> Tensor:
    """Read the 57 angles `[..., 57]` (radians) from positions `[..., 52, 3]`: the inverse of `forward_kinematics`.

    Exact for poses within the limits, whatever the bone lengths, but for two blind spots: with the elbow straighter
    than `STRAIGHT` only the sum of shoulder rotation and pronation shows (it is given to pronation first), and with
    the arm abducted by exactly 90 degrees only a sum of flexion and rotation. Differentiable; finite everywhere.
    """
    return read(positions)[0]


def hinge_deviation(positions: Tensor) -> Tensor:
    """Sideways bend `[..., 20]` (radians) of the finger joints that are hinges (`HINGES`); 0 in a possible hand."""
    return read(positions)[1]


def read(positions: Tensor) -> tuple[Tensor, Tensor]:
    """Both of these at the price of one: `joint_angles` `[..., 57]` and `hinge_deviation` `[..., 20]`, radians."""
    joints = _axes_first(positions)
    chosen = joints.index_select(-1, _SIDE_JOINTS.flatten().to(joints.device)).unflatten(-1, _SIDE_JOINTS.shape)
    sides = _sides(chosen)
    arms, hand = _read_arm(sides)
    thumb, thumb_off = _read_thumb(sides[..., 4:8], hand)
    fingers, off = _read_fingers(sides[..., 8:].unflatten(-1, (4, 4)), hand)
    both = torch.cat([arms, thumb, fingers], dim=-1).flatten(-2)
    return torch.cat([both, _read_neck(joints)], dim=-1), torch.cat([thumb_off, off], dim=-1).flatten(-2)


def limit_violation(angles: Tensor) -> Tensor:
    """How far each angle `[..., 57]` (radians) is beyond its limits; 0 within them."""
    low, high = LIMITS.to(angles).unbind(-1)
    return (low - angles).clamp_min(0) + (angles - high).clamp_min(0)


def _read_arm(joints: Tensor) -> tuple[Tensor, Frame]:
    """Seven arm angles `[..., 2, 7]` and the hand's frame, from `[3, ..., 2, 24]` seen as left arms."""
    shoulder, elbow, wrist = (joints[..., i] for i in range(3))
    x, y, z = _unit(elbow - shoulder)
    abduction, flexion = _angle(x, _hypot(y, z)), _angle(z, -y)
    frame = _turn(_turn(_upright(flexion), 0, -flexion), 2, abduction)
    x, y, z = _within(frame, _unit(wrist - elbow))
    bend, rotation = _angle(_hypot(x, z), -y), _angle(-x, z)
    fore = _turn(_turn(frame, 1, -rotation), 0, -bend)

    hand = _hand_frame(joints)
    (m00, m10, m20), m11, m12 = _within(fore, hand[0]), _dot(fore[1], hand[1]), _dot(fore[1], hand[2])
    pronation, wrist_flexion, deviation = _angle(m20, m00), _angle(-m10, _hypot(m00, m20)), _angle(-m12, m11)

    four = _likelier(torch.stack([flexion, abduction, rotation, pronation], dim=-1), bend < STRAIGHT)
    flexion, abduction, rotation, pronation = four.unbind(-1)
    arm = [flexion, abduction, rotation, bend, pronation, wrist_flexion, deviation]
    return torch.stack(arm, dim=-1), hand


def _likelier(four: Tensor, straight: Tensor) -> Tensor:
    """Of the two readings (flexion, abduction, rotation, pronation) of one arm, the one that breaks fewer limits.

    Both make the same rotation. Where the elbow is straight, each shares rotation and pronation out as limits allow.
    """
    flexion, abduction, rotation, pronation = four.unbind(-1)
    readings = []
    for f, a, r in (
        (flexion, abduction, rotation),
        (flexion + math.pi, math.pi - abduction, rotation + math.pi),
    ):
        total = _wrap(r + pronation, sum(LIMITS[[2, 4]].mean(-1).tolist()))
        share = total.clamp(*LIMITS[4].tolist())
        r, p = torch.where(straight, total - share, r), torch.where(straight, share, pronation)
        readings.append(torch.stack([f, a, r, p], dim=-1))
    low, high = LIMITS[[0, 1, 2, 4]].to(four).unbind(-1)
    readings = [_wrap(r, (low + high) / 2) for r in readings]
    beyond = [((low - r).clamp_min(0) + (r - high).clamp_min(0)).sum(-1) for r in readings]
    return torch.where((beyond[0] <= beyond[1] + 1e-4)[..., None], *readings)


def _hand_frame(joints: Tensor) -> Frame:
    """The hand's frame from its root and the knuckles: the middle one shows its length, index and little its width."""
    root, index, middle, little = (joints[..., i] for i in (3, 8, 12, 20))
    y = _unit(root - middle)
    across = index - little
    z = _unit(across - _dot(across, y) * y)
    return torch.linalg.cross(y, z, dim=0), y, z


def _read_thumb(joints: Tensor, hand: Frame) -> tuple[Tensor, Tensor]:
    bones = _unit(joints[..., 1:] - joints[..., :-1])
    abduction, side = _bend(hand, bones[..., 0])
    frame = _turn(_turn(hand, 2, -abduction), 0, -side)
    angles, off = [math.radians(30.0) - side, abduction], []
    for bone in bones[..., 1:].unbind(-1):
        x, y, z = _within(frame, bone)
        flexion, sideways = _angle(-z, -y), _angle(-x, _hypot(y, z))
        frame = _turn(_turn(frame, 0, flexion), 2, -sideways)
        angles.append(flexion)
        off.append(sideways)
    return torch.stack(angles, dim=-1), torch.stack(off, dim=-1)


def _read_fingers(joints: Tensor, hand: Frame) -> tuple[Tensor, Tensor]:
    """Sixteen angles and eight sideways bends from `[3, ..., 2, 4 fingers, 4]`."""
    bones = _unit(joints[..., 1:] - joints[..., :-1])
    frame = tuple(axis[..., None] for axis in hand)
    angles, off = [], []
    for bone in bones.unbind(-1):
        flexion, side = _bend(frame, bone)
        frame = _turn(_turn(frame, 2, -flexion), 0, -side)
        angles.append(flexion)
        off.append(side)
    angles.insert(1, off.pop(0))  # at the knuckle, sideways is abduction
    return torch.stack(angles, dim=-1).flatten(-2), torch.stack(off, dim=-1).flatten(-2)


def _read_neck(joints: Tensor) -> Tensor:
    nose, right, left = (joints[..., i] - joints[..., 0] for i in (7, 8, 9))
    x = _unit(left - right)
    forward = _unit(nose - _dot(nose, x) * x)
    across = torch.linalg.cross(x, forward, dim=0)
    y, z = forward * _NOSE[0] - across * _NOSE[1], forward * _NOSE[1] + across * _NOSE[0]
    # the frame is Ry(rotation) Rx(flexion) Rz(-side)
    flexion = _angle(-z[1], _hypot(z[0], z[2]))
    return torch.stack([flexion, _angle(-x[1], y[1]), _angle(z[0], z[2])], dim=-1)


def _bend(frame: Frame, bone: Tensor) -> tuple[Tensor, Tensor]:
    """Bend to the palm and to the thumb's side of a bone, against a frame whose -y is straight."""
    x, y, z = _within(frame, bone)
    return _angle(-x, -y), _angle(z, _hypot(x, y))


def _within(frame: Frame, vector: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(_dot(axis, vector) for axis in frame)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(0)


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.square().sum(0, keepdim=True).clamp_min(1e-16).sqrt()


def _hypot(a: Tensor, b: Tensor) -> Tensor:
    return (a.square() + b.square()).clamp_min(1e-16).sqrt()


def _angle(y: Tensor, x: Tensor) -> Tensor:
    """atan2 with a gradient of 0, not NaN, where both are 0."""
    return torch.atan2(y, torch.where(x.square() + y.square() < 1e-16, torch.ones_like(x), x))


def _wrap(angle: Tensor, centre: Tensor | float) -> Tensor:
    """Bring an angle within half a turn of `centre`."""
    return torch.remainder(angle - centre + math.pi, 2 * math.pi) - math.pi + centre


def _axes_first(positions: Tensor) -> Tensor:
    """Positions `[..., 52, 3]` as `[3, ..., 52]`."""
    if positions.shape[-2:] != (len(JOINTS), 3):
        raise ValueError(f"positions: shape {tuple(positions.shape)}, expected [..., {len(JOINTS)} joints, 3 axes]")
    return positions.movedim(-1, 0).contiguous()
