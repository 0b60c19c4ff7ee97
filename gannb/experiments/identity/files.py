"""A face embedder's `.npz`: read with every fault named, and written with cleaned features."""

from __future__ import annotations

from math import pi
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gannb.data.arrays import ANY, ArrayError, Arrays
from gannb.experiments.identity.faces import WIDTH, FaceDataError, Faces
from gannb.runs.files import write_with

PoseUnit = Literal["auto", "degrees", "radians"]


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
        FaceDataError: anything in it that cannot be used, with what was found and what to do.
    """
    path = Path(path).expanduser()
    arrays = _read(path, ("features", "identity", "pose") if need_identity else ("features", "pose"))
    try:
        features = _features(arrays["features"])
        identity = _identity(arrays.get("identity", np.zeros(len(features), np.int64)), len(features))
        pose = _pose(arrays["pose"], len(features), pose_unit)
        faces = Faces(torch.from_numpy(features), torch.from_numpy(identity), torch.from_numpy(pose), source=path.name)
        return _people(faces, drop_singles) if need_identity else faces
    except FaceDataError as fault:
        raise FaceDataError(f"{path}: {fault}") from None


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
        FaceDataError: another number of rows than the file has, or an array that only pickle could hold.
    """
    source = Path(source).expanduser()
    try:
        archive = Arrays(source)
        arrays = {name: archive.read(name, ANY, finite=False) for name in archive.headers}
    except ArrayError as fault:
        raise FaceDataError(f"{fault}; save numbers or plain strings") from fault
    if len(arrays["features"]) != len(cleaned):
        raise FaceDataError(f"{source} has {len(arrays['features'])} rows, there are {len(cleaned)} cleaned features")
    return _write(path, arrays | {"features": cleaned.float().cpu().numpy()})


def _write(path: str | Path, arrays: dict[str, np.ndarray]) -> Path:
    path = Path(path).expanduser()
    if path.suffix != ".npz":
        raise ValueError(f"{path} should end in .npz")
    return write_with(path, lambda file: np.savez(file, **arrays))


def _read(path: Path, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give an .npz with {', '.join(wanted)}")
    try:
        archive = Arrays(path)
        found = {n: archive.read(n, ANY, finite=False) for n in ("features", "identity", "pose") if n in archive}
    except ArrayError as fault:
        raise FaceDataError(str(fault)) from fault
    if missing := [name for name in wanted if name not in found]:
        holds = ", ".join(archive.headers)
        raise FaceDataError(f"{path} lacks {', '.join(missing)}: it holds {holds}; needed are {', '.join(wanted)}")
    return found


def _check(ok: bool, fault: str) -> None:
    if not ok:
        raise FaceDataError(fault)


def _features(features: np.ndarray) -> np.ndarray:
    _check(
        features.ndim == 2 and features.shape[1] == WIDTH and len(features) > 0,
        f"features have shape {list(features.shape)}, needed is [N, {WIDTH}]; use an embedder with {WIDTH} outputs "
        "(ArcFace, AdaFace, FaceNet-512), one row per face",
    )
    _check(
        features.dtype.kind in "fiu", f"features are {features.dtype}; real numbers are needed; save them as float32"
    )
    features = features.astype(np.float32)
    broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
    _check(
        not len(broken),
        f"features have NaN or infinite values in {_some(broken, 'row')}; drop these rows or embed again",
    )
    zero = np.flatnonzero(np.linalg.norm(features, axis=1) < 1e-6)
    _check(
        not len(zero),
        f"features are zero vectors in {_some(zero, 'row')} (no face detected?); drop these rows, a zero vector has no "
        "direction to compare",
    )
    return features


def _identity(identity: np.ndarray, count: int) -> np.ndarray:
    _check(
        identity.shape == (count,),
        f"identity has shape {list(identity.shape)}, needed is [{count}], one per face",
    )
    _check(
        identity.dtype.kind in "iu",
        f"identity is {identity.dtype}, needed are integers; turn names into numbers with "
        "np.unique(names, return_inverse=True)[1]",
    )
    return identity.astype(np.int64)


def _pose(pose: np.ndarray, count: int, unit: PoseUnit) -> np.ndarray:
    _check(
        pose.shape == (count, 3),
        f"pose has shape {list(pose.shape)}, needed is [{count}, 3]: yaw, pitch, roll in degrees (where only yaw is "
        "known, fill pitch and roll with 0)",
    )
    _check(pose.dtype.kind in "fiu", f"pose is {pose.dtype}, needed are real numbers in degrees")
    pose = pose.astype(np.float32)
    broken = np.flatnonzero(~np.isfinite(pose).all(axis=1))
    _check(not len(broken), f"pose has NaN or infinite values in {_some(broken, 'row')}; drop these rows")
    if unit == "radians":
        pose = np.degrees(pose)
    largest = float(np.abs(pose).max())
    _check(
        unit != "auto" or not 0 < largest <= pi,
        f"the largest angle in pose is {largest:.2f}, so it looks like radians, and degrees are needed. Pass "
        "pose_unit='radians' to have it converted, or pose_unit='degrees' if all faces really are within "
        f"{largest:.1f}° of frontal",
    )
    _check(largest <= 180, f"pose reaches {largest:.0f}, allowed are angles within ±180 degrees")
    return pose


def _people(faces: Faces, drop_singles: bool) -> Faces:
    people, images = faces.identity.unique(return_counts=True)
    _check(
        len(people) > 1,
        f"all {len(faces)} faces have identity {int(people[0])}; at least two identities are needed to tell identity "
        "from pose",
    )
    single = people[images == 1]
    _check(
        drop_singles or not len(single),
        f"{_some(single.numpy(), 'identity', 'identities')} with one image: no second image to compare with; add "
        "images of them, or pass drop_singles=True to leave them out",
    )
    kept = faces.of(people[images > 1])
    _check(
        len(kept.identities) > 1,
        f"{len(kept.identities)} identities are left without those that have one image; at least two identities with "
        "two images each are needed",
    )
    return kept


def _some(found: np.ndarray, one: str, many: str = "") -> str:
    """ "rows 3, 8, 11 and 20 more" """
    shown = ", ".join(str(int(number)) for number in found[:5])
    rest = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"{(many or one + 's') if len(found) > 1 else one} {shown}{rest}"
