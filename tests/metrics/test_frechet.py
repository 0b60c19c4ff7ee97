"""The Fréchet distance against closed forms, scipy's square root, pytorch-fid and torch-fidelity."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from gannb.metrics.frechet import Moments, StreamingMoments, frechet, frechet_distance


def normal(n, d, seed, scale=1.0, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale + shift


def by_sqrtm(x, y):
    a, b = (np.cov(v.double().numpy(), rowvar=False) for v in (x, y))
    root = linalg.sqrtm(a @ b).real
    gap = (x.double().mean(0) - y.double().mean(0)).square().sum()
    return float(gap) + float(np.trace(a) + np.trace(b) - 2 * np.trace(root))


@pytest.mark.parametrize(("n", "m", "d"), [(30, 50, 80), (300, 50, 80), (50, 300, 80), (200, 300, 40), (81, 80, 80)])
def test_equals_the_matrix_square_root_on_every_path(n, m, d):
    mix = normal(d, d, 9) / d**0.5
    x, y = normal(n, d, 1) @ mix, normal(m, d, 2, 1.3, 0.2) @ mix
    assert frechet_distance(x, y) == pytest.approx(by_sqrtm(x, y), rel=1e-6)


@pytest.fixture
def two_sets():
    """More samples than features: scipy's square root of a singular matrix is imaginary on some machines."""
    return normal(250, 100, 1).abs(), normal(350, 100, 2, 1.2).abs()


def test_equals_pytorch_fid(two_sets, with_pytorch_fid):
    from pytorch_fid.fid_score import calculate_frechet_distance

    statistics = [part for v in two_sets for part in (v.numpy().mean(0), np.cov(v.numpy(), rowvar=False))]
    assert frechet_distance(*two_sets) == pytest.approx(calculate_frechet_distance(*statistics), rel=1e-4)


def test_equals_torch_fidelity(two_sets):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    theirs = fid_statistics_to_metric(*map(fid_features_to_statistics, two_sets), verbose=False)
    assert frechet_distance(*two_sets) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)


def test_shifted_and_scaled_copies_have_closed_forms():
    x = normal(400, 20, 3)
    shift = torch.linspace(-1, 1, 20, dtype=torch.float64)
    assert frechet_distance(x, x + shift) == pytest.approx(float(shift.square().sum()), rel=1e-9)
    centred = x - x.mean(0)
    # Σ → s²Σ: (s − 1)² tr Σ
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * float(centred.var(0).sum()), rel=1e-9)


def test_two_gaussians_with_diagonal_covariances():
    n = 100_000
    x, y = normal(n, 3, 4) * torch.tensor([1.0, 2, 3]), normal(n, 3, 5) * torch.tensor([2.0, 2, 1]) + 1
    assert frechet_distance(x, y) == pytest.approx(3 + 1 + 0 + 4, rel=0.02)


@pytest.mark.parametrize(("n", "d"), [(10, 30), (100, 30)])
def test_identical_sets_are_at_zero_within_the_stated_rounding(n, d):
    x = normal(n, d, 6)
    found = frechet(x, x.clone())
    assert found.value <= found.rounding + 1e-9 * float(x.var(0).sum())
    assert found.rounding < 1e-4


def test_rounding_bound_holds_on_a_nearly_singular_pair():
    thin = normal(500, 3, 7) @ normal(3, 40, 8)
    x, y = thin[:250], thin[250:] * 1.1
    found = frechet(x, y)
    factor = np.linalg.qr((normal(3, 40, 8)).numpy().T)[0]  # the 3 dimensions in which anything happens
    exact = by_sqrtm(x @ torch.from_numpy(factor), y @ torch.from_numpy(factor))
    assert abs(found.value - exact) <= found.rounding + 1e-9 * exact


def test_a_collapsed_generator_has_a_finite_distance():
    x, one = normal(300, 10, 1), torch.ones(50, 10, dtype=torch.float64)
    expected = float(x.var(0).sum() + (x.mean(0) - 1).square().sum())
    assert frechet_distance(x, one) == pytest.approx(expected)
    assert frechet_distance(one, one) == 0


def test_one_mode_missing_costs_what_two_bernoullis_do():
    both = torch.tensor([-1.0, 1.0]).repeat(500)[:, None].double()
    one = torch.ones(1000, 1, dtype=torch.float64)
    assert frechet_distance(both, one) == pytest.approx(1 + 1000 / 999, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 20), st.integers(0, 10**6), st.floats(0.1, 10))
def test_invariances(n, m, d, seed, scale):
    x, y = normal(n, d, seed), normal(m, d, seed + 1, 1.5, 0.5)
    base = frechet_distance(x, y)
    near = pytest.approx(base, rel=1e-6, abs=1e-6)
    assert base >= 0
    assert frechet_distance(y, x) == near
    rotation = torch.linalg.qr(normal(d, d, seed + 2)).Q
    assert frechet_distance(x @ rotation + 7, y @ rotation + 7) == near
    assert frechet_distance(x[torch.randperm(n)], y) == near
    assert frechet_distance(x * scale, y * scale) == pytest.approx(base * scale**2, rel=1e-6, abs=1e-6 * scale**2)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.integers(1, 12), st.integers(1, 60), st.integers(0, 10**6))
def test_streaming_equals_at_once_however_it_is_cut(n, d, batch, seed):
    x = normal(n, d, seed, shift=1000)  # a large mean must not cancel the covariance away
    stream = StreamingMoments()
    for part in x.split(batch):
        stream.add(part)
    found = stream.moments()
    assert torch.allclose(found.mean, x.mean(0), rtol=1e-12)
    assert torch.allclose(found.covariance, torch.cov(x.T).reshape(d, d), rtol=1e-7, atol=1e-9)


def test_merged_moments_are_those_of_both_sets():
    x, y = normal(40, 6, 1), normal(70, 6, 2, 2, 3)
    merged, whole = Moments.of(x).merged(Moments.of(y)), Moments.of(torch.cat([x, y]))
    assert merged.n == 110
    assert torch.allclose(merged.mean, whole.mean) and torch.allclose(merged.covariance, whole.covariance)


def test_single_precision_features_give_the_same_distance():
    x, y = normal(60, 100, 1, shift=3), normal(80, 100, 2, shift=3)
    assert frechet_distance(x.float(), y.float()) == pytest.approx(frechet_distance(x, y), rel=1e-5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.ones(1, 4), "at least 2 feature vectors; found 1"),
        (torch.ones(4), r"found shape \(4,\)"),
        (
            torch.tensor([[1.0, 2], [3, float("nan")], [0, 0]]),
            r"1 of 3 feature vectors are not finite \(first: row 1\)",
        ),
    ],
)
def test_bad_features_are_named(x, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(x, torch.ones(3, 4))


def test_different_widths_are_an_error():
    with pytest.raises(ValueError, match="width 4 and 5"):
        frechet_distance(torch.ones(3, 4), torch.ones(3, 5))
