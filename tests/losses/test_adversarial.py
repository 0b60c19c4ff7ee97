"""Adversarial losses against closed forms, and the registry of their pairs."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.config.registered import registered
from gannb.losses import adversarial as L

torch.manual_seed(0)
REAL, FAKE = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)


def entropy(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def test_bce_cannot_fall_below_the_entropy_of_its_target():
    """P4: the floor of D's loss on real images at label 0.9 is H(0.9) = 0.325."""
    at_optimum = L.bce(torch.tensor([math.log(9.0)]).double(), 0.9)
    assert at_optimum.item() == pytest.approx(entropy(0.9), abs=1e-12)
    assert entropy(0.9) == pytest.approx(0.325, abs=5e-4)
    logits = torch.linspace(-30, 30, 2001, dtype=torch.float64)
    assert min(L.bce(logit, 0.9).item() for logit in logits) >= entropy(0.9) - 1e-12


@settings(deadline=None)
@given(st.floats(-50, 50), st.floats(0, 1))
def test_bce_is_torchs_own(logit, target):
    logits = torch.tensor([logit], dtype=torch.float64)
    expected = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
    torch.testing.assert_close(L.bce(logits, target), expected)
    torch.testing.assert_close(L.bce(logits, torch.tensor(target, dtype=torch.float64)), expected)


def test_at_label_nine_tenths_a_perfect_generator_gives_d_045_for_both():
    """P3: with real 0.9 and fake 0.0 the optimum is 0.9 p / (p + q)."""
    logit = torch.zeros((), dtype=torch.float64, requires_grad=True)
    for _ in range(2000):
        (slope,) = torch.autograd.grad(L.bce(logit, 0.9) + L.bce(logit, 0.0), logit)
        logit = (logit - slope).detach().requires_grad_(True)
    assert logit.sigmoid().item() == pytest.approx(0.45, abs=1e-6)


def test_non_saturating_is_bce_with_hard_labels():
    torch.testing.assert_close(L.non_saturating_d(REAL, FAKE), L.bce(REAL, 1.0) + L.bce(FAKE, 0.0))
    torch.testing.assert_close(L.non_saturating_g(FAKE), L.bce(FAKE, 1.0))
    torch.testing.assert_close(L.saturating_g(FAKE), torch.log(1 - FAKE.sigmoid()).mean())


def test_a_sure_d_leaves_the_saturating_generator_without_a_gradient():
    """W16: where D is sure, one form of the loss still teaches and the other does not."""
    slopes = []
    for loss in (L.non_saturating_g, L.saturating_g, L.wasserstein_g):
        logits = torch.full((4,), -20.0, requires_grad=True)
        loss(logits).backward()
        slopes.append(logits.grad.abs().sum().item())
    assert slopes == pytest.approx([1, 0, 1], abs=1e-6)


def test_least_squares_at_the_labels():
    assert L.least_squares(torch.tensor([0.9, 0.1]), 0.9).item() == pytest.approx(0.32)
    assert L.least_squares(torch.tensor([0.1]), 0.9).item() == pytest.approx(0.64), "M5: (0.9 - 0.1)²"


def test_hinge_stops_at_its_margins():
    assert L.hinge_d(torch.tensor([1.0, 3.0]), torch.tensor([-1.0, -2.0])) == 0
    assert L.hinge_d(torch.tensor([0.0]), torch.tensor([0.5])) == 2.5
    assert L.hinge_g(torch.tensor([1.0, 2.0])) == -1.5


def test_relativistic_losses_see_only_differences_of_pairs():
    torch.testing.assert_close(L.relativistic_d(REAL, FAKE), L.relativistic_d(REAL + 7, FAKE + 7))
    torch.testing.assert_close(L.relativistic_g(REAL, FAKE), L.relativistic_d(FAKE, REAL))
    assert L.relativistic_d(REAL, REAL).item() == pytest.approx(math.log(2))
    with pytest.raises(ValueError, match=r"\(8,\) and \(1,\)"):
        L.relativistic_d(REAL, FAKE[:1])


def test_wasserstein_signs():
    """W6: the distance is E[real] - E[fake], the critic's loss its negative."""
    assert L.wasserstein(torch.tensor([3.0]), torch.tensor([1.0])) == 2
    assert L.wasserstein_d(torch.tensor([3.0]), torch.tensor([1.0])) == -2
    assert L.wasserstein_g(torch.tensor([1.0])) == -1


@pytest.mark.parametrize(
    "loss",
    [
        lambda r, f: L.bce(r, 0.9) + L.bce(f, 0.1),
        lambda r, f: L.least_squares(r, 0.9),
        L.non_saturating_d,
        L.relativistic_d,
        L.relativistic_g,
        L.wasserstein_d,
        lambda r, f: L.saturating_g(f),
    ],
)
def test_gradients_of_the_losses(loss):
    real, fake = REAL.clone().requires_grad_(True), FAKE.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(loss, (real, fake))


def test_the_floor_of_smoothed_cross_entropy_is_its_entropy() -> None:
    logits = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    least = min(float(L.bce(logit[None], 0.9)) for logit in logits)
    assert L.bce_floor(0.9) == pytest.approx(least, abs=1e-5) == pytest.approx(0.325, abs=1e-3)
    assert L.bce_floor(1.0) == 0


def test_the_optimal_output_against_a_perfect_generator_is_045_for_both() -> None:
    answers = torch.linspace(0.01, 0.99, 981, dtype=torch.float64)
    logits = answers.logit()
    both = [float(L.bce(x[None], 0.9) + L.bce(x[None], 0.0)) for x in logits]
    assert float(answers[int(torch.tensor(both).argmin())]) == pytest.approx(0.45, abs=1e-3)
    assert L.optimal_output(0.9, 0.0) == pytest.approx(0.45)


@pytest.mark.parametrize("name", L.LOSSES)
def test_every_pair_does_what_its_entry_says(name: str) -> None:
    loss = L.LOSSES[name]
    assert loss.d(REAL, FAKE).shape == () == loss.g(*((REAL, FAKE) if loss.paired else (FAKE,))).shape
    d_prefix = "non_saturating" if name == "saturating" else name
    assert (loss.d.__name__, loss.g.__name__) == (f"{d_prefix}_d", f"{name}_g")
    if loss.labels:
        assert loss.d(REAL, FAKE, 0.9, 0.1) != loss.d(REAL, FAKE) == loss.d(REAL, FAKE, 1.0, 0.0)
    else:
        with pytest.raises(TypeError):
            loss.d(REAL, FAKE, 0.9, 0.1)


@pytest.mark.parametrize("name", [name for name in L.LOSSES if name != "saturating"])
def test_a_step_down_each_side_brings_its_logits_where_it_should(name: str) -> None:
    """D's loss raises real logits over fake ones, G's raises the fake ones."""
    loss = L.LOSSES[name]
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    slope_real, slope_fake = torch.autograd.grad(loss.d(real, fake), (real, fake))
    assert (slope_real < 0).all() and (slope_fake >= 0).all() and (slope_real < slope_fake).all()
    (slope,) = torch.autograd.grad(loss.g(*((real, fake) if loss.paired else (fake,))), fake)
    assert (slope < 0).all()


def test_least_squares_takes_half_of_both_sides() -> None:
    assert L.least_squares_d(torch.tensor([0.9]), torch.tensor([0.5]), 1.0, 0.1).item() == pytest.approx(0.085)
    assert L.least_squares_g(torch.tensor([0.5]), 0.9).item() == pytest.approx(0.16)


def test_parameters_know_the_names_without_torch() -> None:
    assert registered("gannb.losses.adversarial", "LOSSES") == tuple(L.LOSSES)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_distance_of_scores_in_half_precision_has_the_digits_of_their_means(dtype):
    real, fake = (100 + x.to(dtype) for x in (REAL, FAKE))
    exact = real.double().mean() - fake.double().mean()
    assert L.wasserstein(real, fake).item() == pytest.approx(exact.item(), abs=1e-4)
    assert L.wasserstein_g(fake).item() == pytest.approx(-fake.double().mean().item(), abs=1e-4)
    assert L.wasserstein(REAL, FAKE).dtype == torch.float64
