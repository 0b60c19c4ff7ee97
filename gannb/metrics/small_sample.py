"""What a Fréchet distance means on few images: its floor, the ratio to it, its error, and its limit at many images.

The distance between two finite samples of one distribution is above zero, and by much where images are few
(claim P1). So a generator is compared like against like with what real images reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gannb.metrics.frechet import Moments, frechet_distance
from gannb.random import key

LARGEST_HALF = 500


@dataclass(frozen=True)
class Halves:
    """Distances between equally large random halves, over paired draws.

    Args:
        size: images a side.
        floor: `[draws]`, real against real.
        generated: `[draws]`, generated against the same real halves.
    """

    size: int
    floor: np.ndarray
    generated: np.ndarray

    @property
    def ratio(self) -> float:
        """Mean generated over mean floor: 1 for a perfect generator."""
        return float(self.generated.mean() / self.floor.mean())

    @property
    def ratio_error(self) -> float:
        """Spread of the ratio over single draws (halves overlap between draws, so no root of their number helps)."""
        return float(np.std(self.generated / self.floor, ddof=1))


def halves(real: Tensor, fake: Tensor, seed: int = 0, draws: int = 20) -> Halves:
    """Fréchet distances of random halves: real against real, and generated against real, n/2 each.

    Args:
        real: features `[n, d]`.
        fake: features `[m, d]`.
        seed: of the draws.
        draws: how many pairs of halves.

    Raises:
        ValueError: fewer than 4 real or 2 generated images; real images whose halves do not differ at all.
    """
    size = min(len(real) // 2, len(fake), LARGEST_HALF)
    if size < 2:
        raise ValueError(f"halves need 4 real and 2 generated images; found {len(real)} and {len(fake)}")
    rng = np.random.default_rng(key(seed, "halves"))
    floor, generated = [], []
    for _ in range(draws):
        order = torch.from_numpy(rng.permutation(len(real)))
        first, second = (Moments.of(real[part]) for part in (order[:size], order[size : 2 * size]))
        half = Moments.of(fake[torch.from_numpy(rng.choice(len(fake), size, replace=False))])
        floor.append(frechet_distance(first, second))
        generated.append(frechet_distance(first, half))
    if not min(floor) > 0:
        raise ValueError("the real images' features are all alike: there is no floor to compare with")
    return Halves(size, np.array(floor), np.array(generated))


def grouped_jackknife(real: Moments, fake: Tensor, groups: int = 10) -> float:
    """Standard error of a Fréchet distance over the generated images, each tenth left out in turn.

    Args:
        real: moments of the real features.
        fake: features `[n, d]` of the generated images.
        groups: 10 for tenths.
    """
    parts = torch.arange(len(fake)) % groups
    left_out = np.array([frechet_distance(real, fake[parts != group]) for group in range(groups)])
    # Leaving out shifts every value alike (the distance's bias in 1/n), which the spread does not see.
    return math.sqrt((groups - 1) / groups * np.square(left_out - left_out.mean()).sum())


def extrapolate(real: Moments, fake: Tensor, seed: int = 0, sizes: int = 12) -> tuple[float, float]:
    """The distance at infinitely many generated images, and the error of the fit (Chong & Forsyth 2020).

    A line in 1/n through the distances of random subsets of n/2 … n generated images. The real images stay as they
    are, so their own bias stays too.

    Args:
        real: moments of the real features.
        fake: features `[n, d]` of the generated images.
        seed: of the subsets.
        sizes: how many subsets.

    Raises:
        ValueError: fewer than 100 generated images.
    """
    if len(fake) < 100:
        raise ValueError(f"a line in 1/n needs at least 100 generated images; found {len(fake)}")
    rng = np.random.default_rng(key(seed, "extrapolate"))
    counts = np.unique(np.linspace(len(fake) // 2, len(fake), sizes).astype(int))
    values = [frechet_distance(real, fake[torch.from_numpy(rng.choice(len(fake), n, replace=False))]) for n in counts]
    (_, intercept), covariance = np.polyfit(1 / counts, values, 1, cov=True)
    return float(intercept), float(math.sqrt(covariance[1, 1]))
