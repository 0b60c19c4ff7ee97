"""Few runs compared honestly: intervals over seeds, paired differences, and a test that says what it cannot show."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gannb.metrics.score import Score
from gannb.random import key

EXACT = 14
"""Pairs up to which all sign flips are tried; above, 20,000 random ones are."""


@dataclass(frozen=True)
class Paired:
    """Two arms over the same seeds.

    Attributes:
        difference: mean of b - a with its interval; missing for a single pair.
        p: two-sided, of the sign-flip permutation test: how often chance alone gives a mean as far from 0.
        least: the smallest p that so few pairs can give, 2 / 2ⁿ: above 0.05 nothing can be shown with them.
        fewer: in how many pairs b is below a.
        n: pairs.
    """

    difference: Score
    p: float
    least: float
    fewer: int
    n: int

    def __str__(self) -> str:
        weak = f", {self.n} pairs cannot go below {self.least:.2g}" if self.least > 0.05 else ""
        return f"{self.difference.ranged()}, p = {self.p:.2g}{weak}"


def over_seeds(values: Sequence[float], name: str, resamples: int = 10_000, seed: int = 0) -> Score:
    """Mean over seeds, its standard error, and a 95 % interval; missing with fewer than two.

    The interval is that of the bootstrap (percentiles of resampled means, so a skew shows), stretched about the mean as
    far as Student's t is wider than the bootstrap of a normal sample of that size: plain percentiles of five seeds hold
    a normal mean 86 times in a hundred, of three 75, of two 50 (on their narrowness: Hesterberg 2015, "What teachers
    should know about the bootstrap").

    Args:
        values: one a seed, at least 2.
        name: of the score.
        resamples, seed: of the bootstrap.

    Raises:
        ValueError: a value that is not finite.
    """
    from scipy.special import ndtri, stdtrit  # a slow import, for one quantile

    found = np.asarray(values, dtype=np.float64)
    n = len(found)
    if n < 2:
        return Score.missing(name, f"a spread needs 2 seeds; found {n}")
    if bad := int((~np.isfinite(found)).sum()):
        raise ValueError(f"{name}: {bad} of {n} seeds have a value that is not finite")
    rng = np.random.default_rng(key(seed, "bootstrap"))
    ends = np.quantile(rng.choice(found, (resamples, n)).mean(1), [0.025, 0.975])
    stretch = stdtrit(n - 1, 0.975) / ndtri(0.975) * math.sqrt(n / (n - 1))
    low, high = found.mean() + stretch * (ends - found.mean())
    protocol = {"seeds": n, "spread": float(found.std(ddof=1)), "error": "standard error over seeds"}
    protocol["interval"] = f"bootstrap over seeds, {resamples} resamples, as wide as t"
    return Score(name, found.mean(), found.std(ddof=1) / math.sqrt(n), (low, high), protocol=protocol)


def paired_difference(ours: Sequence[float], theirs: Sequence[float], name: str, seed: int = 0) -> Score:
    """Mean of `ours - theirs` over the same seeds, in the same order, with its interval; missing with fewer than two.

    Raises:
        ValueError: different numbers of seeds.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{name}: paired seeds are needed; found {len(ours)} and {len(theirs)}")
    return over_seeds(np.subtract(ours, theirs), name, seed=seed)


def seeds_text(values: Sequence[float]) -> str:
    """`mean [low, high]` over seeds; of a single run its value, which is said.

    Raises:
        ValueError: no values.
    """
    if not len(values):
        raise ValueError("no runs to average")
    return over_seeds(values, "mean").ranged() if len(values) > 1 else f"{values[0]:.4g} (1 run)"


def paired(a: Sequence[float], b: Sequence[float]) -> Paired:
    """Compare two arms seed by seed: `a[i]` and `b[i]` are of the same seed.

    Raises:
        ValueError: lengths that differ, or no pair.
    """
    difference = paired_difference(b, a, "difference")
    d = np.subtract(b, a, dtype=float)
    if not len(d):
        raise ValueError("no pair to compare")
    means = np.abs(_flips(len(d)) @ d) / len(d)
    p = float(np.mean(means >= abs(d.mean()) * (1 - 1e-12)))
    return Paired(difference, p, min(1.0, 2.0 / 2 ** len(d)), int((d < 0).sum()), len(d))


def _flips(n: int) -> np.ndarray:
    """Signs [flips, n]; the first row flips none."""
    if n <= EXACT:
        return np.array(list(itertools.product((1.0, -1.0), repeat=n))).reshape(-1, n)
    random = np.random.default_rng(n)
    return np.vstack([np.ones(n), random.choice((1.0, -1.0), size=(20_000, n))])
