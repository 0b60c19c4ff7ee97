"""Intervals and paired tests against figures known by hand."""

import math

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from gannb.comparison.intervals import detectable, over_seeds, paired, paired_difference, seeds_text


def test_the_mean_its_error_and_its_spread() -> None:
    score = over_seeds([1.0, 2.0, 3.0], "fid")
    assert (score.value, score.protocol["spread"], score.protocol["seeds"]) == (2, 1, 3)
    assert score.error == pytest.approx(1 / math.sqrt(3))
    assert "2 seeds" in over_seeds([1.0], "fid").reason
    with pytest.raises(ValueError, match="fid: 1 of 2 seeds"):
        over_seeds([1.0, math.nan], "fid")


@pytest.mark.parametrize("seeds", [3, 5, 20])
def test_the_interval_covers_the_mean_as_often_as_it_says(seeds: int) -> None:
    """Plain percentiles of three or five seeds do so 75 and 86 times in a hundred."""
    draws = np.random.default_rng(0).normal(3.0, 2.0, (1000, seeds))
    ends = [over_seeds(values, "fid", resamples=500).interval for values in draws]
    assert 0.93 < np.mean([low < 3.0 < high for low, high in ends]) < 0.97


def test_the_interval_is_students_for_normal_values_and_leans_with_a_skew() -> None:
    normal = ndtri((np.arange(200) + 0.5) / 200)
    low, high = over_seeds(normal, "fid").interval
    assert high == pytest.approx(stdtrit(199, 0.975) * normal.std(ddof=1) / math.sqrt(200), rel=0.03)
    low, high = over_seeds([0.0, 0.0, 0.0, 0.0, 10.0], "fid").interval
    assert high - 2.0 > 1.5 * (2.0 - low)


def test_a_text_of_several_runs_or_one() -> None:
    assert seeds_text([5.0]) == "5 (1 run)" and seeds_text([5.0, 5.0, 5.0]) == "5 [5, 5]"
    assert seeds_text([5.0, -7.0], signed=True) == "+5, -7 (2 runs)", "no interval of two"
    with pytest.raises(ValueError, match="no runs"):
        seeds_text([])


def test_an_interval_ends_where_the_possible_values_do() -> None:
    values = [0.0, 0.0, 0.9, 0.1, 1.0]
    kernel, share, distance = (over_seeds(values, name).interval for name in ("kid_faed", "copies", "fd_digits"))
    assert kernel[0] < 0 and kernel[1] > 1 and share == (0, 1) and distance == (0, kernel[1])
    assert over_seeds(values, "copies − coverage").interval == kernel, "a difference has no such range"
    assert seeds_text(values, "harm_rate_0_15").endswith("[0.00, 1.00]")


def test_pairing_takes_the_seeds_own_difficulty_away() -> None:
    hard = np.random.default_rng(0).normal(0, 10, 8)
    ours, theirs = 50 + hard - 1, 50 + hard
    assert paired_difference(ours, theirs, "gain").interval == pytest.approx((-1, -1))
    with pytest.raises(ValueError, match="found 8 and 7"):
        paired_difference(ours, theirs[:7], "gain")


def test_sign_flips_by_hand() -> None:
    found = paired([1.0, 2.0, 3.0], [0.0, 1.0, 1.0])  # differences -1, -1, -2: only all flips reach the mean
    assert found.p == 2 / 8 and found.n == 3
    assert float(found.difference) == pytest.approx(-4 / 3) and "3 pairs cannot go below 0.25" in str(found)
    assert paired([0.0, 0.0], [1.0, -1.0]).p == 1.0
    assert paired([0.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).p == 2 / 64


def test_chance_alone_is_called_so_at_the_stated_rate() -> None:
    random = np.random.default_rng(1)
    ps = [paired(random.normal(size=8), random.normal(size=8)).p for _ in range(400)]
    assert 0.02 < np.mean(np.array(ps) <= 0.05) < 0.08


def test_many_pairs_take_random_flips_and_agree_with_all() -> None:
    random = np.random.default_rng(2)
    a = random.normal(size=15)
    b = a + random.normal(0.5, 1.0, size=15)
    exact_neighbour = paired(a[:14], b[:14]).p
    assert 0 < paired(a, b).p < max(0.5, 3 * exact_neighbour)


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="found 1 and 2"):
        paired([1.0, 2.0], [1.0])


@pytest.mark.parametrize("n", [2, 3, 5, 10, 40])
def test_the_smallest_difference_that_is_shown_is_shown_in_four_of_five_experiments(n: int) -> None:
    from scipy import stats

    draw = np.random.default_rng(n).normal(detectable(2.0, n), 2.0, (20_000, n))
    assert (stats.ttest_1samp(draw, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.01)
