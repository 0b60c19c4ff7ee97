"""Floor, ratio, error and extrapolation on Gaussians whose answers are known."""

import numpy as np
import pytest
import torch

from gannb.metrics.frechet import Moments, frechet_distance
from gannb.metrics.small_sample import extrapolate, grouped_jackknife, halves


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_a_perfect_generator_stands_at_the_floor():
    found = halves(normal(300, 12, 1), normal(500, 12, 2))
    assert found.size == 150 and len(found.floor) == len(found.generated) == 20
    assert found.ratio == pytest.approx(1, abs=0.15)
    assert found.floor.mean() > 0.3  # though the two distributions are the same


def test_floor_is_the_known_bias_of_two_finite_samples():
    n, d = 200, 4
    floors = [halves(normal(2 * n, d, seed), normal(n, d, 99), draws=5).floor.mean() for seed in range(20)]
    # Means: 2d/n. Covariances: |Δ|²/4 for a small Δ of two Wishart matrices, d(d+1)/(2n).
    assert np.mean(floors) == pytest.approx(2 * d / n + d * (d + 1) / (2 * n), rel=0.1)


def test_copying_the_reals_falls_below_the_floor():
    real = normal(300, 12, 1)
    assert halves(real, real.clone()).ratio < 0.8


def test_a_shift_shows_in_the_ratio():
    found = halves(normal(300, 12, 1), normal(500, 12, 2, 0.5))
    assert found.ratio == pytest.approx(1 + 12 * 0.25 / found.floor.mean(), rel=0.15)
    assert found.ratio_error > 0


def test_draws_follow_the_seed():
    x, y = normal(40, 3, 1), normal(50, 3, 2)
    assert np.array_equal(halves(x, y, seed=1).floor, halves(x, y, seed=1).floor)
    assert not np.array_equal(halves(x, y, seed=1).floor, halves(x, y, seed=2).floor)


@pytest.mark.parametrize(("real", "message"), [(normal(3, 2, 1), "found 3"), (torch.ones(20, 2), "all alike")])
def test_no_floor_where_there_is_none(real, message):
    with pytest.raises(ValueError, match=message):
        halves(real, normal(20, 2, 2))


def test_jackknife_error_is_the_spread_over_fresh_samples():
    real = Moments.of(normal(2000, 5, 1, 0.5))
    fakes = [normal(200, 5, 10 + seed) for seed in range(60)]
    spread = np.std([frechet_distance(real, fake) for fake in fakes])
    assert np.mean([grouped_jackknife(real, fake) for fake in fakes]) == pytest.approx(spread, rel=0.25)


def test_extrapolation_reaches_the_limit_of_many_images():
    many = normal(200_000, 8, 1)
    real = Moments.of(many)
    found = np.array([extrapolate(real, normal(400, 8, 10 + seed, 0.3), seed) for seed in range(20)])
    plain = np.mean([frechet_distance(real, normal(400, 8, 10 + seed, 0.3)) for seed in range(20)])
    limit = 8 * 0.09
    assert abs(found[:, 0].mean() - limit) < 0.5 * (plain - limit)
    with pytest.raises(ValueError, match="at least 100 generated images; found 99"):
        extrapolate(real, normal(99, 8, 1))
