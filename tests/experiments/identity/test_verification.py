"""Verification scores against closed forms and scikit-learn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from gannb.experiments.identity import verification
from gannb.experiments.identity.synthetic import synthesise


@given(hits=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_wilson_holds_the_share_and_is_never_empty(hits: int) -> None:
    low, high = verification.wilson(hits, 50)
    assert 0 <= low <= hits / 50 <= high <= 1 and high - low > 0.05


def test_wilson_against_a_known_value() -> None:
    assert verification.wilson(0, 100) == pytest.approx((0, 0.0370), abs=1e-4)
    assert verification.wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_verification_of_separate_scores_is_perfect_and_of_equal_ones_chance() -> None:
    same = torch.arange(400) % 2 == 0
    assert float(verification.verification_accuracy(same.float(), same)) == 1
    blind = torch.rand(4000, generator=torch.Generator().manual_seed(0))
    chance = verification.verification_accuracy(blind, torch.arange(4000) % 2 == 0)
    assert abs(float(chance) - 0.5) < 4 * max(chance.error, 0.008)


def test_the_threshold_of_a_fold_is_chosen_on_the_others() -> None:
    # Noise that a threshold could fit on 10 pairs: chosen on the tenth itself, accuracy would be far above one half.
    scores = torch.rand(200, generator=torch.Generator().manual_seed(1))
    same = torch.arange(200) % 2 == 0
    assert float(verification.verification_accuracy(scores, same)) < 0.6


def test_verification_accuracy_of_two_gaussians() -> None:
    draw = torch.randn(20000, generator=torch.Generator().manual_seed(2))
    same = torch.arange(20000) % 2 == 0
    found = verification.verification_accuracy(draw + 2 * same, same)
    assert float(found) == pytest.approx(0.8413, abs=0.01)  # Φ(1)


def test_best_threshold_does_not_split_equal_scores() -> None:
    scores = torch.tensor([0.9, 0.5, 0.5, 0.5, 0.1])
    same = torch.tensor([True, True, False, False, False])
    threshold = verification.best_threshold(scores, same)
    assert 0.5 < threshold < 0.9 or 0.1 < threshold < 0.5


def test_true_accepts_against_sklearn() -> None:
    draw = torch.randn(3000, generator=torch.Generator().manual_seed(3))
    same = torch.arange(3000) % 3 == 0
    scores = draw + 1.5 * same
    far, tar, _ = roc_curve(same.numpy(), scores.numpy(), drop_intermediate=False)
    for rate in (0.1, 0.01, 0.001):
        wanted = tar[far <= rate + 1e-12].max()
        assert float(verification.true_accepts(scores, same, rate)) == pytest.approx(wanted, abs=1e-9)


def test_true_accepts_needs_enough_impostors() -> None:
    same = torch.arange(40) % 2 == 0
    assert "20 different pairs" in verification.true_accepts(torch.rand(40), same, 0.01).reason


def test_pairs_are_one_frontal_one_profile_and_know_who_is_who() -> None:
    data = synthesise(8, 12, seed=0)
    pairs = verification.frontal_profile_pairs(data, most=20)
    assert len(pairs.same) == 20 * len(pairs.profile.unique()) <= 400
    assert (data.yaw[pairs.frontal] < 15).all() and (data.yaw[pairs.profile] >= 60).all()
    assert torch.equal(pairs.same, data.identity[pairs.frontal] == data.identity[pairs.profile])
    assert 0 < pairs.same.sum() < len(pairs.same)
