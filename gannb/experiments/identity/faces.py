"""Face features with identity and pose: any embedder's `.npz`, and self-made identities with a planted pose subspace.

Identities, not images, are what is held out: two images of one person on both sides of a split would measure memory.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, replace
from math import pi
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from gannb.random import generator, key
from gannb.tables import Table

WIDTH = 512
FRONTAL = 15.0  # degrees of yaw below which a face counts as frontal

TargetKind = Literal["frontal", "partner"]
PoseUnit = Literal["auto", "degrees", "radians"]


class FaceDataError(ValueError):
    """A feature file that cannot be used; the message says what was found and what to do."""


class FaceBatch(NamedTuple):
    """What a loss gets: features `[B, 512]`, identity `[B]`, pose `[B, 3]` degrees, target `[B, 512]`."""

    features: Tensor
    identity: Tensor
    pose: Tensor
    target: Tensor


@dataclass(frozen=True, repr=False)
class Faces:
    """Features of faces, who they show and how the head was turned.

    Attributes:
        features: `[N, 512]` float32, any length.
        identity: `[N]` int64.
        pose: `[N, 3]` float32, degrees: yaw, pitch, roll.
        planted: `[512, k]` orthonormal basis of the planted pose subspace; None for real data.
        target: `[N, 512]` unit vectors that a cleaned feature should come near to; None before `with_targets`.
        source: where they come from, for people.
    """

    features: Tensor
    identity: Tensor
    pose: Tensor
    planted: Tensor | None = None
    target: Tensor | None = None
    source: str = ""

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: Tensor | slice) -> Faces:
        """The faces at `index` (positions, a mask or a slice)."""
        target = None if self.target is None else self.target[index]
        return replace(
            self, features=self.features[index], identity=self.identity[index], pose=self.pose[index], target=target
        )

    @property
    def yaw(self) -> Tensor:
        """Absolute yaw `[N]` in degrees."""
        return self.pose[:, 0].abs()

    @property
    def identities(self) -> Tensor:
        """The distinct identities, ascending, `[n]` int64."""
        return self.identity.unique()

    def of(self, identities: Tensor) -> Faces:
        """Only the faces of these identities."""
        return self[torch.isin(self.identity, identities)]

    def for_batches(self) -> FaceBatch:
        """All of it as one structure of tensors, as `Batches` takes it; needs targets."""
        if self.target is None:
            raise ValueError("these faces have no targets; use faces.with_targets()")
        return FaceBatch(self.features, self.identity, self.pose, self.target)

    def split(self, held_out: float = 0.25, *, seed: int) -> tuple[Faces, Faces]:
        """Split by identity into (train, held out); no person is on both sides.

        Args:
            held_out: share of the identities that is held out, in (0, 1); at least one stays on each side.
            seed: the same seed holds out the same people.
        """
        people = self.identities
        if len(people) < 2:
            raise FaceDataError(f"a split by identity needs at least 2 identities, found {len(people)}")
        if not 0 < held_out < 1:
            raise ValueError(f"held_out must lie in (0, 1), got {held_out}")
        count = min(max(round(held_out * len(people)), 1), len(people) - 1)
        order = people[torch.randperm(len(people), generator=generator("faces.split", seed))]
        return self.of(order[count:]), self.of(order[:count])

    def folds(self, count: int, *, seed: int) -> list[tuple[Faces, Faces]]:
        """`count` splits by identity; every person is held out exactly once."""
        people = self.identities
        if not 2 <= count <= len(people):
            raise FaceDataError(f"{count} folds by identity need 2 to {len(people)} (the number of identities)")
        order = people[torch.randperm(len(people), generator=generator("faces.folds", seed))]
        parts = [order[start::count] for start in range(count)]
        return [(self[~torch.isin(self.identity, part)], self.of(part)) for part in parts]

    def with_targets(self, kind: TargetKind = "frontal", *, frontal: float = FRONTAL, seed: int = 0) -> Faces:
        """The faces that have a target, with it.

        Args:
            kind: `"frontal"`: the normalised mean of the same person's raw features below `frontal` degrees of yaw,
                the sample itself left out; `"partner"`: another image of the same person, drawn once.
            frontal: yaw in degrees below which a face counts as frontal.
            seed: of the random partners.

        Raises:
            FaceDataError: no face has a target.

        Source: the document never says which target; claim I12.
        """
        target, found = (
            _frontal_means(self, frontal) if kind == "frontal" else _random_partners(self, generator("partner", seed))
        )
        if not found.any():
            raise FaceDataError(
                f"no face has a {kind} target: no identity has another image "
                + (
                    f"below {frontal:g}° of yaw; add frontal images, or use target 'partner'"
                    if kind == "frontal"
                    else ""
                )
            )
        return replace(self, target=target)[found]

    def _table(self) -> Table:
        _, images = self.identity.unique(return_counts=True)
        yaw = self.pose[:, 0]
        rows = [
            ("source", self.source or "–"),
            ("faces", f"{len(self)} of {len(images)} identities, {images.min()} to {images.max()} each"),
            ("features", f"[{len(self)}, {self.features.shape[1]}]"),
            ("yaw", f"{yaw.min():.0f}° to {yaw.max():.0f}°, {(self.yaw < FRONTAL).sum()} below {FRONTAL:g}°"),
        ]
        if self.planted is not None:
            rows.append(("planted", f"{self.planted.shape[1]} pose directions of {self.planted.shape[0]}"))
        return Table(("faces", ""), rows)

    def __repr__(self) -> str:
        return repr(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def _frontal_means(faces: Faces, frontal: float) -> tuple[Tensor, Tensor]:
    """Leave-one-out means of each person's frontal features, and which faces have one."""
    _, person = faces.identity.unique(return_inverse=True)
    is_frontal = (faces.yaw < frontal).float().unsqueeze(1)
    mine = is_frontal * faces.features
    total = torch.zeros(int(person.max()) + 1, faces.features.shape[1]).index_add_(0, person, mine)
    count = torch.zeros(int(person.max()) + 1, 1).index_add_(0, person, is_frontal)
    rest, others = total[person] - mine, count[person] - is_frontal
    return normalize(rest, dim=1), (others > 0).squeeze(1) & (rest.norm(dim=1) > 1e-6)


def _random_partners(faces: Faces, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Another image of the same person for each face, and which faces have one."""
    partner = torch.arange(len(faces))
    for person in faces.identities:
        own = (faces.identity == person).nonzero().squeeze(1)
        shuffled = own[torch.randperm(len(own), generator=draw)]
        partner[shuffled] = shuffled.roll(1)  # a cycle: nobody is their own partner where there are two
    return normalize(faces.features[partner], dim=1), partner != torch.arange(len(faces))


# --- the self-made identities --------------------------------------------------------------------------------


def make(
    identities: int = 60,
    images: int = 20,
    *,
    seed: int,
    directions: int = 48,
    likeness: float = 0.8,
    subspace: int = 8,
    strength: float = 0.9,
    variation: float = 0.6,
    private: float = 0.3,
    noise: float = 0.3,
) -> Faces:
    """Self-made identities whose features are contaminated by pose inside a known subspace.

    A feature is the unit-length sum of a person's own direction (length 1; people differ in `directions` shared
    dimensions, as those of real embedders do in far fewer than 512), a pose contamination that grows as
    sin(|yaw|)^1.5, and noise. Left and right profiles and the pitch have directions of their own in a subspace that
    all people share; each person deviates within it, and has a small private part outside it that nothing learned
    from other people can remove.

    Args:
        identities, images: how many people, and images of each (at least 4: every person has 3 frontal ones).
        seed: everything follows from it.
        directions: dimensions in which people differ.
        likeness: mean cosine between the own directions of look-alikes, in [0, 1): people come in groups of five that
            resemble each other, without which telling them apart would be no task.
        subspace: dimensions of the planted subspace, at least 3.
        strength: length of the contamination at 90° of yaw.
        variation: how far a person's contamination deviates within the subspace, relative to `strength`.
        private: length of the private contamination at 90°.
        noise: length of the noise of each image.
    """
    if not 0 <= likeness < 1:
        raise ValueError(f"likeness lies in [0, 1), given was {likeness}")
    if identities < 2 or images < 4 or not 3 <= subspace <= WIDTH or not 1 <= directions <= WIDTH:
        raise ValueError(
            f"needed are identities ≥ 2, images ≥ 4, subspace in [3, {WIDTH}] and directions in [1, {WIDTH}]; "
            f"given were {identities}, {images}, {subspace} and {directions}"
        )
    draw = np.random.default_rng(key("faces.make", seed))
    count = identities * images
    person = np.repeat(np.arange(identities), images)
    pose = np.stack([draw.uniform(-90, 90, count), draw.normal(0, 8, count), draw.normal(0, 5, count)], axis=1)
    first_three = np.arange(count) % images < 3
    pose[first_three, 0] = draw.uniform(-10, 10, int(first_three.sum()))

    basis = np.linalg.qr(draw.normal(size=(WIDTH, subspace)))[0]
    shared = np.eye(subspace)[:2]  # what a left and a right profile do to everybody
    deviation = draw.normal(size=(identities, 2, subspace)) / np.sqrt(subspace)
    sides = _unit(shared + variation * deviation)
    own_parts = _unit(draw.normal(size=(identities, 2, WIDTH)))
    people = _look_alikes(draw, identities, directions, likeness) @ _unit(draw.normal(size=(directions, WIDTH)))

    side = (pose[:, 0] > 0).astype(int)
    turned = np.sin(np.radians(np.abs(pose[:, :1]))) ** 1.5
    inside = strength * turned * sides[person, side]
    inside[:, 2] += strength * np.sin(np.radians(pose[:, 1]))
    features = (
        _unit(people)[person]
        + inside @ basis.T
        + private * turned * own_parts[person, side]
        + noise * _unit(draw.normal(size=(count, WIDTH)))
    )
    return Faces(
        features=torch.from_numpy(_unit(features)).float(),
        identity=torch.from_numpy(person),
        pose=torch.from_numpy(pose).float(),
        planted=torch.from_numpy(basis).float(),
        source=f"self-made, seed {seed}",
    )


def _look_alikes(draw: np.random.Generator, count: int, directions: int, likeness: float) -> np.ndarray:
    """Unit vectors `[count, directions]`; each five of them share a part that makes their mean cosine `likeness`."""
    family = _unit(draw.normal(size=(-(-count // 5), directions)))[np.arange(count) % -(-count // 5)]
    return np.sqrt(likeness) * family + np.sqrt(1 - likeness) * _unit(draw.normal(size=(count, directions)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


# --- a user's file -------------------------------------------------------------------------------------------


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
    features = _checked_features(arrays["features"], path)
    identity = _checked_identity(arrays.get("identity", np.zeros(len(features), np.int64)), len(features), path)
    pose = _checked_pose(arrays["pose"], len(features), pose_unit, path)
    faces = Faces(torch.from_numpy(features), torch.from_numpy(identity), torch.from_numpy(pose), source=path.name)
    return _checked_people(faces, drop_singles, path) if need_identity else faces


def _read(path: Path, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give an .npz with {', '.join(wanted)}")
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise FaceDataError(f"{path} is a single array; save the arrays by name: np.savez(path, features=…)")
        with archive:
            found = {name: archive[name] for name in archive.files if name in {"features", "identity", "pose"}}
            holds = ", ".join(archive.files) or "nothing"
    except FaceDataError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        raise FaceDataError(
            f"{path} cannot be read as plain arrays ({error}); write numbers, not objects, with np.savez"
        ) from error
    missing = [name for name in wanted if name not in found]
    if missing:
        raise FaceDataError(f"{path} lacks {', '.join(missing)}: it holds {holds}; needed are {', '.join(wanted)}")
    return found


def _checked_features(features: np.ndarray, path: Path) -> np.ndarray:
    if features.ndim != 2 or features.shape[1] != WIDTH or len(features) == 0:
        raise FaceDataError(
            f"{path}: features have shape {list(features.shape)}, needed is [N, {WIDTH}]; "
            f"use an embedder with {WIDTH} outputs (ArcFace, AdaFace, FaceNet-512), one row a face"
        )
    if features.dtype.kind not in "fiu":
        raise FaceDataError(f"{path}: features are {features.dtype}, needed are real numbers; save them as float32")
    features = features.astype(np.float32)
    broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(broken):
        raise FaceDataError(
            f"{path}: features have NaN or infinite values in {_some(broken, 'row')}; drop these rows or embed again"
        )
    zero = np.flatnonzero(np.linalg.norm(features, axis=1) < 1e-6)
    if len(zero):
        raise FaceDataError(
            f"{path}: features are zero vectors in {_some(zero, 'row')} (a face that was not found?); drop these rows, "
            "a zero vector has no direction to compare"
        )
    return features


def _checked_identity(identity: np.ndarray, count: int, path: Path) -> np.ndarray:
    if identity.shape != (count,):
        raise FaceDataError(f"{path}: identity has shape {list(identity.shape)}, needed is [{count}], one a face")
    if identity.dtype.kind not in "iu":
        raise FaceDataError(
            f"{path}: identity is {identity.dtype}, needed are integers; "
            "turn names into numbers with np.unique(names, return_inverse=True)[1]"
        )
    return identity.astype(np.int64)


def _checked_pose(pose: np.ndarray, count: int, unit: PoseUnit, path: Path) -> np.ndarray:
    if pose.shape != (count, 3):
        raise FaceDataError(
            f"{path}: pose has shape {list(pose.shape)}, needed is [{count}, 3]: yaw, pitch, roll in degrees "
            "(where only yaw is known, fill pitch and roll with 0)"
        )
    if pose.dtype.kind not in "fiu":
        raise FaceDataError(f"{path}: pose is {pose.dtype}, needed are real numbers in degrees")
    pose = pose.astype(np.float32)
    broken = np.flatnonzero(~np.isfinite(pose).all(axis=1))
    if len(broken):
        raise FaceDataError(f"{path}: pose has NaN or infinite values in {_some(broken, 'row')}; drop these rows")
    if unit == "radians":
        pose = np.degrees(pose)
    largest = float(np.abs(pose).max())
    if unit == "auto" and 0 < largest <= pi:
        raise FaceDataError(
            f"{path}: the largest angle in pose is {largest:.2f}, so it looks like radians, and degrees are needed. "
            "Pass pose_unit='radians' to have it converted, or pose_unit='degrees' if all faces really are "
            f"within {largest:.1f}° of frontal"
        )
    if largest > 180:
        raise FaceDataError(f"{path}: pose reaches {largest:.0f}, allowed are angles within ±180 degrees")
    return pose


def _checked_people(faces: Faces, drop_singles: bool, path: Path) -> Faces:
    people, images = faces.identity.unique(return_counts=True)
    if len(people) == 1:
        raise FaceDataError(
            f"{path}: all {len(faces)} faces have identity {int(people[0])}; "
            "at least two identities are needed to tell identity from pose"
        )
    single = people[images == 1]
    if len(single) and not drop_singles:
        raise FaceDataError(
            f"{path}: {_some(single.numpy(), 'identity', 'identities')} with one image: no second image to compare "
            "with; add images of them, or pass drop_singles=True to leave them out"
        )
    kept = faces.of(people[images > 1])
    if len(kept.identities) < 2:
        raise FaceDataError(
            f"{path}: {len(kept.identities)} identities are left without those that have one image; "
            "at least two identities with two images each are needed"
        )
    return kept


def _some(found: np.ndarray, one: str, many: str = "") -> str:
    """ "rows 3, 8, 11 and 20 more" """
    shown = ", ".join(str(int(number)) for number in found[:5])
    rest = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return f"{(many or one + 's') if len(found) > 1 else one} {shown}{rest}"


def save(path: str | Path, faces: Faces) -> Path:
    """Write `features`, `identity` and `pose` as an `.npz` that `load` reads."""
    return _write(
        path, {"features": faces.features.numpy(), "identity": faces.identity.numpy(), "pose": faces.pose.numpy()}
    )


def save_cleaned(source: str | Path, cleaned: Tensor, path: str | Path) -> Path:
    """Write a copy of an `.npz` with other features, `[N, 512]`; all its other arrays stay as they are.

    Raises:
        FaceDataError: another number of rows than the file has, or an array that only pickle could hold.
    """
    source = Path(source).expanduser()
    try:
        with np.load(source, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except ValueError as error:
        raise FaceDataError(f"{source} holds an array of objects ({error}); save numbers or plain strings") from error
    if len(arrays["features"]) != len(cleaned):
        raise FaceDataError(f"{source} has {len(arrays['features'])} rows, there are {len(cleaned)} cleaned features")
    return _write(path, arrays | {"features": cleaned.float().cpu().numpy()})


def _write(path: str | Path, arrays: dict[str, np.ndarray]) -> Path:
    path = Path(path).expanduser()
    if path.suffix != ".npz":
        raise ValueError(f"{path} should end in .npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path
