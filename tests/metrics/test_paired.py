"""Intervals and paired tests against figures known by hand."""

import math

import numpy as np
import pytest

from gannb.metrics.paired import EXACT, interval, paired


def test_the_interval_is_students() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0 and found.high - 2.0 == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert str(interval([5.0])) == "5 (1 run)" and math.isnan(interval([5.0]).low)
    with pytest.raises(ValueError, match="no runs"):
        interval([])


def test_the_interval_covers_the_mean_95_times_in_100() -> None:
    draws = np.random.default_rng(0).normal(3.0, 2.0, (2000, 4))
    covered = np.mean([found.low < 3.0 < found.high for found in map(interval, draws)])
    assert 0.93 < covered < 0.97


def test_sign_flips_by_hand() -> None:
    found = paired([1.0, 2.0, 3.0], [0.0, 1.0, 1.0])  # differences -1, -1, -2: only all flips reach the mean
    assert found.p == 2 / 8 and found.least == 0.25 and found.fewer == 3
    assert found.difference.mean == pytest.approx(-4 / 3) and "3 pairs cannot go below 0.25" in str(found)
    assert paired([0.0, 0.0], [1.0, -1.0]).p == 1.0
    assert paired([0.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).p == 2 / 64


def test_chance_alone_is_called_so_at_the_stated_rate() -> None:
    random = np.random.default_rng(1)
    ps = [paired(random.normal(size=8), random.normal(size=8)).p for _ in range(400)]
    assert 0.02 < np.mean(np.array(ps) <= 0.05) < 0.08


def test_many_pairs_take_random_flips_and_agree_with_all() -> None:
    random = np.random.default_rng(2)
    a = random.normal(size=EXACT + 1)
    b = a + random.normal(0.5, 1.0, size=EXACT + 1)
    exact_neighbour = paired(a[:EXACT], b[:EXACT]).p
    assert 0 < paired(a, b).p < max(0.5, 3 * exact_neighbour)


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="given 2 and 1"):
        paired([1.0, 2.0], [1.0])
