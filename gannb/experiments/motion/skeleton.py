"""The 52 joints of a speaker's upper body and its 57 joint angles: names, bone lengths, limits.

Axes: right-handed, metres; y up, z forward (where the speaker faces), x to the right as the viewer in front sees it,
which is the speaker's **left**. The origin is the neck, the frame is the trunk's: a pose holds no walking or swaying.

All angles zero is the neutral position of the AAOS: arms hanging, palms to the thighs, thumbs and nose forward.
Angles carry the anatomical sign, the same on both sides (`kinematics` mirrors the right side):

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

_FINGER_LIMITS = {
    "mcp_flexion": (-45, 90),
    "mcp_abduction": (-20, 20),  # ours
    "pip_flexion": (0, 100),
    "dip_flexion": (0, 90),
}
_SIDE_LIMITS = {
    "shoulder_flexion": (-60, 180),
    "shoulder_abduction": (0, 180),
    "shoulder_rotation": (-90, 70),
    "elbow_flexion": (0, 150),
    "forearm_pronation": (-70, 85),
    "wrist_flexion": (-70, 80),
    "wrist_deviation": (-20, 35),
    "thumb_cmc_flexion": (-15, 50),  # ours
    "thumb_cmc_abduction": (0, 60),
    "thumb_mcp_flexion": (-10, 55),
    "thumb_ip_flexion": (-15, 80),
    **{f"{finger}_{angle}": limit for finger in FINGERS[1:] for angle, limit in _FINGER_LIMITS.items()},
}
_NECK_LIMITS = {"neck_flexion": (-45, 45), "neck_side": (-45, 45), "neck_rotation": (-60, 60)}
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

ANGLE_JOINTS: tuple[int, ...] = tuple(INDEX[name.rsplit("_", 1)[0].replace("forearm", "wrist")] for name in ANGLES)
"""The joint at which each angle acts, for showing a violation where it is; pronation shows at the wrist."""
