"""Face features with identity and pose: splits by identity, and the targets of a cleaning.

Identities, not images, are held out: two images of one person on both sides of a split would measure memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from gannb.random import generator
from gannb.tables import ShownAsTable, Table

WIDTH = 512
FRONTAL = 15.0  # degrees of yaw below which a face counts as frontal

TargetKind = Literal["frontal", "partner"]


class FaceDataError(ValueError):
    """Face features that cannot be used; the message says what was found and what to do."""


class FaceBatch(NamedTuple):
    """A batch for a loss: features `[B, 512]`, identity `[B]`, pose `[B, 3]` degrees, target `[B, 512]`."""

    features: Tensor
    identity: Tensor
    pose: Tensor
    target: Tensor


@dataclass(frozen=True, repr=False)
class Faces(ShownAsTable):
    """Features of faces, who they show and how the head is turned.

    Attributes:
        features: `[N, 512]` float32, any length.
        identity: `[N]` int64.
        pose: `[N, 3]` float32, degrees: yaw, pitch, roll.
        planted: `[512, k]` orthonormal basis of the planted pose subspace; None for real data.
        target: `[N, 512]` unit vectors that a cleaned feature should come near to; None before `with_targets`.
        source: where they come from.
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
        """The faces at `index`: positions `[n]`, a mask `[N]` or a slice."""
        names = ("features", "identity", "pose") + (("target",) if self.target is not None else ())
        return replace(self, **{name: getattr(self, name)[index] for name in names})

    @property
    def yaw(self) -> Tensor:
        """Absolute yaw `[N]` in degrees."""
        return self.pose[:, 0].abs()

    @property
    def identities(self) -> Tensor:
        """The distinct identities, ascending, `[n]` int64."""
        return self.identity.unique()

    def of(self, identities: Tensor) -> Faces:
        """Only the faces of these identities `[n]`."""
        return self[torch.isin(self.identity, identities)]

    def for_batches(self) -> FaceBatch:
        """Everything as one structure of tensors for `Batches`; raises ValueError without targets."""
        if self.target is None:
            raise ValueError("these faces have no targets; use faces.with_targets()")
        return FaceBatch(self.features, self.identity, self.pose, self.target)

    def split(self, held_out: float = 0.25, *, seed: int) -> tuple[Faces, Faces]:
        """Split by identity into (train, held out); no person is on both sides.

        Args:
            held_out: share of the identities that is held out, in (0, 1); at least one stays on each side.
            seed: the same seed holds out the same people.

        Raises:
            FaceDataError: fewer than 2 identities.
            ValueError: a share outside (0, 1).
        """
        people = self.identities
        if len(people) < 2:
            raise FaceDataError(f"a split by identity needs at least 2 identities, found {len(people)}")
        if not 0 < held_out < 1:
            raise ValueError(f"held_out={held_out}; allowed is (0, 1)")
        count = min(max(round(held_out * len(people)), 1), len(people) - 1)
        order = people[torch.randperm(len(people), generator=generator("faces.split", seed))]
        return self.of(order[count:]), self.of(order[:count])

    def with_targets(self, kind: TargetKind = "frontal", *, frontal: float = FRONTAL, seed: int = 0) -> Faces:
        """The faces that have a target, with it.

        Args:
            kind: `"frontal"`: the normalised mean of the same person's raw features below `frontal` degrees of yaw,
                the sample itself left out; `"partner"`: another image of the same person, drawn once. The document
                does not say which (claim I12).
            frontal: yaw in degrees below which a face counts as frontal.
            seed: of the random partners.

        Raises:
            FaceDataError: no face has a target.
        """
        if kind == "frontal":
            target, found = _frontal_means(self, frontal)
        else:
            target, found = _random_partners(self, generator("partner", seed))
        if not found.any():
            hint = f" below {frontal:g}° of yaw; add frontal images, or use target 'partner'"
            raise FaceDataError(
                f"no face has a {kind} target: no identity has another image{hint if kind == 'frontal' else ''}"
            )
        return replace(self, target=target)[found]

    def table(self) -> Table:
        """Where they come from, how many, and how far the heads are turned."""
        _, images = self.identity.unique(return_counts=True)
        yaw, each = self.pose[:, 0], " to ".join(map(str, sorted({int(images.min()), int(images.max())})))
        rows = [
            ("source", self.source or "–"),
            ("faces", f"{len(self)} of {len(images)} identities, {each} each"),
            ("features", f"[{len(self)}, {self.features.shape[1]}]"),
            ("yaw", f"{yaw.min():.0f}° to {yaw.max():.0f}°, {(self.yaw < FRONTAL).sum()} below {FRONTAL:g}°"),
        ]
        if self.planted is not None:
            rows.append(("planted", f"{self.planted.shape[1]} pose directions of {self.planted.shape[0]}"))
        return Table(("faces", ""), rows)


def _frontal_means(faces: Faces, frontal: float) -> tuple[Tensor, Tensor]:
    """Leave-one-out means of each person's frontal features `[N, 512]`, and which faces have one `[N]`."""
    _, person = faces.identity.unique(return_inverse=True)
    is_frontal = (faces.yaw < frontal).float().unsqueeze(1)
    mine = is_frontal * faces.features
    total = torch.zeros(int(person.max()) + 1, faces.features.shape[1]).index_add_(0, person, mine)
    count = torch.zeros(int(person.max()) + 1, 1).index_add_(0, person, is_frontal)
    rest, others = total[person] - mine, count[person] - is_frontal
    return normalize(rest, dim=1), (others > 0).squeeze(1) & (rest.norm(dim=1) > 1e-6)


def _random_partners(faces: Faces, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Another image of the same person for each face `[N, 512]`, and which faces have one `[N]`."""
    partner = torch.arange(len(faces))
    for person in faces.identities:
        own = (faces.identity == person).nonzero().squeeze(1)
        shuffled = own[torch.randperm(len(own), generator=draw)]
        partner[shuffled] = shuffled.roll(1)  # a cycle: nobody is their own partner where there are two
    return normalize(faces.features[partner], dim=1), partner != torch.arange(len(faces))
