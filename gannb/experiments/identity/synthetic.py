"""Synthetic identities whose features are contaminated by pose inside a known subspace."""

from __future__ import annotations

import numpy as np
import torch

from gannb.experiments.identity.faces import WIDTH, Faces
from gannb.random import key

DIRECTIONS, LIKENESS = 48, 0.8
"""Dimensions in which people differ, as those of real embedders do in far fewer than 512; and the mean cosine between
look-alikes: people come in groups of five that resemble each other, without which verification would be no task."""
SUBSPACE, STRENGTH, VARIATION = 8, 0.9, 0.6
"""Dimensions of the planted subspace; length of the contamination at 90° of yaw, where a person's direction has length
1; and how far a person's contamination deviates within the subspace, relative to that."""


def synthesise(
    identities: int = 60, images: int = 20, *, seed: int, private: float = 0.3, noise: float = 0.3, overlap: float = 0.0
) -> Faces:
    """Draw faces; a feature is the unit-length sum of a person's direction, a pose contamination and noise.

    The contamination grows as sin(|yaw|)^1.5. Left and right profiles and the pitch have directions of their own in a
    subspace that all people share; each person deviates within it, and has a small private part outside it that
    nothing learned from other people can remove.

    Args:
        identities: how many people, and images per person (at least 4: everybody has 3 frontal ones).
        images: how many people, and images per person (at least 4: everybody has 3 frontal ones).
        seed: every random draw follows from it.
        private: length of the private contamination at 90°.
        noise: length of the noise of each image.
        overlap: length of the part of a person's direction in the planted subspace, in [0, 1), which leans away from
            profiles; with 0 what pose adds is nearly orthogonal to people, as random directions are, and removing it
            harms nobody. Measured on UMIST: 0.63 (0.63² = 0.40, see `pose_structure`).

    Raises:
        ValueError: fewer than 2 people, or than 4 images each.
    """
    if identities < 2 or images < 4:
        raise ValueError(f"given identities={identities}, images={images}; allowed: identities ≥ 2, images ≥ 4")
    draw = np.random.default_rng(key("faces.make", seed))
    count = identities * images
    person = np.repeat(np.arange(identities), images)
    pose = np.stack([draw.uniform(-90, 90, count), draw.normal(0, 8, count), draw.normal(0, 5, count)], axis=1)
    first_three = np.arange(count) % images < 3
    pose[first_three, 0] = draw.uniform(-10, 10, int(first_three.sum()))

    basis = np.linalg.qr(draw.normal(size=(WIDTH, SUBSPACE)))[0]
    shared = np.eye(SUBSPACE)[:2]  # the effect of a left and of a right profile on everybody
    deviation = draw.normal(size=(identities, 2, SUBSPACE)) / np.sqrt(SUBSPACE)
    sides = _unit(shared + VARIATION * deviation)
    own_parts = _unit(draw.normal(size=(identities, 2, WIDTH)))
    people = _look_alikes(draw, identities) @ _unit(draw.normal(size=(DIRECTIONS, WIDTH)))

    side = (pose[:, 0] > 0).astype(int)
    turned = np.sin(np.radians(np.abs(pose[:, :1]))) ** 1.5
    inside = STRENGTH * turned * sides[person, side]
    inside[:, 2] += STRENGTH * np.sin(np.radians(pose[:, 1]))
    own = np.random.default_rng(key("faces.overlap", seed)).normal(size=(identities, SUBSPACE)) / np.sqrt(SUBSPACE)
    people = np.sqrt(1 - overlap**2) * _unit(people) + overlap * _unit(own - _unit(shared.sum(axis=0))) @ basis.T
    features = people[person] + inside @ basis.T + private * turned * own_parts[person, side]
    features = features + noise * _unit(draw.normal(size=(count, WIDTH)))
    return Faces(
        features=torch.from_numpy(_unit(features)).float(),
        identity=torch.from_numpy(person),
        pose=torch.from_numpy(pose).float(),
        planted=torch.from_numpy(basis).float(),
        source=f"synthetic, seed {seed}",
    )


def _look_alikes(draw: np.random.Generator, count: int) -> np.ndarray:
    """Unit vectors `[count, DIRECTIONS]`; each five of them share a part that makes their mean cosine `LIKENESS`."""
    family = _unit(draw.normal(size=(-(-count // 5), DIRECTIONS)))[np.arange(count) % -(-count // 5)]
    return np.sqrt(LIKENESS) * family + np.sqrt(1 - LIKENESS) * _unit(draw.normal(size=(count, DIRECTIONS)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
