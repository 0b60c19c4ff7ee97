"""Few runs compared honestly: intervals over seeds, and tests of paired differences that say what they cannot show."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EXACT = 14
"""Pairs up to which all sign flips are tried; above, 20,000 random ones are."""


@dataclass(frozen=True)
class Interval:
    """A mean over runs with its t interval.

    Attributes:
        mean: over the runs.
        low, high: 95 % for the mean; both NaN for a single run.
        n: runs.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if self.n < 2:
            return f"{self.mean:.4g} (1 run)"
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class Paired:
    """Two arms over the same seeds.

    Attributes:
        difference: mean of b - a with its 95 % t interval.
        p: two-sided, of the sign-flip permutation test: how often chance alone gives a mean as far from 0.
        least: the smallest p that so few pairs can give, 2 / 2ⁿ: above 0.05 nothing can be shown with them.
        fewer: in how many pairs b is below a.
    """

    difference: Interval
    p: float
    least: float
    fewer: int

    def __str__(self) -> str:
        weak = f", {self.difference.n} pairs cannot go below {self.least:.2g}" if self.least > 0.05 else ""
        return f"{self.difference}, p = {self.p:.2g}{weak}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of some runs and its 95 % t interval.

    Raises:
        ValueError: no values.
    """
    from scipy import stats

    x = np.asarray(values, dtype=float)
    if not len(x):
        raise ValueError("no runs to average")
    if len(x) == 1:
        return Interval(float(x[0]), float("nan"), float("nan"), 1)
    half = stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half), len(x))


def paired(a: Sequence[float], b: Sequence[float]) -> Paired:
    """Compare two arms seed by seed: `a[i]` and `b[i]` are of the same seed.

    Raises:
        ValueError: lengths that differ, or no pair.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need equal lengths, given {len(a)} and {len(b)}")
    d = np.asarray(b, dtype=float) - np.asarray(a, dtype=float)
    signs = _flips(len(d))
    means = np.abs(signs @ d) / len(d)
    p = float(np.mean(means >= abs(d.mean()) * (1 - 1e-12)))
    return Paired(interval(d), p, min(1.0, 2.0 / 2 ** len(d)), int((d < 0).sum()))


def _flips(n: int) -> np.ndarray:
    """Signs [flips, n]; the first row flips none."""
    if n <= EXACT:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n))).reshape(-1, n)
    random = np.random.default_rng(n)
    return np.vstack([np.ones(n), random.choice((1.0, -1.0), size=(20_000, n))])
