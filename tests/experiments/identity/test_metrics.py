"""Scores of a cleaning against closed forms and planted defects."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from gannb.experiments.identity import faces
from gannb.experiments.identity import metrics as judge
from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.metrics import Comparison
from gannb.metrics.score import ScoreMissing


def compared(change: list[float], yaw: list[float], person: list[int] | None = None) -> Comparison:
    before = torch.full((len(change),), 0.5)
    people = torch.tensor(person or list(range(len(change))))
    return Comparison(before, before + torch.tensor(change), torch.tensor(yaw), people)


def plane(*degrees: float) -> torch.Tensor:
    """Unit features in the plane of the first two axes."""
    angle = torch.deg2rad(torch.tensor(degrees))
    features = torch.zeros(len(degrees), 512)
    features[:, 0], features[:, 1] = angle.cos(), angle.sin()
    return features


def test_compare_gives_cosines_to_the_target() -> None:
    pose = torch.tensor([[-80.0, 0, 0], [5.0, 0, 0]])
    data = Faces(plane(60, 0), torch.tensor([0, 0]), pose, target=plane(0, 0))
    found = judge.compare(3 * plane(0, 60), data)
    assert torch.allclose(found.before, torch.tensor([0.5, 1.0]), atol=1e-6)
    assert torch.allclose(found.change, torch.tensor([0.5, -0.5]), atol=1e-6)
    assert found.yaw.tolist() == [80, 5] and found.harmed.tolist() == [False, True]


def test_compare_names_what_is_missing() -> None:
    data = Faces(plane(0), torch.tensor([0]), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="with_targets"):
        judge.compare(plane(0), data)


def test_harm_is_a_fall_of_more_than_five_thousandths() -> None:
    found = compared([-0.006, -0.004, 0.0, 0.1], [0, 0, 40, 80])
    assert float(judge.harm_rate(found)) == 0.25
    assert float(judge.harm_rate(found, 0, 15)) == 0.5
    assert float(judge.harm_rate(found, 60, 90)) == 0.0


def test_improvement_by_yaw_bins_every_face_once_and_takes_what_lies_beyond_ninety_along() -> None:
    found = compared([0.1, 0.2, 0.3, 0.4, 0.5], [0, 15, 74.9, 90, 100])
    table = judge.by_yaw(found)
    assert table.column("faces") == [1, 1, 0, 0, 1, 2]
    assert table.column("change")[5] == pytest.approx(0.45)
    assert float(judge.improvement(found)) == pytest.approx(0.3)
    assert float(judge.improvement(found, 60, 90)) == pytest.approx(0.4)
    with pytest.raises(ScoreMissing, match="no face"):
        float(judge.improvement(found, 30, 45))


def test_an_advantage_is_paired_face_by_face() -> None:
    spread = torch.linspace(-1, 1, 8).tolist()
    one, other = compared([x + 0.1 for x in spread], [0, 80] * 4), compared(spread, [0, 80] * 4)
    found = judge.advantage(one, other)
    assert float(found) == pytest.approx(0.1) and found.error < 1e-6  # what the faces share cancels
    assert float(judge.advantage(other, one, 60, 90)) == pytest.approx(-0.1)
    with pytest.raises(ValueError, match="same faces"):
        judge.advantage(one, compared(spread, [0] * 8))


def test_the_error_of_a_mean_is_the_standard_error_over_people() -> None:
    people = torch.arange(40).repeat_interleave(5)
    values = torch.randn(40, generator=torch.Generator().manual_seed(0)).repeat_interleave(5)
    found = judge.improvement(Comparison(torch.zeros(200), values, torch.zeros(200), people))
    assert found.error == pytest.approx(values[::5].std().item() / 40**0.5, rel=0.1)


def test_intervals_are_over_people_not_faces() -> None:
    change, people = torch.tensor([0.0] * 50 + [1.0] * 50), [0] * 50 + [1] * 50
    low, high = judge.mean_interval(change, torch.tensor(people))
    assert (low, high) == (0, 1)  # two people: either may be drawn twice
    low, high = judge.mean_interval(change, torch.arange(100))
    assert 0.35 < low < 0.45 and 0.55 < high < 0.65


def test_bootstrap_interval_covers_a_normal_mean() -> None:
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high = judge.mean_interval(values, torch.arange(400))
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.12)


@given(hits=st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_wilson_holds_the_share_and_is_never_empty(hits: int) -> None:
    low, high = judge.wilson(hits, 50)
    assert 0 <= low <= hits / 50 <= high <= 1 and high - low > 0.05


def test_wilson_against_a_known_value() -> None:
    assert judge.wilson(0, 100) == pytest.approx((0, 0.0370), abs=1e-4)
    assert judge.wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)


@pytest.mark.parametrize("left", [0.0, 0.3, 1.0])
def test_removed_energy_of_a_partial_projection(left: float) -> None:
    data = Faces(plane(30, 60), torch.tensor([0, 1]), torch.zeros(2, 3), planted=torch.eye(512)[:, 1:2])
    cleaned = data.features.clone()
    cleaned[:, 1] *= left
    had = torch.tensor([0.25, 0.75])
    rest = left**2 * had / (1 - had + left**2 * had)
    found = float(judge.removed_energy(cleaned, data))
    assert found == pytest.approx((1 - rest.sum() / had.sum()).item(), abs=1e-5)


def test_shrinking_a_feature_removes_nothing() -> None:
    data = faces.make(5, 6, seed=0)
    assert float(judge.removed_energy(0.1 * data.features, data)) == pytest.approx(0, abs=1e-5)
    exact = data.features - data.features @ data.planted @ data.planted.T
    score = judge.removed_energy(exact, data)
    assert float(score) == pytest.approx(1, abs=1e-5)
    assert score.interval[0] <= score.interval[1] <= 1.000001


def test_removed_energy_of_real_features_is_not_had() -> None:
    data = Faces(plane(0), torch.tensor([0]), torch.zeros(1, 3))
    assert "no planted subspace" in judge.removed_energy(plane(0), data).reason


def test_verification_of_separate_scores_is_perfect_and_of_equal_ones_chance() -> None:
    same = torch.arange(400) % 2 == 0
    assert float(judge.verification_accuracy(same.float(), same)) == 1
    blind = torch.rand(4000, generator=torch.Generator().manual_seed(0))
    chance = judge.verification_accuracy(blind, torch.arange(4000) % 2 == 0)
    assert abs(float(chance) - 0.5) < 4 * max(chance.error, 0.008)


def test_the_threshold_of_a_fold_is_chosen_on_the_others() -> None:
    # Noise that a threshold could fit on 10 pairs: chosen on the tenth itself, accuracy would be far above one half.
    scores = torch.rand(200, generator=torch.Generator().manual_seed(1))
    same = torch.arange(200) % 2 == 0
    assert float(judge.verification_accuracy(scores, same)) < 0.6


def test_verification_accuracy_of_two_gaussians() -> None:
    draw = torch.randn(20000, generator=torch.Generator().manual_seed(2))
    same = torch.arange(20000) % 2 == 0
    found = judge.verification_accuracy(draw + 2 * same, same)
    assert float(found) == pytest.approx(0.8413, abs=0.01)  # Φ(1)


def test_best_threshold_does_not_split_equal_scores() -> None:
    scores = torch.tensor([0.9, 0.5, 0.5, 0.5, 0.1])
    same = torch.tensor([True, True, False, False, False])
    threshold = judge.best_threshold(scores, same)
    assert 0.5 < threshold < 0.9 or 0.1 < threshold < 0.5


def test_true_accepts_against_sklearn() -> None:
    draw = torch.randn(3000, generator=torch.Generator().manual_seed(3))
    same = torch.arange(3000) % 3 == 0
    scores = draw + 1.5 * same
    far, tar, _ = roc_curve(same.numpy(), scores.numpy(), drop_intermediate=False)
    for rate in (0.1, 0.01, 0.001):
        wanted = tar[far <= rate + 1e-12].max()
        assert float(judge.true_accepts(scores, same, rate)) == pytest.approx(wanted, abs=1e-9)


def test_true_accepts_needs_enough_impostors() -> None:
    same = torch.arange(40) % 2 == 0
    assert "20 different pairs" in judge.true_accepts(torch.rand(40), same, 0.01).reason


def test_pairs_are_one_frontal_one_profile_and_know_who_is_who() -> None:
    data = faces.make(8, 12, seed=0)
    pairs = judge.frontal_profile_pairs(data, most=20)
    assert len(pairs.same) == 20 * len(pairs.profile.unique()) <= 400
    assert (data.yaw[pairs.frontal] < 15).all() and (data.yaw[pairs.profile] >= 60).all()
    assert torch.equal(pairs.same, data.identity[pairs.frontal] == data.identity[pairs.profile])
    assert 0 < pairs.same.sum() < len(pairs.same)


def test_judge_of_the_raw_features_finds_no_change_and_of_the_exact_removal_finds_it() -> None:
    data = faces.make(12, 16, seed=0).with_targets()
    nothing = judge.judge(data.features, data)
    assert float(nothing.improvement) == 0 and float(nothing.harm_rate) == 0
    assert float(nothing.accuracy) == float(nothing.accuracy_raw)
    exact = judge.judge(data.features - data.features @ data.planted @ data.planted.T, data)
    assert float(exact.removed_energy) > 0.999 and float(exact.improvement_60_90) > 0.05
    assert float(exact.accuracy) >= float(exact.accuracy_raw)


def test_judge_notices_a_model_that_harms() -> None:
    data = faces.make(12, 16, seed=0).with_targets()
    noise = torch.randn(data.features.shape, generator=torch.Generator().manual_seed(0)) / 512**0.5
    harmed = judge.judge(data.features + noise, data)
    assert float(harmed.harm_rate) > 0.95 and float(harmed.improvement) < -0.1
    assert float(harmed.harm_rate_0_15) > 0.95
