"""A face embedder's `.npz`: read with every fault named, and written with cleaned features."""

from __future__ import annotations

from math import pi
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gannb.data.arrays import ANY, Arrays
from gannb.experiments.identity.faces import WIDTH, FaceDataError, Faces
from gannb.runs.files import write_with

REAL = "fiu"  # NumPy's letters of the types that are allowed
PoseUnit = Literal["auto", "degrees", "radians"]
NEEDED = {
    "features": f"[N, {WIDTH}], one row per face: use an embedder with {WIDTH} outputs (ArcFace, AdaFace, FaceNet-512)",
    "identity": "[N], one integer per face: names become numbers with np.unique(names, return_inverse=True)[1]",
    "pose": "[N, 3], yaw, pitch, roll in degrees: where only yaw is known, fill pitch and roll with 0",
}


def load(
    path: str | Path, *, pose_unit: PoseUnit = "auto", drop_singles: bool = False, need_identity: bool = True
) -> Faces:
    """Read a face embedder's `.npz`: `features [N, 512]`, `identity [N]` integers, `pose [N, 3]` in degrees.

    Args:
        path: the file.
        pose_unit: `"auto"` takes degrees and refuses angles that look like radians; the other two say which it is.
        drop_singles: leave identities with one image out instead of refusing the file.
        need_identity: False for features that are only to be cleaned; `identity` may then be missing or one person.

    Raises:
        FileNotFoundError: no such file.
        ValueError: anything in it that cannot be used, with what was found and what to do.
    """
    arrays = Arrays(path)
    features = arrays.read("features", REAL).astype(np.float32)
    _check(arrays, "features", features.ndim == 2 and features.shape[1] == WIDTH and len(features) > 0)
    zero = np.flatnonzero(np.linalg.norm(features, axis=1) < 1e-6)
    if len(zero):
        raise FaceDataError(
            f"{arrays.path.name}: features are zero vectors in {_some(zero, 'row')} (no face detected?); drop these "
            "rows, a zero vector has no direction to compare"
        )
    count, identity = len(features), np.zeros(len(features), np.int64)
    if need_identity or "identity" in arrays:
        identity = arrays.read("identity", ANY)
        _check(arrays, "identity", identity.shape == (count,) and identity.dtype.kind in "iu")
    pose = arrays.read("pose", REAL).astype(np.float32)
    _check(arrays, "pose", pose.shape == (count, 3))
    found = (features, identity.astype(np.int64), _in_degrees(pose, pose_unit, arrays.path.name))
    faces = Faces(*map(torch.from_numpy, found), source=arrays.path.name)
    return _several_people(faces, drop_singles) if need_identity else faces


def save(path: str | Path, faces: Faces) -> Path:
    """Write `features`, `identity` and `pose` as an `.npz` that `load` reads; returns its path."""
    return _write(path, {name: getattr(faces, name).numpy() for name in ("features", "identity", "pose")})


def save_cleaned(source: str | Path, cleaned: Tensor, path: str | Path) -> Path:
    """Write a copy of an `.npz` with other features; all its other arrays stay as they are.

    Args:
        source: the file that was cleaned.
        cleaned: features `[N, 512]`.
        path: the `.npz` to write.

    Raises:
        FaceDataError: another number of rows than the file has.
    """
    given = Arrays(source)
    arrays = {name: given.read(name, ANY, finite=False) for name in given.headers}
    if len(arrays["features"]) != len(cleaned):
        raise FaceDataError(f"{source} has {len(arrays['features'])} rows, there are {len(cleaned)} cleaned features")
    return _write(path, arrays | {"features": cleaned.float().cpu().numpy()})


def _write(path: str | Path, arrays: dict[str, np.ndarray]) -> Path:
    path = Path(path).expanduser()
    if path.suffix != ".npz":
        raise ValueError(f"{path} should end in .npz")
    return write_with(path, lambda file: np.savez(file, **arrays))


def _check(arrays: Arrays, name: str, fits: bool) -> None:
    if not fits:
        shape, kind = arrays.headers[name]
        raise FaceDataError(f"{arrays.path.name}: {name} is {list(shape)} {kind}; needed is {NEEDED[name]}")


def _in_degrees(pose: np.ndarray, unit: PoseUnit, name: str) -> np.ndarray:
    pose = np.degrees(pose) if unit == "radians" else pose
    largest = float(np.abs(pose).max())
    if unit == "auto" and 0 < largest <= pi:
        raise FaceDataError(
            f"{name}: the largest angle in pose is {largest:.2f}, so it looks like radians, and degrees are needed. "
            "Pass pose_unit='radians' to have it converted, or pose_unit='degrees' if all faces really are within "
            f"{largest:.1f}° of frontal"
        )
    if largest > 180:
        raise FaceDataError(f"{name}: pose reaches {largest:.0f}, allowed are angles within ±180 degrees")
    return pose


def _several_people(faces: Faces, drop_singles: bool) -> Faces:
    people, images = faces.identity.unique(return_counts=True)
    single, kept = people[images == 1], faces.of(people[images > 1])
    if len(people) == 1:
        raise FaceDataError(
            f"{faces.source}: all {len(faces)} faces have identity {int(people[0])}; at least two identities are needed"
        )
    if len(single) and not drop_singles:
        raise FaceDataError(
            f"{faces.source}: {_some(single.numpy(), 'identity', 'identities')} with one image: no second image to "
            "compare with; add images of them, or pass drop_singles=True to leave them out"
        )
    if len(kept.identities) < 2:
        raise FaceDataError(
            f"{faces.source}: {len(kept.identities)} identities are left without those that have one image; at least "
            "two identities with two images each are needed"
        )
    return kept


def _some(found: np.ndarray, one: str, many: str = "") -> str:
    """Name rows in words, such as "rows 3, 8, 11 and 20 more"."""
    shown = ", ".join(str(int(number)) for number in found[:5])
    rest = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"{(many or one + 's') if len(found) > 1 else one} {shown}{rest}"
