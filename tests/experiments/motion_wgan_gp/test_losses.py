"""The objective of motion_wgan_gp: closed forms on linear critics, cutting of clips, and the formula written out."""

import pytest
import torch

from gannb.experiments.motion import losses as terms
from gannb.experiments.motion_wgan_gp import losses
from gannb.experiments.motion_wgan_gp.penalties import correct
from gannb.losses import adversarial
from gannb.random import generator
from tests.experiments.motion.turns import clips, scaled_motion, smooth_scores, turn_of

CRITIC = {"gp_weight": 10.0, "one_sided": 0, "drift": 0.0}
WEIGHTS = {"absolute_weight": 2.0, "velocity_weight": 3.0, "detail_weight": 0.3, "physics_weight": 0.5}
WEIGHTS |= {"adversarial_weight": 0.7}


class Shifted:
    """A generator of points whose samples lie 3 to the left of the data at 0."""

    latent = 2

    def __call__(self, z):
        return torch.zeros(len(z), 2) - torch.tensor([3.0, 0.0])


def toy_turn(critic, **numbers):
    return turn_of(torch.zeros(16, 2), Shifted(), critic, **CRITIC | numbers)


def test_a_critic_of_slope_two_has_the_known_loss():
    turn = toy_turn(lambda x: 2 * x[:, 0] + 5)
    assert losses.ToyLosses().d_loss(turn).item() == pytest.approx(-6 + 10 * (2 - 1) ** 2, rel=1e-5)
    assert turn.logged["W"].item() == pytest.approx(6) and turn.logged["slope"].item() == pytest.approx(2)
    assert losses.ToyLosses().g_loss(turn).item() == pytest.approx(-(2 * -3 + 5))


def test_drift_and_one_sided_act():
    gentle = toy_turn(lambda x: 0.5 * x[:, 0] + 2, one_sided=1, drift=0.1)
    assert losses.ToyLosses().d_loss(gentle).item() == pytest.approx(-1.5 + 0.1 * 4, rel=1e-5)


def test_the_critic_scores_each_batch_once():
    calls = []
    turn = toy_turn(lambda x: x[:, 0])
    losses.critic_loss(
        turn,
        lambda x: calls.append(x) or x[:, 0],
        turn.batch,
        Shifted()(turn.batch),
        lambda critic, real, fake, mix, *, one_sided: (torch.zeros(()), torch.ones(16)),
    )
    assert len(calls) == 2 and calls[0] is turn.batch


def test_the_plain_losses_take_no_penalty():
    turn = toy_turn(lambda x: x[:, 0])
    logits = torch.zeros(16), torch.full((16,), -3.0)
    assert torch.equal(losses.ToyLosses("non_saturating").d_loss(turn), adversarial.non_saturating_d(*logits))
    assert torch.equal(losses.ToyLosses("non_saturating").g_loss(turn), adversarial.non_saturating_g(logits[1]))


def test_a_loss_of_pairs_takes_real_scores_into_gs_turn():
    turn = toy_turn(lambda x: x[:, 0])
    logits = torch.zeros(16), torch.full((16,), -3.0)
    assert torch.equal(losses.ToyLosses("relativistic").g_loss(turn), adversarial.relativistic_g(*logits))


def test_a_planted_defect_reaches_the_loss():
    data = torch.randn(8, 6, 4, generator=generator("planted"))
    G = lambda z: torch.zeros(8, 6, 4)  # noqa: E731
    G.latent = 2
    values = [
        losses.ToyLosses(defect=defect).d_loss(turn_of(data, G, lambda x: x.flatten(1).sum(1), **CRITIC))
        for defect in ("none", "dim_1")
    ]
    assert values[0].item() > values[1].item() + 50  # (√24 - 1)² against (√6 - 1)²


def test_cut_takes_pose_and_speech_of_the_same_moments():
    batch = clips()
    marked = batch._replace(
        pose=torch.arange(32.0)[None, :, None, None].expand_as(batch.pose),
        mel=torch.arange(32.0).repeat_interleave(4)[None, :, None].expand_as(batch.mel),
    )
    part = losses.cut(turn_of(marked, None, None, frames=16))
    assert part.pose.shape[1] == 16 and part.mel.shape[1] == 64
    assert torch.equal(part.pose[0, :, 0, 0].repeat_interleave(4), part.mel[0, :, 0])
    assert torch.equal(losses.cut(turn_of(marked, None, None, frames=32)).pose, marked.pose)


def test_both_equal_the_formulas_written_out():
    batch, fake = clips(), 0.7 * clips().pose
    turn = turn_of(batch, scaled_motion(batch, 0.7), smooth_scores, **CRITIC | {"drift": 0.01, "frames": 32})
    score = lambda pose: smooth_scores(pose, batch.mel, batch.speaker)  # noqa: E731
    draws = turn_of(batch, None, None).draws
    penalty, _ = correct(score, batch.pose, fake, draws.rand("mix", len(fake)))
    w = adversarial.wasserstein(score(batch.pose), score(fake))
    now = turn.now
    expected = -w + now.gp_weight * penalty + now.drift * score(batch.pose).square().mean()
    assert torch.equal(losses.d_loss(turn), expected)

    turn = turn_of(batch, scaled_motion(batch, 0.7), smooth_scores, **WEIGHTS | {"frames": 32})
    now = turn.now
    beside = now.absolute_weight * terms.absolute(fake, batch.pose)
    beside = beside + now.velocity_weight * terms.velocity(fake, batch.pose)
    expected = beside + now.adversarial_weight * -score(fake).mean() + now.detail_weight * terms.smoothness(fake)
    assert torch.equal(losses.g_loss(turn), expected + now.physics_weight * terms.physics(fake, batch.lengths))
