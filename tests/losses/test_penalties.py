"""Gradient penalties against critics whose slope is known."""

import math

import pytest
import torch
from torch import nn

from gannb.config.registered import registered
from gannb.losses import penalties as L


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


def test_shapes_that_do_not_pair_are_named():
    with pytest.raises(ValueError, match=r"real \(3, 4\) and fake \(2, 4\)"):
        L.gradient_penalty(Linear(1.0), torch.rand(3, 4), torch.rand(2, 4), torch.rand(3))
    with pytest.raises(ValueError, match=r"one draw per sample, \(3,\)"):
        L.gradient_penalty(Linear(1.0), torch.rand(3, 4), torch.rand(3, 4), torch.rand(3, 1))


def test_several_scores_a_sample_are_refused_not_summed():
    """W15: a sum over 5 patches would aim at a fifth of the slope."""
    x, patches = torch.rand(3, 4), lambda x: x[:, :1].expand(-1, 5)
    for ask in (lambda: L.gradient_penalty(patches, x, x, torch.rand(3)), lambda: L.r1(patches, x)):
        with pytest.raises(ValueError, match=r"shape \(3, 5\) for 3 samples.*average its patches"):
            ask()


@pytest.mark.parametrize(
    ("name", "expected"), [("r1", 4 * 4 / 2), ("r2", 4 * 4 / 2), ("r1_r2", 16.0), ("gradient_penalty", (4 - 1) ** 2)]
)
def test_penalties_by_name(name: str, expected: float) -> None:
    """A slope of 2 in each of 4 dimensions: a norm of 4."""
    assert registered("gannb.losses.penalties", "PENALTIES") == tuple(L.PENALTIES)
    real, fake, mix = torch.randn(3, 4), torch.randn(3, 4), torch.rand(3)
    assert L.PENALTIES[name](Linear(2.0), real, fake, mix).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "seen"), [("r1", [1.0]), ("r2", [0.0]), ("r1_r2", [1.0, 0.0]), ("gradient_penalty", [0.25])]
)
def test_a_penalty_looks_at_its_own_samples(name: str, seen: list[float]) -> None:
    places: list[float] = []

    def critic(x: torch.Tensor) -> torch.Tensor:
        places.append(float(x.detach().mean()))
        return x.flatten(1).sum(dim=1)

    L.PENALTIES[name](critic, torch.ones(3, 4), torch.zeros(3, 4), torch.full((3,), 0.25))
    assert places == seen
