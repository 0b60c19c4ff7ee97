"""Between 57 joint angles and the positions of 52 joints, both ways, differentiably.

Conventions of axes and angles are those of `skeleton`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gannb.experiments.motion.rotations import Frame, along, angle_of, dot, hypot, turn, unit, upright, within
from gannb.experiments.motion.skeleton import ANGLES, BONE_LENGTHS, JOINTS, LEFT_HAND, LIMITS, PARENTS, RIGHT_HAND
from gannb.networks.constants import constant

STRAIGHT = math.radians(3.0)
"""Below this elbow flexion, positions tell only the sum of shoulder rotation and pronation."""

_SHOULDER = (0.95, -math.sqrt(1 - 0.95**2), 0.0)  # to the left, and a little down
_NOSE = (0.8, 0.6)  # up, forward
_EYE = (0.63, 0.70, -math.sqrt(1 - 0.63**2 - 0.70**2))  # left, up, back
_CMC = (-0.30, -0.60, math.sqrt(1 - 0.30**2 - 0.60**2))  # to the palm, distal, to the thumb's side
_METACARPALS = tuple(math.radians(a) for a in (14.0, 0.0, -12.0, -24.0))  # fan of the knuckles, + to the thumb

_SIDE_JOINTS = torch.tensor([[4, 5, 6, *LEFT_HAND], [1, 2, 3, *RIGHT_HAND]])  # shoulder, elbow, wrist, hand 21
_ROTATION_MIDDLE = sum(LIMITS[[2, 4]].mean(-1).tolist())  # of shoulder rotation and pronation together
_PRONATION: tuple[float, ...] = tuple(LIMITS[4].tolist())
_FOUR_LIMITS = LIMITS[[0, 1, 2, 4]]  # of flexion, abduction, rotation, pronation
_MIRROR = torch.tensor([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])  # left as is, right mirrored

# Within this module the three axes come first, `[3, ...]`, as in `rotations`.


# ----------------------------------------------------------------------------------------------------------------
# from angles to positions


def forward_kinematics(angles: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Turn joint angles into joint positions, differentiably.

    Args:
        angles: `[..., 57]` radians, in the order of `ANGLES`. Nothing is clamped here.
        lengths: bone lengths `[51]` or `[..., 51]` in metres; `BONE_LENGTHS` when None.

    Returns:
        `[..., 52, 3]` metres, the neck at the origin.

    Raises:
        ValueError: another number of angles or bones.
    """
    if angles.shape[-1] != len(ANGLES):
        raise ValueError(f"angles: last axis is {angles.shape[-1]}, expected {len(ANGLES)} (skeleton.ANGLES)")
    lengths = constant(BONE_LENGTHS, angles.device, angles.dtype) if lengths is None else lengths.to(angles)
    if lengths.shape[-1] != len(BONE_LENGTHS):
        raise ValueError(f"lengths: last axis is {lengths.shape[-1]}, expected {len(BONE_LENGTHS)} bones")
    lengths = lengths.expand(*angles.shape[:-1], len(BONE_LENGTHS))
    side_lengths = lengths[..., constant(_SIDE_JOINTS, angles.device) - 1]  # [..., 2, 24]
    sides = _sides(_arm_positions(angles[..., :54].unflatten(-1, (2, 27)), side_lengths))
    face = _face_positions(angles[..., 54:], lengths[..., 6:9])
    neck = torch.zeros_like(face[..., :1])
    left, right = sides.unbind(-2)
    joints = torch.cat([neck, right[..., :3], left[..., :3], face, left[..., 3:], right[..., 3:]], dim=-1)
    return joints.movedim(0, -1).contiguous()


def within_limits(raw: Tensor) -> Tensor:
    """Squash unbounded numbers `[..., 57]` into the joint limits, radians: every pose that follows is possible."""
    low, high = constant(LIMITS, raw.device, raw.dtype).unbind(-1)
    return low + (high - low) * torch.sigmoid(raw)


def _arm_positions(angles: Tensor, lengths: Tensor) -> Tensor:
    """Both arms and hands as left ones: angles `[..., 2, 27]`, lengths `[..., 2, 24]` → `[3, ..., 2, 24]`."""
    limb, thumb, fingers = angles[..., :7], angles[..., 7:11], angles[..., 11:].unflatten(-1, (4, 4))
    flexion, abduction, rotation, elbow, pronation, wrist, deviation = limb.unbind(-1)

    upper = turn(turn(upright(0, -flexion), 2, abduction), 1, -rotation)
    fore = turn(upper, 0, -elbow)
    hand = turn(turn(turn(fore, 1, -pronation), 2, -wrist), 0, deviation)

    shoulder = _vector(_SHOULDER, flexion) * lengths[..., 0]
    elbow_at = shoulder - upper[1] * lengths[..., 1]
    wrist_at = elbow_at - fore[1] * lengths[..., 2]
    root = wrist_at - hand[1] * lengths[..., 3]
    hand_joints = [_thumb(thumb, hand, root, lengths[..., 4:8])]
    hand_joints += [_fingers(fingers, hand, root, lengths[..., 8:].unflatten(-1, (4, 4)))]
    return torch.cat([torch.stack([shoulder, elbow_at, wrist_at, root], dim=-1), *hand_joints], dim=-1)


def _thumb(angles: Tensor, hand: Frame, root: Tensor, lengths: Tensor) -> Tensor:
    flexion, abduction, mcp, ip = angles.unbind(-1)
    cmc = root + along(hand, *_CMC) * lengths[..., 0]
    frame = turn(turn(hand, 2, -abduction), 0, flexion - math.radians(30.0))
    joints = [cmc]
    for bend, length in zip((None, mcp, ip), lengths[..., 1:].unbind(-1), strict=True):
        frame = frame if bend is None else turn(frame, 0, bend)
        joints.append(joints[-1] - frame[1] * length)
    return torch.stack(joints, dim=-1)


def _fingers(angles: Tensor, hand: Frame, root: Tensor, lengths: Tensor) -> Tensor:
    """The four fingers at once: angles and lengths `[..., 4 fingers, 4]` → `[3, ..., 16]`."""
    mcp, abduction, pip, dip = angles.unbind(-1)
    hand = tuple(axis[..., None] for axis in hand)
    fan = constant(_METACARPALS, angles.device, angles.dtype)
    knuckle = root[..., None] + (hand[2] * fan.sin() - hand[1] * fan.cos()) * lengths[..., 0]
    frame = turn(turn(hand, 2, -mcp), 0, -abduction)
    joints = [knuckle]
    for bend, length in zip((None, pip, dip), lengths[..., 1:].unbind(-1), strict=True):
        frame = frame if bend is None else turn(frame, 2, -bend)
        joints.append(joints[-1] - frame[1] * length)
    return torch.stack(joints, dim=-1).flatten(-2)


def _face_positions(angles: Tensor, lengths: Tensor) -> Tensor:
    """Nose, right eye, left eye `[3, ..., 3]`."""
    flexion, side, rotation = angles.unbind(-1)
    head = turn(turn(upright(1, rotation), 0, flexion), 2, -side)
    nose = along(head, 0.0, *_NOSE) * lengths[..., 0]
    x, y, z = _EYE
    right = nose + along(head, -x, y, z) * lengths[..., 1]
    left = nose + along(head, x, y, z) * lengths[..., 2]
    return torch.stack([nose, right, left], dim=-1)


def _sides(points: Tensor) -> Tensor:
    """Mirror the right side of `[3, ..., 2, joints]`: the one place where left and right differ. Its own inverse."""
    return points * constant(_MIRROR, points.device, points.dtype).T.reshape(3, *[1] * (points.ndim - 3), 2, 1)


def _vector(values: tuple[float, ...], like: Tensor) -> Tensor:
    return constant(values, like.device, like.dtype).reshape(-1, *[1] * like.ndim)


# ----------------------------------------------------------------------------------------------------------------
# from positions back to angles and lengths


def bone_lengths(positions: Tensor) -> Tensor:
    """Measure the bones `[..., 51]` of positions `[..., 52, 3]`, metres."""
    joints = _axes_first(positions)
    parents = joints.index_select(-1, constant(tuple(PARENTS[1:]), joints.device))
    return (joints[..., 1:] - parents).square().sum(0).clamp_min(1e-16).sqrt()


def with_bones(positions: Tensor, lengths: Tensor) -> Tensor:
    """Keep each bone's direction and give it its length: `[..., 52, 3]` and `[..., 51]` → `[..., 52, 3]`."""
    parents = positions.index_select(-2, constant(tuple(PARENTS[1:]), positions.device))
    bones = torch.nn.functional.normalize(positions[..., 1:, :] - parents, dim=-1) * lengths[..., None]
    joints = [positions[..., 0, :]]
    for parent, bone in zip(PARENTS[1:], bones.unbind(-2), strict=True):
        joints.append(joints[parent] + bone)
    return torch.stack(joints, dim=-2)


def bone_violation(positions: Tensor, rest: Tensor | None = None) -> Tensor:
    """How far each bone is from its rest length, |length / rest - 1|, `[..., 51]`; `rest` is `[51]` or `[..., 51]`."""
    rest = constant(BONE_LENGTHS, positions.device) if rest is None else rest
    return (bone_lengths(positions) / rest.to(positions) - 1).abs()


def joint_angles(positions: Tensor) -> Tensor:
    """Read the 57 angles `[..., 57]` (radians) from positions `[..., 52, 3]`: the inverse of `forward_kinematics`.

    Exact for poses within the limits, whatever the bone lengths, but for two blind spots: with the elbow straighter
    than `STRAIGHT` only the sum of shoulder rotation and pronation shows (it is given to pronation first), and with
    a shoulder abducted by exactly 90 degrees only a sum of flexion and rotation. Differentiable; finite everywhere.
    """
    return read(positions)[0]


def hinge_deviation(positions: Tensor) -> Tensor:
    """Sideways bend `[..., 20]` (radians) of the finger joints that are hinges (`HINGES`); 0 in a possible hand."""
    return read(positions)[1]


def read(positions: Tensor) -> tuple[Tensor, Tensor]:
    """Both of these at the price of one: `joint_angles` `[..., 57]` and `hinge_deviation` `[..., 20]`, radians."""
    joints = _axes_first(positions)
    chosen = joints.index_select(-1, constant(_SIDE_JOINTS, joints.device).flatten()).unflatten(-1, _SIDE_JOINTS.shape)
    sides = _sides(chosen)
    limbs, hand = _read_limb(sides)
    thumb, thumb_off = _read_thumb(sides[..., 4:8], hand)
    fingers, off = _read_fingers(sides[..., 8:].unflatten(-1, (4, 4)), hand)
    both = torch.cat([limbs, thumb, fingers], dim=-1).flatten(-2)
    return torch.cat([both, _read_neck(joints)], dim=-1), torch.cat([thumb_off, off], dim=-1).flatten(-2)


def limit_violation(angles: Tensor) -> Tensor:
    """How far each angle `[..., 57]` (radians) is beyond its limits; 0 within them."""
    low, high = constant(LIMITS, angles.device, angles.dtype).unbind(-1)
    return (low - angles).clamp_min(0) + (angles - high).clamp_min(0)


def _read_limb(joints: Tensor) -> tuple[Tensor, Frame]:
    """Seven angles from shoulder to wrist `[..., 2, 7]` and the hand's frame, of `[3, ..., 2, 24]` seen as left."""
    shoulder, elbow, wrist = (joints[..., i] for i in range(3))
    x, y, z = unit(elbow - shoulder)
    abduction, flexion = angle_of(x, hypot(y, z)), angle_of(z, -y)
    frame = turn(upright(0, -flexion), 2, abduction)
    x, y, z = within(frame, unit(wrist - elbow))
    bend, rotation = angle_of(hypot(x, z), -y), angle_of(-x, z)
    fore = turn(turn(frame, 1, -rotation), 0, -bend)

    hand = _hand_frame(joints)
    (m00, m10, m20), m11, m12 = within(fore, hand[0]), dot(fore[1], hand[1]), dot(fore[1], hand[2])
    pronation, wrist_flexion, deviation = angle_of(m20, m00), angle_of(-m10, hypot(m00, m20)), angle_of(-m12, m11)

    four = _likelier(torch.stack([flexion, abduction, rotation, pronation], dim=-1), bend < STRAIGHT)
    flexion, abduction, rotation, pronation = four.unbind(-1)
    limb = [flexion, abduction, rotation, bend, pronation, wrist_flexion, deviation]
    return torch.stack(limb, dim=-1), hand


def _likelier(four: Tensor, straight: Tensor) -> Tensor:
    """Of the two readings (flexion, abduction, rotation, pronation) of one side, the one that breaks fewer limits.

    Both make the same rotation. Where the elbow is straight, each shares rotation and pronation out as limits allow.
    """
    flexion, abduction, rotation, pronation = four.unbind(-1)
    readings = []
    for f, a, r in (
        (flexion, abduction, rotation),
        (flexion + math.pi, math.pi - abduction, rotation + math.pi),
    ):
        total = _wrap(r + pronation, _ROTATION_MIDDLE)
        share = total.clamp(*_PRONATION)
        r, p = torch.where(straight, total - share, r), torch.where(straight, share, pronation)
        readings.append(torch.stack([f, a, r, p], dim=-1))
    low, high = constant(_FOUR_LIMITS, four.device, four.dtype).unbind(-1)
    readings = [_wrap(r, (low + high) / 2) for r in readings]
    beyond = [((low - r).clamp_min(0) + (r - high).clamp_min(0)).sum(-1) for r in readings]
    return torch.where((beyond[0] <= beyond[1] + 1e-4)[..., None], *readings)


def _hand_frame(joints: Tensor) -> Frame:
    """The hand's frame from its root and the knuckles: the middle one shows its length, index and little its width."""
    root, index, middle, little = (joints[..., i] for i in (3, 8, 12, 20))
    y = unit(root - middle)
    across = index - little
    z = unit(across - dot(across, y) * y)
    return torch.linalg.cross(y, z, dim=0), y, z


def _read_thumb(joints: Tensor, hand: Frame) -> tuple[Tensor, Tensor]:
    bones = unit(joints[..., 1:] - joints[..., :-1])
    abduction, side = _bend(hand, bones[..., 0])
    frame = turn(turn(hand, 2, -abduction), 0, -side)
    angles, off = [math.radians(30.0) - side, abduction], []
    for bone in bones[..., 1:].unbind(-1):
        if off:
            frame = turn(turn(frame, 0, angles[-1]), 2, -off[-1])
        x, y, z = within(frame, bone)
        angles.append(angle_of(-z, -y))
        off.append(angle_of(-x, hypot(y, z)))
    return torch.stack(angles, dim=-1), torch.stack(off, dim=-1)


def _read_fingers(joints: Tensor, hand: Frame) -> tuple[Tensor, Tensor]:
    """Sixteen angles and eight sideways bends from `[3, ..., 2, 4 fingers, 4]`."""
    bones = unit(joints[..., 1:] - joints[..., :-1])
    frame = tuple(axis[..., None] for axis in hand)
    angles, off = [], []
    for bone in bones.unbind(-1):
        if off:
            frame = turn(turn(frame, 2, -angles[-1]), 0, -off[-1])
        flexion, side = _bend(frame, bone)
        angles.append(flexion)
        off.append(side)
    angles.insert(1, off.pop(0))  # at the knuckle, sideways is abduction
    return torch.stack(angles, dim=-1).flatten(-2), torch.stack(off, dim=-1).flatten(-2)


def _read_neck(joints: Tensor) -> Tensor:
    nose, right, left = (joints[..., i] - joints[..., 0] for i in (7, 8, 9))
    x = unit(left - right)
    forward = unit(nose - dot(nose, x) * x)
    across = torch.linalg.cross(x, forward, dim=0)
    y, z = forward * _NOSE[0] - across * _NOSE[1], forward * _NOSE[1] + across * _NOSE[0]
    # the frame is Ry(rotation) Rx(flexion) Rz(-side)
    flexion = angle_of(-z[1], hypot(z[0], z[2]))
    return torch.stack([flexion, angle_of(-x[1], y[1]), angle_of(z[0], z[2])], dim=-1)


def _bend(frame: Frame, bone: Tensor) -> tuple[Tensor, Tensor]:
    """Bend to the palm and to the thumb's side of a bone, against a frame whose -y is straight."""
    x, y, z = within(frame, bone)
    return angle_of(-x, -y), angle_of(z, hypot(x, y))


def _wrap(angle: Tensor, centre: Tensor | float) -> Tensor:
    """Bring an angle within half a turn of `centre`."""
    return torch.remainder(angle - centre + math.pi, 2 * math.pi) - math.pi + centre


def _axes_first(positions: Tensor) -> Tensor:
    """Positions `[..., 52, 3]` as `[3, ..., 52]`."""
    if positions.shape[-2:] != (len(JOINTS), 3):
        raise ValueError(f"positions: shape {tuple(positions.shape)}, expected [..., {len(JOINTS)} joints, 3 axes]")
    return positions.movedim(-1, 0).contiguous()
