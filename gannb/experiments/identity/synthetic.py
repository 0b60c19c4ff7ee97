"""Synthetic identities whose features are contaminated by pose inside a known subspace."""

from __future__ import annotations

import numpy as np
import torch

from gannb.experiments.identity.faces import WIDTH, Faces
from gannb.random import key


def synthesise(
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
    """Draw faces; a feature is the unit-length sum of a person's direction, a pose contamination and noise.

    The contamination grows as sin(|yaw|)^1.5. Left and right profiles and the pitch have directions of their own in a
    subspace that all people share; each person deviates within it, and has a small private part outside it that
    nothing learned from other people can remove.

    Args:
        identities: how many people, and images per person (at least 4: everybody has 3 frontal ones).
        images: how many people, and images per person (at least 4: everybody has 3 frontal ones).
        seed: every random draw follows from it.
        directions: dimensions in which people differ, as those of real embedders do in far fewer than 512.
        likeness: mean cosine between the directions of look-alikes, in [0, 1): people come in groups of five that
            resemble each other, without which verification would be no task.
        subspace: dimensions of the planted subspace, at least 3.
        strength: length of the contamination at 90° of yaw; a person's direction has length 1.
        variation: how far a person's contamination deviates within the subspace, relative to `strength`.
        private: length of the private contamination at 90°.
        noise: length of the noise of each image.

    Raises:
        ValueError: a number outside its range.
    """
    if not 0 <= likeness < 1:
        raise ValueError(f"likeness={likeness}; allowed is [0, 1)")
    if identities < 2 or images < 4 or not 3 <= subspace <= WIDTH or not 1 <= directions <= WIDTH:
        raise ValueError(
            f"given identities={identities}, images={images}, subspace={subspace}, directions={directions}; allowed: "
            f"identities ≥ 2, images ≥ 4, subspace in [3, {WIDTH}], directions in [1, {WIDTH}]"
        )
    draw = np.random.default_rng(key("faces.make", seed))
    count = identities * images
    person = np.repeat(np.arange(identities), images)
    pose = np.stack([draw.uniform(-90, 90, count), draw.normal(0, 8, count), draw.normal(0, 5, count)], axis=1)
    first_three = np.arange(count) % images < 3
    pose[first_three, 0] = draw.uniform(-10, 10, int(first_three.sum()))

    basis = np.linalg.qr(draw.normal(size=(WIDTH, subspace)))[0]
    shared = np.eye(subspace)[:2]  # the effect of a left and of a right profile on everybody
    deviation = draw.normal(size=(identities, 2, subspace)) / np.sqrt(subspace)
    sides = _unit(shared + variation * deviation)
    own_parts = _unit(draw.normal(size=(identities, 2, WIDTH)))
    people = _look_alikes(draw, identities, directions, likeness) @ _unit(draw.normal(size=(directions, WIDTH)))

    side = (pose[:, 0] > 0).astype(int)
    turned = np.sin(np.radians(np.abs(pose[:, :1]))) ** 1.5
    inside = strength * turned * sides[person, side]
    inside[:, 2] += strength * np.sin(np.radians(pose[:, 1]))
    features = _unit(people)[person] + inside @ basis.T + private * turned * own_parts[person, side]
    features = features + noise * _unit(draw.normal(size=(count, WIDTH)))
    return Faces(
        features=torch.from_numpy(_unit(features)).float(),
        identity=torch.from_numpy(person),
        pose=torch.from_numpy(pose).float(),
        planted=torch.from_numpy(basis).float(),
        source=f"synthetic, seed {seed}",
    )


def _look_alikes(draw: np.random.Generator, count: int, directions: int, likeness: float) -> np.ndarray:
    """Unit vectors `[count, directions]`; each five of them share a part that makes their mean cosine `likeness`."""
    family = _unit(draw.normal(size=(-(-count // 5), directions)))[np.arange(count) % -(-count // 5)]
    return np.sqrt(likeness) * family + np.sqrt(1 - likeness) * _unit(draw.normal(size=(count, directions)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
