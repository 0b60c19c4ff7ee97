"""Precision, recall, density, coverage and copies: closed forms, planted defects, torch-fidelity."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.metrics.neighbours import copies, nearest, support


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_precision_and_recall_equal_torch_fidelity():
    from torch_fidelity.metric_prc import prc_features_to_metric

    x, y = normal(150, 8, 1), normal(200, 8, 2, 0.7)
    theirs = prc_features_to_metric(y, x, prc_neighborhood=3, prc_batch_size=64, save_cpu_ram=False, verbose=False)
    ours = support(x, y)
    assert ours.precision == pytest.approx(theirs["precision"], rel=1e-4)
    assert ours.recall == pytest.approx(theirs["recall"], rel=1e-4)
    assert 0 < ours.precision < 1 and 0 < ours.recall < 1


def test_density_and_coverage_by_their_definition():
    x, y, k = normal(40, 3, 1), normal(30, 3, 2, 0.5), 5
    radius = torch.cdist(x, x).sort(1).values[:, k]
    within = torch.cdist(y, x) <= radius
    found = support(x, y, k_density=k)
    assert found.density == pytest.approx(float(within.double().sum()) / (k * 30))
    assert found.coverage == pytest.approx(float(within.any(0).double().mean()))


def test_identical_sets_and_sets_far_apart():
    x = normal(60, 4, 1)
    same, apart = support(x, x.clone()), support(x, x + 100)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert (apart.precision, apart.recall, apart.density, apart.coverage) == (0, 0, 0, 0)


def test_a_missing_mode_costs_recall_and_coverage_but_not_precision():
    left, right = normal(100, 3, 1, -20), normal(100, 3, 2, 20)
    found = support(torch.cat([left, right]), normal(200, 3, 3, -20))
    assert found.precision > 0.85
    assert 0.35 < found.recall <= 0.5 and 0.4 < found.coverage <= 0.5


def test_one_image_over_and_over_has_precision_but_no_recall():
    x = normal(100, 3, 1)
    found = support(x, x[:1].repeat(50, 1))
    assert found.precision == 1 and found.recall <= 0.02 and found.coverage < 0.2


def test_blocks_of_rows_change_nothing(monkeypatch):
    from gannb.metrics import neighbours

    x, y = normal(50, 3, 1), normal(60, 3, 2)
    whole = support(x, y)
    monkeypatch.setattr(neighbours, "ROWS_AT_ONCE", 7)
    assert support(x, y) == whole


@settings(max_examples=20, deadline=None)
@given(st.integers(6, 30), st.integers(6, 30), st.integers(0, 10**6))
def test_shares_stay_shares_and_order_does_not_matter(n, m, seed):
    x, y = normal(n, 3, seed), normal(m, 3, seed + 1)
    found = support(x, y)
    assert all(0 <= share <= 1 for share in (found.precision, found.recall, found.coverage))
    assert 0 <= found.density <= n / 5
    assert support(x.flip(0), y.flip(0)) == found


def test_too_few_images_are_named():
    with pytest.raises(ValueError, match="6 real images are needed for their 5th neighbour; found 4"):
        support(normal(4, 3, 1), normal(50, 3, 2))


def test_nearest_finds_the_original_of_a_copy():
    train = normal(30, 6, 1)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nearest(train[order] + 0.01 * normal(30, 6, 2), train), order)


def test_no_copying_gives_a_half_whatever_the_sizes():
    found = copies(normal(400, 6, 1), normal(240, 6, 2), normal(60, 6, 3))
    assert found.n_each == 60 and found.share == pytest.approx(0.5, abs=0.1)
    # The larger set would win by its size alone, were they not made equally many.
    assert abs(found.share - 0.5) < 3 * found.error


@pytest.mark.parametrize("copied", [0.0, 0.5, 1.0])
def test_share_of_copies_is_found(copied):
    train, held_out = normal(80, 20, 1), normal(80, 20, 2)
    n = 200
    fresh = normal(n - int(copied * n), 20, 3)
    near = train[torch.arange(int(copied * n)) % 80] + 0.01 * normal(int(copied * n), 20, 4)
    found = copies(torch.cat([fresh, near]), train, held_out)
    assert found.share == pytest.approx(copied + 0.5 * (1 - copied), abs=0.08)


def test_copies_are_diluted_by_the_draws_that_leave_their_original_out():
    train, held_out = normal(200, 20, 1), normal(50, 20, 2)
    found = copies(train + 0.01 * normal(200, 20, 4), train, held_out)
    # The original is among the 50 drawn of 200 in a quarter of the draws, else it is even.
    assert found.share == pytest.approx(0.25 + 0.75 * 0.5, abs=0.07)


def test_ties_count_half():
    x = normal(30, 4, 1)
    assert copies(normal(20, 4, 2), x, x.clone()).share == 0.5


def test_draws_follow_the_seed():
    arguments = normal(100, 4, 1), normal(90, 4, 2), normal(30, 4, 3)
    assert copies(*arguments, seed=1) == copies(*arguments, seed=1)
    assert copies(*arguments, seed=1) != copies(*arguments, seed=2)
