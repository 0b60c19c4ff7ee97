"""Scores by nearest neighbours: precision, recall, density, coverage, and the share of copies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gannb.metrics.frechet import check_features
from gannb.random import key

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Support:
    """How two sets of features cover each other, each a share in [0, 1] (density may pass 1).

    Args:
        precision: generated images within some real image's ball (Kynkäänniemi et al. 2019).
        recall: real images within some generated image's ball (the same).
        density: real balls around a generated image, over k (Naeem et al. 2020).
        coverage: real images whose ball holds a generated image (the same).
    """

    precision: float
    recall: float
    density: float
    coverage: float


def support(real: Tensor, fake: Tensor, k: int = 3, k_density: int = 5) -> Support:
    """Precision and recall (balls to the k-th neighbour), density and coverage (to the k_density-th).

    Args:
        real: features `[n, d]`.
        fake: features `[m, d]`.
        k: which neighbour's distance is a ball's radius, the image itself not counted.
        k_density: the same, for density and coverage.

    Raises:
        ValueError: a side with too few images for its k.
    """
    need = max(k, k_density) + 1
    for side, features in (("real", real), ("generated", fake)):
        check_features(features)
        if len(features) < need:
            raise ValueError(f"{need} {side} images are needed for their {need - 1}th neighbour; found {len(features)}")
    real_radii = _neighbour_distances(real, max(k, k_density))
    fake_radius = _neighbour_distances(fake, k)[:, k - 1]
    x, y = real.double(), fake
    radius, wide = real_radii[:, k - 1], real_radii[:, k_density - 1]
    inside, within_wide = 0, 0
    recalled = torch.zeros(len(x), dtype=torch.bool)
    nearest = torch.full((len(x),), math.inf, dtype=torch.float64)
    for start in range(0, len(y), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        distance = _distances(y[rows].double(), x)
        inside += int((distance <= radius).any(1).sum())
        recalled |= (distance <= fake_radius[rows, None]).any(0)
        within_wide += int((distance <= wide).sum())
        nearest = torch.minimum(nearest, distance.min(0).values)
    return Support(
        precision=inside / len(y),
        recall=float(recalled.double().mean()),
        density=within_wide / (k_density * len(y)),
        coverage=float((nearest <= wide).double().mean()),
    )


@dataclass(frozen=True)
class Copies:
    """Share of generated images nearer to training than held-out images (0.5: no copying), and its binomial error."""

    share: float
    error: float
    n_each: int
    draws: int


def copies(fake: Tensor, train: Tensor, held_out: Tensor, seed: int = 0, draws: int = 20) -> Copies:
    """Count how often a generated image's nearest neighbour is a training image, among equally many of each.

    Equally many, since the nearer of two sets is the larger one by chance alone; the larger set is drawn from `draws`
    times. Nearest in features: in pixels the mean image would count as a copy. Ties count half.

    Args:
        fake: features `[n, d]` of generated images.
        train: features `[m, d]`.
        held_out: features `[k, d]`.
        seed: of the draws.
        draws: from the larger set.
    """
    for features in (fake, train, held_out):
        check_features(features, at_least=1)
    n = min(len(train), len(held_out))
    to_train, to_held_out = (torch.cdist(fake.double(), side.double()) for side in (train, held_out))
    rng = np.random.default_rng(key(seed, "copies"))
    shares = [_share(_nearest(to_train, n, rng), _nearest(to_held_out, n, rng)) for _ in range(draws)]
    share = float(np.mean(shares))
    return Copies(share, math.sqrt(share * (1 - share) / len(fake)), n, draws)


def _nearest(distances: Tensor, n: int, rng: np.random.Generator) -> Tensor:
    if n == distances.shape[1]:
        return distances.min(1).values
    drawn = torch.from_numpy(rng.choice(distances.shape[1], n, replace=False))
    return distances[:, drawn].min(1).values


def _share(to_train: Tensor, to_held_out: Tensor) -> float:
    return float((to_train < to_held_out).double().mean() + 0.5 * (to_train == to_held_out).double().mean())


def _distances(rows: Tensor, x: Tensor) -> Tensor:
    """Euclidean distances `[r, n]` through the inner products; unlike `torch.cdist` it makes no copy of `x`."""
    squares = torch.linalg.vector_norm(rows, dim=1).square()[:, None] + torch.linalg.vector_norm(x, dim=1).square()
    return squares.addmm_(rows, x.T, alpha=-2).clamp_(min=0).sqrt_()


def _neighbour_distances(x: Tensor, k: int) -> Tensor:
    """Distances `[n, k]` to the nearest 1 … k others."""
    x, parts = x.double(), []
    for start in range(0, len(x), ROWS_AT_ONCE):
        distance = _distances(x[start : start + ROWS_AT_ONCE], x)
        here = torch.arange(len(distance))
        distance[here, start + here] = math.inf  # an image is no neighbour of itself
        parts.append(distance.topk(k, largest=False).values)
    return torch.cat(parts)


def nearest(of: Tensor, among: Tensor) -> Tensor:
    """The place `[N]` of the row of `among [M, d]` nearest to each row of `of [N, d]`: what it may copy."""
    return torch.cdist(of.double(), among.double()).argmin(1)
