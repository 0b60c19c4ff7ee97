"""A face embedder's `.npz`: read with every fault named, and written with cleaned features."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from math import pi
from pathlib import Path
from typing import Literal
from zipfile import ZipFile

import numpy as np
import torch
from torch import Tensor

from gannb.data.arrays import ANY, Arrays
from gannb.experiments.identity.faces import WIDTH, FaceDataError, Faces
from gannb.runs.files import write_with, writing

BLOCK = 4096
"""Faces that are read and cleaned at a time."""
REAL = "fiu"  # NumPy's letters of the types that are allowed
PoseUnit = Literal["auto", "degrees", "radians"]
NEEDED = {
    "features": f"[N, {WIDTH}], one row per face: use an embedder with {WIDTH} outputs (ArcFace, AdaFace, FaceNet-512)",
    "identity": "[N], one integer per face: names become numbers with np.unique(names, return_inverse=True)[1]",
    "pose": "[N, 3], yaw, pitch, roll in degrees: where only yaw is known, fill pitch and roll with 0",
}


def load(path: str | Path, *, pose_unit: PoseUnit = "auto", drop_singles: bool = False) -> Faces:
    """Read a face embedder's `.npz`: `features [N, 512]`, `identity [N]` integers, `pose [N, 3]` in degrees.

    Args:
        path: the file.
        pose_unit: `"auto"` takes degrees and refuses angles that look like radians; the other two say which it is.
        drop_singles: leave identities with one image out instead of refusing the file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: anything in it that cannot be used, with what was found and what to do.
    """
    arrays = Arrays(path)
    features = arrays.read("features", REAL).astype(np.float32)
    _check(arrays, "features", features.ndim == 2 and features.shape[1] == WIDTH and len(features) > 0)
    _check_zero(arrays, np.flatnonzero(_without_length(features)))
    identity = arrays.read("identity", ANY)
    _check(arrays, "identity", identity.shape == (len(features),) and identity.dtype.kind in "iu")
    pose = _in_degrees(arrays.read("pose", REAL), pose_unit)
    _check(arrays, "pose", pose.shape == (len(features), 3))
    _check_degrees(float(np.abs(pose).max()), pose_unit, arrays.path.name)
    found = (features, identity.astype(np.int64), pose)
    return _several_people(Faces(*map(torch.from_numpy, found), source=arrays.path.name), drop_singles)


class FaceFile:
    """Features and poses of an `.npz` of any size, without its values: checked once, then read block by block.

    Args:
        path: holds at least `features [N, 512]` and `pose [N, 3]`; `identity` is not needed.
        pose_unit: see `load`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: anything in it that cannot be used, as `load` raises it.
    """

    def __init__(self, path: str | Path, *, pose_unit: PoseUnit = "auto") -> None:
        self.arrays, self.pose_unit = Arrays(path), pose_unit
        self._check_shapes()
        zero, largest, done = [], 0.0, 0
        for features, pose in self._blocks():
            zero.append(done + np.flatnonzero(_without_length(features)))
            largest, done = max(largest, float(np.abs(pose).max())), done + len(features)
        _check_zero(self.arrays, np.concatenate(zero))
        _check_degrees(largest, pose_unit, self.arrays.path.name)

    def __len__(self) -> int:
        return self.arrays.headers["features"][0][0]

    def blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Features `[n, 512]` and poses `[n, 3]` in degrees, both float32, at most 4096 faces at a time."""
        for features, pose in self._blocks():
            yield torch.from_numpy(features), torch.from_numpy(pose)

    def _blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for features, pose in zip(*(self.arrays.rows(n, BLOCK, REAL) for n in ("features", "pose")), strict=True):
            yield features.astype(np.float32), _in_degrees(pose, self.pose_unit)

    def _check_shapes(self) -> None:
        shapes = {name: shape for name, (shape, _) in self.arrays.headers.items()}
        for name in ("features", "pose"):
            self.arrays.check(name, REAL)
        rows = shapes["features"][:1]
        _check(self.arrays, "features", shapes["features"] == (*rows, WIDTH) and rows[0] > 0)
        _check(self.arrays, "pose", shapes["pose"] == (*rows, 3))
        if "identity" in shapes:
            kind = self.arrays.headers["identity"][1].kind
            _check(self.arrays, "identity", shapes["identity"] == rows and kind in "iu")


def save(path: str | Path, faces: Faces) -> Path:
    """Write `features`, `identity` and `pose` as an `.npz` that `load` reads; returns its path."""
    arrays = {name: getattr(faces, name).numpy() for name in ("features", "identity", "pose")}
    return write_with(_npz(path), lambda file: np.savez(file, **arrays))


def save_cleaned(source: str | Path, cleaned: Iterable[Tensor], path: str | Path) -> Path:
    """Write a copy of an `.npz` with other features; all its other arrays stay as they are.

    Args:
        source: the file that was cleaned.
        cleaned: features `[n, 512]`, block by block.
        path: the `.npz` to write.

    Raises:
        FaceDataError: another number of rows than the file has.
    """
    given, path = Arrays(source), _npz(path)
    (count, *_), _ = given.headers["features"]
    with writing(path) as file, ZipFile(given.path) as there, ZipFile(file, "w") as archive:
        for name in given.headers:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as copy:
                if name != "features":
                    with there.open(f"{name}.npy") as kept:
                        shutil.copyfileobj(kept, copy)
                    continue
                head = {"descr": "<f4", "fortran_order": False, "shape": (count, WIDTH)}
                np.lib.format.write_array_header_1_0(copy, head)
                rows = sum(copy.write(block.float().cpu().numpy().tobytes()) for block in cleaned) // (4 * WIDTH)
                if rows != count:
                    raise FaceDataError(f"{source} has {count} rows, there are {rows} cleaned features")
    return path


def _npz(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if path.suffix != ".npz":
        raise ValueError(f"{path} should end in .npz")
    return path


def _without_length(features: np.ndarray) -> np.ndarray:
    """Which rows `[N]` of features `[N, 512]` are zero vectors."""
    return np.linalg.norm(features, axis=1) < 1e-6


def _check_zero(arrays: Arrays, zero: np.ndarray) -> None:
    if len(zero):
        raise FaceDataError(
            f"{arrays.path.name}: features are zero vectors in {_some(zero, 'row')} (no face detected?); drop these "
            "rows, a zero vector has no direction to compare"
        )


def _check(arrays: Arrays, name: str, fits: bool) -> None:
    if not fits:
        shape, kind = arrays.headers[name]
        raise FaceDataError(f"{arrays.path.name}: {name} is {list(shape)} {kind}; needed is {NEEDED[name]}")


def _in_degrees(pose: np.ndarray, unit: PoseUnit) -> np.ndarray:
    pose = pose.astype(np.float32)
    return np.degrees(pose) if unit == "radians" else pose


def _check_degrees(largest: float, unit: PoseUnit, name: str) -> None:
    if unit == "auto" and 0 < largest <= pi:
        raise FaceDataError(
            f"{name}: the largest angle in pose is {largest:.2f}, so it looks like radians, and degrees are needed. "
            "Pass pose_unit='radians' to have it converted, or pose_unit='degrees' if all faces really are within "
            f"{largest:.1f}° of frontal"
        )
    if largest > 180:
        raise FaceDataError(f"{name}: pose reaches {largest:.0f}, allowed are angles within ±180 degrees")


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
