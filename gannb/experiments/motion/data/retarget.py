"""From another skeleton to the 52 joints: into the trunk's frame, onto 15 fps, with bones that keep their length."""

from __future__ import annotations

import numpy as np
import torch

from gannb.experiments.motion.data.clips import FPS, MotionDataError
from gannb.experiments.motion.skeleton import JOINTS, PARENTS, bone_lengths

_BONE_AXIS = 1e-9  # metres; a shorter bone has no direction


def standardise(positions: np.ndarray, fps: float, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Resample to 15 fps, move the neck to the origin, and give every bone its median length.

    Args:
        positions: `[F, 52, 3]` metres in the trunk's frame.
        fps: their frames per second.
        name: of the file, for messages.

    Returns:
        positions `[F', 52, 3]` and the lengths `[51]`, both float32.

    Raises:
        MotionDataError: NaN frames; fewer than two frames; a bone without length.
    """
    check_finite(positions, name)
    if len(positions) < 2:
        raise MotionDataError(f"{name}: {len(positions)} frames of motion, at least 2 are needed")
    positions = resample(positions - positions[:, :1], fps)
    lengths = np.median(bone_lengths(torch.from_numpy(positions)).numpy(), axis=0)
    if (lengths < 1e-5).any():
        bones = ", ".join(JOINTS[i + 1] for i in np.flatnonzero(lengths < 1e-5))
        raise MotionDataError(f"{name}: no length in the bone that ends at {bones}; two joints lie on each other")
    return rebuild(positions, lengths).astype(np.float32), lengths.astype(np.float32)


def rebuild(positions: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Keep each bone's direction and give it the length `[51]`: `[F, 52, 3]` → `[F, 52, 3]`."""
    out = np.zeros_like(positions)
    for joint, parent in enumerate(PARENTS[1:], start=1):
        bone = positions[:, joint] - positions[:, parent]
        bone = bone / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), _BONE_AXIS)
        out[:, joint] = out[:, parent] + bone * lengths[joint - 1]
    return out


def resample(positions: np.ndarray, fps: float, to: float = FPS) -> np.ndarray:
    """Interpolate `[F, ...]` linearly from `fps` to `to` frames per second; frame 0 stays frame 0."""
    if fps == to:
        return positions
    at = np.arange(int((len(positions) - 1) * to / fps + 1e-9) + 1) * fps / to
    before = np.minimum(at.astype(int), len(positions) - 1)
    after = np.minimum(before + 1, len(positions) - 1)
    share = (at - before).reshape(-1, *[1] * (positions.ndim - 1))
    return positions[before] * (1 - share) + positions[after] * share


def trunk_axes(left_shoulder: np.ndarray, right_shoulder: np.ndarray, up: np.ndarray) -> np.ndarray:
    """The trunk's axes `[F, 3, 3]` (rows x left, y up, z forward) from the line of the shoulders and a vector up."""
    x = _unit(left_shoulder - right_shoulder)
    y = _unit(up - (up * x).sum(-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], axis=-2)


def into(axes: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Express vectors `[F, K, 3]` in axes `[F, 3, 3]` (rows)."""
    return np.einsum("fij,fkj->fki", axes, vectors)


def check_finite(values: np.ndarray, name: str) -> None:
    """Raise a MotionDataError that names the frames of `[F, ...]` holding NaN or infinity."""
    bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    if len(bad):
        frames = ", ".join(map(str, bad[:8])) + (f" and {len(bad) - 8} more" if len(bad) > 8 else "")
        raise MotionDataError(
            f"{name}: NaN or infinite values in {len(bad)} of {len(values)} frames ({frames}); cut or mend them"
        )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _BONE_AXIS)
