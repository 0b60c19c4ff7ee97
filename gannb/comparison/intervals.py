"""Few runs compared honestly: intervals over seeds, paired differences, and a test that says what it cannot show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gannb.metrics.ranges import possible
from gannb.metrics.score import Score
from gannb.random import key

ENOUGH = 5
"""Seeds from which on a comparison is said to decide anything (S4)."""

FLIPS = 20_000
"""Sign flips of the permutation test: all of them up to 14 pairs, random ones above."""


@dataclass(frozen=True)
class Paired:
    """Two variants over the same seeds.

    Attributes:
        difference: mean of b - a with its interval; missing for a single pair.
        p: two-sided, of the sign-flip permutation test: how often chance alone gives a mean as far from 0.
        n: pairs; with few of them p cannot go below 2 / 2ⁿ, and above 0.05 nothing can be shown.
    """

    difference: Score
    p: float
    n: int

    def __str__(self) -> str:
        least = min(1.0, 2.0 / 2**self.n)
        weak = f", {self.n} pairs cannot go below {least:.2g}" if least > 0.05 else ""
        return f"{self.difference.ranged()}, p = {self.p:.2g}{weak}"


def over_seeds(values: Sequence[float], name: str, resamples: int = 10_000, seed: int = 0) -> Score:
    """Mean over seeds, its standard error, and a 95 % interval; missing with fewer than two.

    The interval is that of the bootstrap (percentiles of resampled means, so a skew shows), stretched about the mean as
    far as Student's t is wider than the bootstrap of a normal sample of that size: plain percentiles of five seeds hold
    a normal mean 86 times in a hundred, of three 75, of two 50 (on their narrowness: Hesterberg 2015, "What teachers
    should know about the bootstrap"). It ends where the score's possible values do.

    Args:
        values: one per seed, at least 2.
        name: of the score.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: a value that is not finite.
    """
    from scipy import special, stats  # slow imports

    found = np.asarray(values, dtype=np.float64)
    n = len(found)
    if n < 2:
        return Score.missing(name, f"a spread needs 2 seeds; found {n}")
    if bad := int((~np.isfinite(found)).sum()):
        raise ValueError(f"{name}: {bad} of {n} seeds have a value that is not finite")
    rng = np.random.default_rng(key(seed, "bootstrap"))
    plain = stats.bootstrap((found,), np.mean, n_resamples=resamples, method="percentile", random_state=rng)
    stretch = special.stdtrit(n - 1, 0.975) / special.ndtri(0.975) * math.sqrt(n / (n - 1))
    ends = found.mean() + stretch * (np.array(plain.confidence_interval) - found.mean())
    low, high = np.clip(ends, *possible(name))
    protocol = {"seeds": n, "spread": float(found.std(ddof=1)), "error": "standard error over seeds"}
    protocol["interval"] = f"bootstrap over seeds, {resamples} resamples, as wide as t"
    return Score(name, found.mean(), found.std(ddof=1) / math.sqrt(n), (low, high), protocol=protocol)


def paired_difference(ours: Sequence[float], theirs: Sequence[float], name: str, seed: int = 0) -> Score:
    """Mean of `ours - theirs` over the same seeds, in the same order, with its interval; missing with fewer than two.

    Args:
        ours: one value per seed.
        theirs: of the same seeds, in the same order.
        name: of the difference.
        seed: of the bootstrap.

    Raises:
        ValueError: different numbers of seeds.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{name}: paired seeds are needed; found {len(ours)} and {len(theirs)}")
    return over_seeds(np.subtract(ours, theirs).tolist(), name, seed=seed)


def seeds_text(values: Sequence[float], name: str = "mean", *, signed: bool = False) -> str:
    """`mean [low, high]` over seeds; of one or two runs their values, which say more than an interval.

    Args:
        values: one per seed.
        name: of the score, by which the interval is limited.
        signed: for differences.

    Raises:
        ValueError: no values.
    """
    if not len(values):
        raise ValueError("no runs to average")
    if len(values) < 3:
        each = ", ".join(f"{value:{'+' if signed else ''}.4g}" for value in values)
        return f"{each} ({len(values)} run{'s' * (len(values) > 1)})"
    return over_seeds(values, name).ranged(signed)


def paired(a: Sequence[float], b: Sequence[float]) -> Paired:
    """Compare two variants seed by seed: `a[i]` and `b[i]` are of the same seed.

    Raises:
        ValueError: lengths that differ, or no pair.
    """
    from scipy import stats

    difference = paired_difference(b, a, "difference")
    apart = np.subtract(b, a, dtype=float)
    if not len(apart):
        raise ValueError("no pair to compare")
    if len(apart) == 1:
        return Paired(difference, 1.0, 1)
    rng = np.random.default_rng(len(apart))
    test = stats.permutation_test(
        (apart,), np.mean, permutation_type="samples", vectorized=True, n_resamples=FLIPS, random_state=rng
    )
    return Paired(difference, float(test.pvalue), len(apart))


def detectable(spread: float, n: int, power: float = 0.8, level: float = 0.05) -> float:
    """The smallest mean difference that `n` pairs would show with this probability, by a two-sided paired t test.

    Args:
        spread: standard deviation of the differences over seeds.
        n: pairs, at least 2.
        power: share of such experiments that would show it.
        level: of the test.
    """
    from scipy import special

    bound = special.stdtrit(n - 1, 1 - level / 2)
    effect = special.nctdtrinc(n - 1, 1 - power, bound)  # the other tail is below 1e-4 at any usual power
    return spread / math.sqrt(n) * float(effect)


def power_text(difference: Score) -> str:
    """How large a mean difference the seeds of a paired difference would have shown (power 0.8, level 0.05)."""
    least = detectable(difference.protocol["spread"], difference.protocol["seeds"])
    seeds = difference.protocol["seeds"]
    return f"{seeds} seeds with this spread would detect a difference of {least:.2g} with 80 % power"


def concluded(difference: Score, enough: int = ENOUGH) -> str:
    """What a paired difference (`variant − other`, lower is better) allows to say: a sentence."""
    if not difference.available:
        return f"{difference.name}: undecided, {difference.reason}"
    low, high = difference.interval or (0.0, 0.0)
    seeds, shown = difference.protocol["seeds"], difference.ranged(signed=True)
    if seeds < enough:
        return f"{difference.name} = {shown}: undecided, {seeds} seeds of at least {enough}"
    if low <= 0 <= high:
        null = f"a null result, no difference is shown; {power_text(difference)}"
        return f"{difference.name} = {shown} over {seeds} seeds: {null}"
    variant, other = difference.name.split(" − ")
    return f"{difference.name} = {shown} over {seeds} seeds: {variant if high < 0 else other} is better"
