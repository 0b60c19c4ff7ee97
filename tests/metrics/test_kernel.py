"""The kernel distance against torch-fidelity, a slow jackknife, and what it should be on average."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.metrics.kernel import kernel_distance


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


KWARGS = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}


def test_equals_torch_fidelity_on_all_images():
    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = normal(120, 16, 1), normal(120, 16, 2, 0.3)
    whole = kid_features_to_metric(y, x, kid_subsets=1, kid_subset_size=120, rng_seed=2020, verbose=False, **KWARGS)
    assert kernel_distance(x, y)[0] == pytest.approx(whole["kernel_inception_distance_mean"], rel=1e-4)


def test_jackknife_equals_leaving_out_one_by_one():
    x, y = normal(9, 4, 1), normal(7, 4, 2, 1)
    left_x = np.array([kernel_distance(x[torch.arange(9) != i], y)[0] for i in range(9)])
    left_y = np.array([kernel_distance(x, y[torch.arange(7) != i])[0] for i in range(7)])
    expected = np.sqrt(8 / 9 * ((left_x - left_x.mean()) ** 2).sum() + 6 / 7 * ((left_y - left_y.mean()) ** 2).sum())
    assert kernel_distance(x, y)[1] == pytest.approx(expected, rel=1e-9)


def test_unbiased_and_the_error_is_of_the_right_size():
    found = [kernel_distance(normal(40, 5, s), normal(30, 5, 1000 + s)) for s in range(150)]
    values = np.array(found)[:, 0]
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))
    far = np.array([kernel_distance(normal(40, 5, s), normal(30, 5, 1000 + s, 1.0)) for s in range(100)])
    assert far[:, 1].mean() == pytest.approx(far[:, 0].std(), rel=0.3)


@settings(max_examples=20, deadline=None)
@given(st.integers(3, 30), st.integers(3, 30), st.integers(1, 8), st.integers(0, 10**6))
def test_symmetric_and_blind_to_order(n, m, d, seed):
    x, y = normal(n, d, seed), normal(m, d, seed + 1, 0.5)
    value, error = kernel_distance(x, y)
    assert kernel_distance(y, x) == pytest.approx((value, error), rel=1e-9, abs=1e-12)
    assert kernel_distance(x.flip(0), y)[0] == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_blocks_of_rows_change_nothing(monkeypatch):
    from gannb.metrics import kernel

    x, y = normal(50, 6, 1), normal(40, 6, 2)
    whole = kernel_distance(x, y)
    monkeypatch.setattr(kernel, "ROWS_AT_ONCE", 7)
    assert kernel_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_too_few_images():
    with pytest.raises(ValueError, match="at least 3"):
        kernel_distance(normal(2, 4, 1), normal(9, 4, 2))
