"""Each planted defect against its closed form; the correct penalty under a scaler and over a split batch."""

import inspect
import math

import pytest
import torch
from torch import nn

from gannb.data import toys
from gannb.experiments.motion_wgan_gp import penalties as P
from gannb.losses.adversarial import wasserstein_d
from gannb.losses.penalties import gradient_penalty
from gannb.networks.toys import PointCritic, SequenceCritic
from gannb.random import generator, seeded

REAL, FAKE = (torch.randn(8, 6, 4, generator=generator(part)) for part in ("real", "fake"))
MIX = torch.rand(8, generator=generator("mix"))


def total(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1).sum(dim=1)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 16), nn.SiLU(), nn.Linear(16, 1), nn.Flatten(0))


def test_the_correct_one_is_the_librarys_on_the_mean_over_patches() -> None:
    patches = SequenceCritic(features=4, width=8, patches=True)
    real, fake = torch.randn(8, 8, 4), torch.randn(8, 8, 4)
    found = P.correct(patches, real, fake, MIX)
    right = gradient_penalty(lambda x: patches(x).mean(dim=1), real, fake, MIX)
    torch.testing.assert_close(found, right)


def test_norm_over_dim_1_is_smaller_by_the_root_of_the_features() -> None:
    """W4: a critic of slope 1 on each of 6·4 values has norm √24; over dim 1 it is √6, a √F-th of the whole."""
    right, wrong = P.correct(total, REAL, FAKE, MIX)[1], P.penalty_with("dim_1")(total, REAL, FAKE, MIX)[1]
    assert wrong.shape == (8, 4)
    torch.testing.assert_close(right, wrong.mean(dim=1) * math.sqrt(4))
    at_rest = P.penalty_with("dim_1")(lambda x: total(x) / math.sqrt(6), REAL, FAKE, MIX)
    assert at_rest[0].item() == pytest.approx(0, abs=1e-10)
    assert P.correct(lambda x: total(x) / math.sqrt(6), REAL, FAKE, MIX)[1][0].item() == pytest.approx(2.0)


def test_norm_over_dim_1_is_right_on_points() -> None:
    critic, real, fake = PointCritic(width=8), torch.randn(8, 2), torch.randn(8, 2)
    torch.testing.assert_close(P.penalty_with("dim_1")(critic, real, fake, MIX), P.correct(critic, real, fake, MIX))


def test_summed_patches_have_p_times_the_slope() -> None:
    patches = SequenceCritic(features=4, width=8, patches=True)
    real, fake = torch.randn(8, 16, 4), torch.randn(8, 16, 4)
    summed, mean = P.penalty_with("summed_patches")(patches, real, fake, MIX)[1], P.correct(patches, real, fake, MIX)[1]
    torch.testing.assert_close(summed, 4 * mean)


def test_one_mix_puts_all_samples_at_one_share() -> None:
    seen = []
    P.penalty_with("one_mix")(
        lambda x: seen.append(x.detach()) or total(x), torch.ones_like(REAL), torch.zeros_like(FAKE), MIX
    )
    assert seen[0].unique().tolist() == [MIX[0].item()]


def test_autocast_loses_digits_only_in_a_step_of_reduced_precision() -> None:
    critic = network()
    right = P.correct(critic, REAL, FAKE, MIX)[1]
    torch.testing.assert_close(P.penalty_with("autocast")(critic, REAL, FAKE, MIX)[1], right)
    with torch.autocast("cpu", torch.bfloat16):
        reduced, guarded = P.penalty_with("autocast")(critic, REAL, FAKE, MIX)[1], P.correct(critic, REAL, FAKE, MIX)[1]
    torch.testing.assert_close(guarded, right)
    assert ((reduced - right).abs() / right).max() > 1e-3


@pytest.mark.parametrize("defect", P.DEFECTS)
def test_every_defect_can_be_chosen_by_name_and_trains(defect: str) -> None:
    critic = SequenceCritic(features=4, width=8, patches=True, **P.critic_options(defect))
    real, fake = torch.randn(8, 8, 4), torch.randn(8, 8, 4)
    for one_sided in (False, True):
        value, norms = P.penalty_with(defect)(critic, real, fake, MIX, one_sided=one_sided)
        assert value.ndim == 0 and not norms.requires_grad
    P.penalty_with(defect)(critic, real, fake, MIX)[0].backward()
    assert all(p.grad.isfinite().all() for p in critic.parameters() if p.grad is not None)


def test_one_sided_forgives_small_slopes_in_every_arm() -> None:
    for defect in P.DEFECTS:
        value, _ = P.penalty_with(defect)(lambda x: total(x) / 100, REAL, FAKE, MIX, one_sided=True)
        assert value.item() == 0


def test_critic_options_fit_both_critics() -> None:
    assert {d for d in P.DEFECTS if P.critic_options(d)} == {"batch_norm", "dropout"}
    for critic in (PointCritic, SequenceCritic):
        assert {"norm", "dropout"} <= set(inspect.signature(critic).parameters)


def test_unknown_defects_are_told() -> None:
    for choose in (P.penalty_with, P.critic_options):
        with pytest.raises(ValueError, match="allowed: none, dim_1"):
            choose("dim_2")


def gradients(critic: nn.Module) -> list[torch.Tensor]:
    return [p.grad.clone() for p in critic.parameters() if p.grad is not None]  # the last bias has none


def test_a_scaler_only_scales() -> None:
    """The penalty's gradients under GradScaler, unscaled, are those without one (W5)."""
    critic = network()
    P.correct(critic, REAL, FAKE, MIX)[0].backward()
    plain = gradients(critic)
    optimiser, scaler = torch.optim.SGD(critic.parameters(), lr=1.0), torch.amp.GradScaler("cpu", init_scale=2.0**14)
    optimiser.zero_grad()
    with torch.autocast("cpu", torch.float16):
        penalty, norms = P.correct(critic, REAL, FAKE, MIX)
    scaler.scale(penalty).backward()
    scaler.unscale_(optimiser)
    torch.testing.assert_close(gradients(critic), plain)
    torch.testing.assert_close(norms, P.correct(critic, REAL, FAKE, MIX)[1])


def test_the_mean_over_ranks_is_the_whole_batch() -> None:
    """As `ranks.average_` does: each half's gradients, averaged, are the whole's; with BatchNorm not."""

    def apart(critic: nn.Module) -> float:
        halves = []
        for part in (slice(0, 4), slice(4, 8), slice(0, 8)):
            critic.zero_grad()
            P.correct(critic, REAL[part], FAKE[part], MIX[part])[0].backward()
            halves.append(torch.cat([g.flatten() for g in gradients(critic)]))
        return float(((halves[0] + halves[1]) / 2 - halves[2]).norm() / halves[2].norm())

    assert apart(network()) < 1e-5
    assert apart(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(24), nn.Linear(24, 1), nn.Flatten(0))) > 1e-2


def slope_learnt(defect: str, steps: int = 150) -> float:
    """The whole-sample slope that a critic of sequences has after it learnt with λ = 10 (8 patches, 6 features)."""
    clips = toys.sequences(train=256, held_out=16).train
    noise = torch.randn(256, 32, 6, generator=generator("noise"))
    with seeded(0, "critic"):
        critic = SequenceCritic(width=16, patches=True)
    scores, optimiser = P.per_sample(critic), torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))
    for step in range(steps):
        some = torch.randint(256, (32,), generator=generator("some", step))
        mix = torch.rand(32, generator=generator("mix", step))
        penalty, _ = P.penalty_with(defect)(critic, clips[some], noise[some], mix)
        loss = wasserstein_d(scores(clips[some]), scores(noise[some])) + 10 * penalty
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return float(P.correct(critic, clips, noise, torch.rand(256, generator=generator("judge")))[1].mean())


def test_what_the_first_and_the_last_defect_do_to_sequences() -> None:
    """W4: up to √6 times the slope; W15: an eighth of it, one in P patches."""
    right, first, last = (slope_learnt(defect) for defect in ("none", "dim_1", "summed_patches"))
    assert right == pytest.approx(1.0, abs=0.5)
    assert 1.7 < first / right < 1.1 * math.sqrt(6)
    assert last == pytest.approx(1 / 8, abs=0.04)
