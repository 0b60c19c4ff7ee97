"""BEAT2 motion: SMPL-X axis-angle poses in an `.npz`, retargeted to the 52 joints.

SMPL-X axes are ours: y up, z where the body faces, x to its left; in its rest pose arms point sideways, palms down,
and every joint's frame is the world's. Its rest offsets belong to a licensed body model that is not needed here: the
rotations are kept and the bones are ours, so lengths and knuckles are average, not the speaker's.
Rotations are taken against the upper spine (`spine3`), which is the trunk's frame. Hand rotations are read as they
stand, zero being a straight finger.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import mul

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from gannb.data.arrays import Arrays
from gannb.experiments.motion.data.clips import MotionDataError
from gannb.experiments.motion.data.retarget import check_finite, check_rate, standardise
from gannb.experiments.motion.kinematics import forward_kinematics
from gannb.experiments.motion.skeleton import ANGLES, JOINTS, PARENTS

BODY = {"spine3": 9, "neck": 12, "left_collar": 13, "right_collar": 14, "head": 15, "left_shoulder": 16}
BODY |= {"right_shoulder": 17, "left_elbow": 18, "right_elbow": 19, "left_wrist": 20, "right_wrist": 21}
FINGERS = ("index", "middle", "little", "ring", "thumb")  # SMPL-X's order, three joints each
FIRST_HAND = {"left": 25, "right": 40}
N_JOINTS = 55
RATES = ("mocap_frame_rate", "mocap_framerate")
REST_ABDUCTION = {"thumb_cmc": 25.0, "index_mcp": 14.0, "ring_mcp": -12.0, "little_mcp": -24.0}
"""Degrees by which the fingers of SMPL-X's rest pose stand apart, each continuing its metacarpal: ours."""


def read(file: Arrays) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read a BEAT2 file.

    Returns:
        positions `[F, 52, 3]` at 15 fps, bone lengths `[51]`, notes.

    Raises:
        ArrayError: an array that cannot be read.
        MotionDataError: no `poses`; poses of another shape; NaN frames (named).
    """
    arrays = {name: file.read(name, finite=False) for name in ("poses", *RATES) if name in file}
    return from_arrays(arrays, file.path.name, list(file.headers))


def from_arrays(
    arrays: Mapping[str, np.ndarray], name: str, found: list[str] | None = None
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """As `read`, from arrays.

    Args:
        arrays: `poses` `[F, 165]` in radians and, by option, `mocap_frame_rate`.
        name: of the file, for messages.
        found: the names of all arrays in the file; those of `arrays` by default.

    Raises:
        MotionDataError: no poses, another shape, values that are not finite, a frame rate out of range.
    """
    if "poses" not in arrays:
        keys = ", ".join(found or arrays) or "nothing"
        raise MotionDataError(
            f"{name}: no `poses` in it (found: {keys}); save SMPL-X axis-angle poses [F, 165] as `poses`"
        )
    poses = np.asarray(arrays["poses"], dtype=np.float64)
    if poses.ndim != 2 or poses.shape[1] != 3 * N_JOINTS or not len(poses):
        raise MotionDataError(f"{name}: `poses` has shape {poses.shape}, expected [F, {3 * N_JOINTS}] (55 joints x 3)")
    check_finite(poses, name)
    stated = next((arrays[key] for key in RATES if key in arrays), None)
    rate = check_rate(30.0 if stated is None else stated, name)
    notes = ("no frame rate in it: taken as BEAT2's 30 fps" if stated is None else f"{rate:g} fps resampled to 15",)
    positions, lengths = standardise(_positions(poses.reshape(-1, N_JOINTS, 3)), rate, name)
    return positions, lengths, (*notes, "SMPL-X rotations on gannb's bones")


def _positions(poses: np.ndarray) -> np.ndarray:
    local = [Rotation.from_rotvec(poses[:, i]) for i in range(N_JOINTS)]
    rest, moved_by, out = _rest(), _moved_by(), np.zeros((len(poses), len(JOINTS), 3))
    for joint, parent in enumerate(PARENTS[1:], start=1):
        turned = reduce(mul, (local[i] for i in moved_by[JOINTS[joint]]))
        out[:, joint] = out[:, parent] + turned.apply(rest[joint] - rest[parent])
    return out


def _rest() -> np.ndarray:
    """The 52 joints in SMPL-X's rest pose: arms sideways, palms down, on our bones `[52, 3]`."""
    angles = torch.zeros(len(ANGLES), dtype=torch.float64)
    for side in ("left", "right"):
        angles[ANGLES.index(f"{side}_shoulder_abduction")] = np.pi / 2
        for joint, degrees in REST_ABDUCTION.items():
            angles[ANGLES.index(f"{side}_{joint}_abduction")] = np.deg2rad(degrees)
    return forward_kinematics(angles).numpy()


def _moved_by() -> dict[str, tuple[int, ...]]:
    """Our joint → the SMPL-X joints, from the spine on, that turn the bone which ends at it."""
    found = dict.fromkeys(("nose", "right_eye", "left_eye"), (BODY["neck"], BODY["head"]))
    for side, first in FIRST_HAND.items():
        limb = tuple(BODY[f"{side}_{joint}"] for joint in ("collar", "shoulder", "elbow", "wrist"))
        found |= {f"{side}_{ours}": limb[:i] for i, ours in enumerate(("shoulder", "elbow", "wrist", "hand"), start=1)}
        for finger, knuckle in zip(FINGERS, range(first, first + 15, 3), strict=True):
            joints = [name for name in JOINTS if name.startswith(f"{side}_{finger}_")]
            found |= {name: (*limb, *range(knuckle, knuckle + i)) for i, name in enumerate(joints)}
    return found
