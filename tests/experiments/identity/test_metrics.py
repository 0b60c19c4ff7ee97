"""Scores of a cleaning against closed forms and planted defects."""

import pytest
import torch

from gannb.experiments.identity import metrics
from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.metrics import Comparison
from gannb.experiments.identity.synthetic import synthesise
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
    found = metrics.compare(3 * plane(0, 60), data)
    assert torch.allclose(found.before, torch.tensor([0.5, 1.0]), atol=1e-6)
    assert torch.allclose(found.change, torch.tensor([0.5, -0.5]), atol=1e-6)
    assert found.yaw.tolist() == [80, 5] and found.harmed.tolist() == [False, True]


def test_compare_names_what_is_missing() -> None:
    data = Faces(plane(0), torch.tensor([0]), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="with_targets"):
        metrics.compare(plane(0), data)


def test_harm_is_a_fall_of_more_than_five_thousandths() -> None:
    found = compared([-0.006, -0.004, 0.0, 0.1], [0, 0, 40, 80])
    assert float(metrics.harm_rate(found)) == 0.25
    assert float(metrics.harm_rate(found, 0, 15)) == 0.5
    assert float(metrics.harm_rate(found, 60, 90)) == 0.0


def test_improvement_by_yaw_bins_every_face_once_and_takes_what_lies_beyond_ninety_along() -> None:
    found = compared([0.1, 0.2, 0.3, 0.4, 0.5], [0, 15, 74.9, 90, 100])
    table = metrics.by_yaw(found)
    assert table.column("faces") == [1, 1, 0, 0, 1, 2]
    assert table.column("change")[5] == pytest.approx(0.45)
    assert float(metrics.improvement(found)) == pytest.approx(0.3)
    assert float(metrics.improvement(found, 60, 90)) == pytest.approx(0.4)
    with pytest.raises(ScoreMissing, match="no face"):
        float(metrics.improvement(found, 30, 45))


def test_an_advantage_is_paired_face_by_face() -> None:
    spread = torch.linspace(-1, 1, 8).tolist()
    one, other = compared([x + 0.1 for x in spread], [0, 80] * 4), compared(spread, [0, 80] * 4)
    found = metrics.advantage(one, other)
    assert float(found) == pytest.approx(0.1) and found.error < 1e-6  # what the faces share cancels
    assert float(metrics.advantage(other, one, 60, 90)) == pytest.approx(-0.1)
    with pytest.raises(ValueError, match="same faces"):
        metrics.advantage(one, compared(spread, [0] * 8))


def test_the_error_of_a_mean_is_the_standard_error_over_people() -> None:
    people = torch.arange(40).repeat_interleave(5)
    values = torch.randn(40, generator=torch.Generator().manual_seed(0)).repeat_interleave(5)
    found = metrics.improvement(Comparison(torch.zeros(200), values, torch.zeros(200), people))
    assert found.error == pytest.approx(values[::5].std().item() / 40**0.5, rel=0.1)


def test_intervals_are_over_people_not_faces() -> None:
    change, people = torch.tensor([0.0] * 50 + [1.0] * 50), [0] * 50 + [1] * 50
    low, high = metrics.mean_interval(change, torch.tensor(people))
    assert (low, high) == (0, 1)  # two people: either may be drawn twice
    low, high = metrics.mean_interval(change, torch.arange(100))
    assert 0.35 < low < 0.45 and 0.55 < high < 0.65


def test_bootstrap_interval_covers_a_normal_mean() -> None:
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high = metrics.mean_interval(values, torch.arange(400))
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.12)


@pytest.mark.parametrize("left", [0.0, 0.3, 1.0])
def test_removed_energy_of_a_partial_projection(left: float) -> None:
    data = Faces(plane(30, 60), torch.tensor([0, 1]), torch.zeros(2, 3), planted=torch.eye(512)[:, 1:2])
    cleaned = data.features.clone()
    cleaned[:, 1] *= left
    had = torch.tensor([0.25, 0.75])
    rest = left**2 * had / (1 - had + left**2 * had)
    found = float(metrics.removed_energy(cleaned, data))
    assert found == pytest.approx((1 - rest.sum() / had.sum()).item(), abs=1e-5)


def test_shrinking_a_feature_removes_nothing() -> None:
    data = synthesise(5, 6, seed=0)
    assert float(metrics.removed_energy(0.1 * data.features, data)) == pytest.approx(0, abs=1e-5)
    exact = data.features - data.features @ data.planted @ data.planted.T
    score = metrics.removed_energy(exact, data)
    assert float(score) == pytest.approx(1, abs=1e-5)
    assert score.interval[0] <= score.interval[1] <= 1.000001


def test_removed_energy_of_real_features_is_not_had() -> None:
    data = Faces(plane(0), torch.tensor([0]), torch.zeros(1, 3))
    assert "no planted subspace" in metrics.removed_energy(plane(0), data).reason


def test_judge_of_the_raw_features_finds_no_change_and_of_the_exact_removal_finds_it() -> None:
    data = synthesise(12, 16, seed=0).with_targets()
    nothing = metrics.evaluate(data.features, data)
    assert float(nothing.improvement) == 0 and float(nothing.harm_rate) == 0
    assert float(nothing.accuracy) == float(nothing.accuracy_raw)
    exact = metrics.evaluate(data.features - data.features @ data.planted @ data.planted.T, data)
    assert float(exact.removed_energy) > 0.999 and float(exact.improvement_60_90) > 0.05
    assert float(exact.accuracy) >= float(exact.accuracy_raw)


def test_judge_notices_a_model_that_harms() -> None:
    data = synthesise(12, 16, seed=0).with_targets()
    noise = torch.randn(data.features.shape, generator=torch.Generator().manual_seed(0)) / 512**0.5
    harmed = metrics.evaluate(data.features + noise, data)
    assert float(harmed.harm_rate) > 0.95 and float(harmed.improvement) < -0.1
    assert float(harmed.harm_rate_0_15) > 0.95
