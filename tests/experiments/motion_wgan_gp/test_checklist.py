"""The checklist: every planted defect trips the rows that are its own and no other; the correct one trips none."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gannb.experiments.motion.networks.discriminator import Discriminator
from gannb.experiments.motion_wgan_gp import penalties as P
from gannb.experiments.motion_wgan_gp.checklist import Checklist, check, check_losses, compare
from gannb.experiments.motion_wgan_gp.checks import CHECKS, LOSS_CHECKS, plain_norms
from gannb.losses import adversarial as L
from gannb.losses.penalties import gradient_penalty
from gannb.networks.toys import PointCritic, SequenceCritic
from gannb.random import generator, seeded

REAL, FAKE = (torch.randn(8, 16, 4, generator=generator("checklist", part)) for part in ("real", "fake"))

TRIPS = {
    "none": set(),
    "dim_1": {
        "returns penalty and norms",
        "norm of the whole sample",
        "equals a plain reference",
        "patches are averaged",
        "this critic equals the reference",
    },
    "batch_norm": {"samples do not see each other", "this critic equals the reference"},
    "dropout": {"same scores when called twice", "this critic equals the reference"},
    "one_mix": {"one draw per sample"},
    "autocast": {"full precision under autocast"},
    "summed_patches": {"patches are averaged", "this critic equals the reference"},
}


def sequences(**options) -> nn.Module:
    with seeded(0, "critic"):
        return SequenceCritic(features=4, width=8, patches=True, **options)


@pytest.fixture(scope="module")
def lists() -> dict[str, Checklist]:
    return {
        defect: check(sequences(**P.critic_options(defect)), P.drawing_mix(P.penalty_with(defect)), REAL, FAKE)
        for defect in P.DEFECTS
    }


@pytest.mark.parametrize("row", [name for name, *_ in CHECKS])
@pytest.mark.parametrize("defect", P.DEFECTS)
def test_matrix(lists: dict[str, Checklist], defect: str, row: str) -> None:
    assert (row in lists[defect].failed) == (row in TRIPS[defect])


def test_each_of_the_six_is_detected(lists: dict[str, Checklist]) -> None:
    assert [defect for defect, found in lists.items() if found.passed] == ["none"]


def test_tables(lists: dict[str, Checklist]) -> None:
    assert f"{len(CHECKS)} of {len(CHECKS)} hold" in repr(lists["none"])
    side_by_side = compare(lists)
    assert side_by_side.columns == ("check", *P.DEFECTS)
    assert side_by_side.column("one_mix").count(False) == 1
    assert "2.449, of 4 per sample" in repr(lists["dim_1"]), "√6, four times, where √24 is right"


def failed(critic: nn.Module, penalty, real=REAL, fake=FAKE) -> list[str]:
    return check(critic, penalty, real, fake).failed


CORRECT = P.drawing_mix(P.correct)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_points_pass(norm: str) -> None:
    real, fake = REAL.flatten(1)[:, :2], FAKE.flatten(1)[:, :2]
    assert failed(PointCritic(width=8, norm=norm), CORRECT, real, fake) == []


def test_a_spectrally_normalised_critic_passes() -> None:
    """Its power iteration moves at every call, and comes to rest."""
    with seeded(0, "spectral"):
        layers = nn.Flatten(), spectral_norm(nn.Linear(64, 8)), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0)
    assert failed(nn.Sequential(*layers), CORRECT) == []


@pytest.mark.parametrize("norm, tripped", [("layer", []), ("batch", TRIPS["batch_norm"])])
def test_the_motion_critic(norm: str, tripped) -> None:
    with seeded(0, "motion"):
        critic = Discriminator(width=16, norm=norm)
    real, fake = (0.1 * torch.randn(4, 16, 52, 3, generator=generator("motion", part)) for part in ("real", "fake"))
    assert set(failed(critic, CORRECT, real, fake)) == set(tripped)


def penalty_without_second_derivatives(critic, real, fake):
    mix = torch.rand(len(real), *[1] * (real.ndim - 1))
    x = (mix * real + (1 - mix) * fake).requires_grad_(True)
    norms = torch.autograd.grad(critic(x).flatten(1).mean(1).sum() if critic(x).ndim > 1 else critic(x).sum(), x)[0]
    norms = (norms.flatten(1).square().sum(1) + 1e-12).sqrt()
    return (norms - 1).square().mean(), norms


def penalty_root_without_epsilon(critic, real, fake):
    mix = torch.rand(len(real), *[1] * (real.ndim - 1))
    x = (mix * real + (1 - mix) * fake).requires_grad_(True)
    with torch.autocast("cpu", enabled=False):
        (slope,) = torch.autograd.grad(P.per_sample(critic)(x).sum(), x, create_graph=True)
    norms = slope.flatten(1).square().sum(1).sqrt()
    return (norms - 1).square().mean(), norms.detach()


def penalty_on_real_only(critic, real, fake):
    return gradient_penalty(P.per_sample(critic), real, fake, torch.full((len(real),), 1.0))


def test_other_mistakes_are_found_too() -> None:
    critic = sequences()
    assert {"flat critic", "gradcheck in float64", "the penalty trains this critic"} <= set(
        failed(critic, penalty_without_second_derivatives)
    )
    assert failed(critic, penalty_root_without_epsilon) == ["flat critic"]
    assert failed(critic, penalty_on_real_only) == ["one draw per sample", "draws are uniform"]
    assert failed(critic, lambda critic, real, fake: CORRECT(critic, real, fake)[0])[0] == "returns penalty and norms"
    assert failed(nn.Sequential(PointCritic(8), nn.Sigmoid()), CORRECT, REAL[:, 0, :2], FAKE[:, 0, :2]) == [
        "scores without bounds"
    ]


@pytest.mark.parametrize(
    ("critic_loss", "generator_loss", "tripped"),
    [
        (L.wasserstein_d, L.wasserstein_g, []),
        (L.wasserstein, L.wasserstein_g, ["means and signs"]),
        (L.hinge_d, L.hinge_g, ["means and signs", "the offset is free"]),
        (L.non_saturating_d, L.saturating_g, [name for name, *_ in LOSS_CHECKS]),
        (L.wasserstein_d, L.non_saturating_g, ["means and signs", "G's slope does not vanish"]),
    ],
)
def test_losses(critic_loss, generator_loss, tripped) -> None:
    assert check_losses(critic_loss, generator_loss).failed == tripped


def test_a_penalty_that_breaks_is_a_row_with_its_message() -> None:
    def broken(critic, real, fake):
        raise RuntimeError("no such thing")

    found = check(sequences(), broken, REAL, FAKE)
    row = next(row for row in found.rows if row.name == "equals a plain reference")
    assert not row.passed and row.found == "RuntimeError: no such thing"


def test_what_is_brought_stays_as_it_is() -> None:
    critic = SequenceCritic(features=4, width=8, norm="batch").eval()
    before, state = copy.deepcopy(critic.state_dict()), torch.get_rng_state()
    check(critic, CORRECT, REAL, FAKE)
    assert not critic.training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())
    assert all(p.grad is None for p in critic.parameters())


def test_bad_input_is_told() -> None:
    with pytest.raises(ValueError, match=r"given function; a torch\.nn\.Module is needed"):
        check(lambda x: x, CORRECT, REAL, FAKE)
    with pytest.raises(ValueError, match="4 samples are needed"):
        check(sequences(), CORRECT, REAL[:3], FAKE[:3])


def test_plain_norms_are_those_of_a_known_slope() -> None:
    torch.testing.assert_close(
        plain_norms(lambda x: 3 * x[:, 0] + 4 * x[:, 1], torch.randn(5, 2)), torch.full((5,), 5.0)
    )
