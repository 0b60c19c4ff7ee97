"""What pose does to real or synthetic features: how much of it other people teach, and how much of a face it overlaps.

A person's displacement at some yaw is the mean of their features there less the mean of their frontal ones.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from gannb.experiments.identity.faces import FRONTAL, Faces
from gannb.tables import Table

BANDS = ((15.0, 30.0), (30.0, 45.0), (45.0, 60.0), (60.0, 75.0), (75.0, 90.0))
SPAN = 8  # directions of the other people's displacements


def pose_structure(faces: Faces) -> Table:
    """One row per band of yaw, of right profiles (left ones would cancel them); means over people.

    Columns: people; length of the displacement; its cosine to the mean one of the others; its share, as energy, in the
    `SPAN` main directions of the others; the same two of the person's frontal feature, which a removal takes along; and
    the cosine of the mean displacement to that of the last band.
    """
    found = [_displacements(faces, *ends) for ends in BANDS]
    last = next(moved.mean(dim=0) for moved, _ in reversed(found) if len(moved))
    rows = []
    for (low, high), (moved, frontal) in zip(BANDS, found):
        if len(moved) < 3:
            rows.append((f"{low:g}-{high:g}°", len(moved), *[None] * 6))
            continue
        others = (moved.sum(dim=0) - moved) / (len(moved) - 1)
        means = (
            moved.norm(dim=1), cosine_similarity(moved, others), _in_span(moved, moved),
            cosine_similarity(frontal, others), _in_span(frontal, moved),
        )  # fmt: skip
        turned = cosine_similarity(moved.mean(dim=0), last, dim=0).item()
        rows.append((f"{low:g}-{high:g}°", len(moved), *(each.mean().item() for each in means), turned))
    columns = (
        "yaw",
        "people",
        "displacement",
        "cosine to others",
        "share in others",
        "frontal: cosine to others",
        "frontal: share in others",
        "cosine to last band",
    )
    return Table(columns, rows)


def _displacements(faces: Faces, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Displacements and frontal means `[people, 512]` of those who have faces in this band; 90 takes more along."""
    yaw, moved, frontal = faces.pose[:, 0], [], []
    there = (yaw >= low) & ((yaw < high) | (high >= 90))
    for person in faces.identities:
        own = faces.identity == person
        ahead, turned = faces.features[own & (faces.yaw < FRONTAL)], faces.features[own & there]
        if len(ahead) and len(turned):
            frontal.append(ahead.mean(dim=0))
            moved.append(turned.mean(dim=0) - frontal[-1])
    shape = (-1, faces.features.shape[1])
    return torch.cat([*moved, torch.empty(0)]).view(shape), torch.cat([*frontal, torch.empty(0)]).view(shape)


def _in_span(vectors: Tensor, moved: Tensor) -> Tensor:
    """Of each person's vector, the share `[people]` of its energy in the main directions of the others' displacements.

    Args:
        vectors: one per person.
        moved: their displacements.
    """
    shares = []
    for person in range(len(moved)):
        rest = torch.cat([moved[:person], moved[person + 1 :]])
        basis = torch.linalg.svd(rest, full_matrices=False)[2][:SPAN]
        shares.append((basis @ vectors[person]).square().sum() / vectors[person].square().sum())
    return torch.stack(shares)
