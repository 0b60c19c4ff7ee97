"""Adversarial losses against closed forms, penalties against critics whose slope is known."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

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


class Linear(nn.Module):
    """A critic of known slope: the same weight on every value of `[N, T, F]`."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weight.to(x.dtype) * x.flatten(1).sum(dim=1)


def test_the_penalty_takes_the_norm_over_the_whole_sample():
    """W4: on [B, T, F] = [5, 6, 4] a weight of 1 has slope √24, not √6."""
    real, fake, mix = torch.randn(5, 6, 4), torch.randn(5, 6, 4), torch.rand(5)
    penalty, norms = L.gradient_penalty(Linear(1.0), real, fake, mix)
    torch.testing.assert_close(norms, torch.full((5,), math.sqrt(24)))
    assert penalty.item() == pytest.approx((math.sqrt(24) - 1) ** 2, rel=1e-5)
    assert not norms.requires_grad


def test_one_sided_forgives_small_slopes():
    real, fake, mix = torch.randn(5, 4), torch.randn(5, 4), torch.rand(5)
    for weight, one, two in ((0.25, 0.0, 0.25), (1.0, 1.0, 1.0)):  # slopes 0.5 and 2
        assert L.gradient_penalty(Linear(weight), real, fake, mix, one_sided=True)[0].item() == pytest.approx(one)
        assert L.gradient_penalty(Linear(weight), real, fake, mix)[0].item() == pytest.approx(two, rel=1e-5)


def test_the_penalty_looks_between_real_and_fake():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.flatten(1).sum(dim=1)

    mix = torch.tensor([0.0, 0.25, 1.0])
    L.gradient_penalty(critic, torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2), mix)
    assert torch.equal(seen[0][:, 0, 0, 0], mix)


def test_a_flat_critic_gives_a_finite_gradient():
    """√ has an infinite slope at 0, so ε stands inside the root."""
    critic = Linear(0.0)
    penalty, _ = L.gradient_penalty(critic, torch.randn(3, 4), torch.randn(3, 4), torch.rand(3))
    penalty.backward()
    assert torch.isfinite(critic.weight.grad)
    assert penalty.item() == pytest.approx(1, abs=1e-5)


def test_r1_and_r2_are_half_the_squared_slope():
    x = torch.randn(5, 3, 2)
    assert L.r1(Linear(2.0), x).item() == pytest.approx(4 * 6 / 2)
    assert L.r2(Linear(2.0), x).item() == pytest.approx(4 * 6 / 2)


def test_penalties_are_computed_in_single_precision_under_autocast():
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(16, 16), nn.SiLU(), nn.Linear(16, 1))
    real, fake, mix = torch.randn(4, 16), torch.randn(4, 16), torch.rand(4)
    outside = L.gradient_penalty(critic, real, fake, mix)
    with torch.autocast("cpu", torch.bfloat16):
        inside = L.gradient_penalty(critic, real, fake, mix)
        assert L.r1(critic, real.bfloat16()).dtype == torch.float32
    assert torch.equal(outside[0], inside[0])
    assert torch.equal(outside[1], inside[1])


@pytest.mark.parametrize("which", ["two-sided", "one-sided", "r1"])
def test_gradients_of_the_penalties_reach_the_critics_weights(which):
    torch.manual_seed(0)
    real, fake, mix = (torch.rand(3, 4).double(), torch.rand(3, 4).double(), torch.rand(3).double())

    def penalty(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        def critic(x):
            return torch.tanh(x @ first) @ second

        if which == "r1":
            return L.r1(critic, real)
        return L.gradient_penalty(critic, real, fake, mix, one_sided=which == "one-sided")[0]

    weights = (2 * torch.randn(4, 5).double()).requires_grad_(True), (2 * torch.randn(5).double()).requires_grad_(True)
    assert torch.autograd.gradcheck(penalty, weights)


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


def test_shapes_that_do_not_pair_are_named():
    with pytest.raises(ValueError, match=r"real \(3, 4\) and fake \(2, 4\)"):
        L.gradient_penalty(Linear(1.0), torch.rand(3, 4), torch.rand(2, 4), torch.rand(3))
    with pytest.raises(ValueError, match=r"one draw a sample, \(3,\)"):
        L.gradient_penalty(Linear(1.0), torch.rand(3, 4), torch.rand(3, 4), torch.rand(3, 1))


def test_several_scores_a_sample_are_refused_not_summed():
    """W15: a sum over 5 patches would aim at a fifth of the slope."""
    x, patches = torch.rand(3, 4), lambda x: x[:, :1].expand(-1, 5)
    for ask in (lambda: L.gradient_penalty(patches, x, x, torch.rand(3)), lambda: L.r1(patches, x)):
        with pytest.raises(ValueError, match=r"shape \(3, 5\) for 3 samples.*per_sample"):
            ask()


def test_the_floor_of_smoothed_cross_entropy_is_its_entropy() -> None:
    logits = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    least = min(float(L.bce(logit[None], 0.9)) for logit in logits)
    assert L.bce_floor(0.9) == pytest.approx(least, abs=1e-5) == pytest.approx(0.325, abs=1e-3)
    assert L.bce_floor(1.0) == 0


def test_the_best_answer_against_a_perfect_generator_is_045_for_both() -> None:
    answers = torch.linspace(0.01, 0.99, 981, dtype=torch.float64)
    logits = answers.logit()
    both = [float(L.bce(x[None], 0.9) + L.bce(x[None], 0.0)) for x in logits]
    assert float(answers[int(torch.tensor(both).argmin())]) == pytest.approx(0.45, abs=1e-3)
    assert L.best_answer(0.9, 0.0) == pytest.approx(0.45)
