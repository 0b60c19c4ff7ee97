"""The objective of motion_wgan_gp: the critic's Wasserstein estimate and gradient penalty, on toys and on motion.

Source: motion_wgan_gp; Gulrajani et al. 2017; claims W4 to W9 and W15.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gannb.experiments.motion import losses
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion_wgan_gp.penalties import Penalty, correct, penalty_with
from gannb.losses.adversarial import LOSSES, wasserstein, wasserstein_g
from gannb.losses.penalties import Critic
from gannb.training.turn import Turn


def critic_loss(turn: Turn, critic: Critic, real: Tensor, fake: Tensor, penalty: Penalty = correct) -> Tensor:
    """-W + λ · penalty + drift · E[D(real)²], a scalar; logs W, the mean gradient norm and the penalty.

    Args:
        turn: whose numbers `gp_weight`, `one_sided` and `drift` weigh the terms.
        critic: samples `[N, …]` to scores `[N]` or patch scores `[N, P]`, whose mean counts (W15).
        real: samples `[N, …]`.
        fake: generated samples of the same shape.
        penalty: the gradient penalty, or one of `penalties`.
    """
    now = turn.now
    scores = critic(real)
    w = wasserstein(scores, critic(fake))
    mix = turn.draws.rand("mix", len(fake))
    value, norms = penalty(critic, real, fake, mix, one_sided=bool(now.one_sided))
    turn.log(W=w, slope=norms.mean(), penalty=value)
    return -w + now.gp_weight * value + now.drift * scores.square().mean()


class ToyLosses:
    """The losses of D and G on a toy, whose batch is samples `[N, …]`.

    Args:
        loss: a name of `LOSSES`; `wasserstein` takes the penalty of `critic_loss`, the others none.
        defect: planted in the penalty; see `penalties`.
    """

    def __init__(self, loss: str = "wasserstein", defect: str = "none") -> None:
        self.adversarial, self.penalty = LOSSES[loss], penalty_with(defect)
        self.penalised = loss == "wasserstein"

    def d_loss(self, turn: Turn) -> Tensor:
        """D's loss against samples of fresh latents; a scalar."""
        if self.penalised:
            return critic_loss(turn, turn.D, turn.batch, sample(turn), self.penalty)
        return self.adversarial.d(turn.D(turn.batch), turn.D(sample(turn)))

    def g_loss(self, turn: Turn) -> Tensor:
        """G's loss of D's scores of fresh samples, and of real ones where the loss is of pairs; a scalar."""
        fake = turn.D(sample(turn))
        return self.adversarial.g(turn.D(turn.batch), fake) if self.adversarial.paired else self.adversarial.g(fake)


def d_loss(turn: Turn) -> Tensor:
    """`critic_loss` of poses `[B, T, 52, 3]` given their speech and speaker; a scalar."""
    real = cut(turn)
    return critic_loss(turn, given(turn.D, real), real.pose, turn.G(real.mel, real.speaker))


def g_loss(turn: Turn) -> Tensor:
    """Reconstruction + adversarial + detail weight · smoothness + physics weight · physics; a scalar.

    The adversarial term keeps its own weight: the curriculum moves the weights of smoothness and physics (W9).
    """
    now, real = turn.now, cut(turn)
    generated = turn.G(real.mel, real.speaker)
    adversarial = wasserstein_g(turn.D(generated, real.mel, real.speaker))
    reconstruction = losses.reconstruction(generated, real.pose, now.absolute_weight, now.velocity_weight)
    physics = losses.physics(generated, real.lengths)
    turn.log(adversarial=adversarial, reconstruction=reconstruction, physics=physics)
    detail = now.detail_weight * losses.smoothness(generated)
    return reconstruction + now.adversarial_weight * adversarial + detail + now.physics_weight * physics


def sample(turn: Turn) -> Tensor:
    """Generated samples `[N, …]` from fresh latents, as many as the batch has."""
    return turn.G(turn.draws.randn("z", len(turn.batch), turn.G.latent))


def given(critic: Callable[..., Tensor], clips: Clips) -> Critic:
    """The critic as a function of the pose `[B, T, 52, 3]` alone, given the clips' speech and speaker."""
    return lambda pose: critic(pose, clips.mel, clips.speaker)


def cut(turn: Turn) -> Clips:
    """The batch cut to `now.frames` pose frames and their speech, from a random start that all clips share."""
    clips, frames = turn.batch, turn.now.frames
    start = turn.draws.randint("start", 1, high=clips.pose.shape[1] - frames + 1).to(clips.pose.device)
    pose = clips.pose.index_select(1, start + torch.arange(frames, device=start.device))
    mel = clips.mel.index_select(1, 4 * start + torch.arange(4 * frames, device=start.device))
    return Clips(pose, mel, clips.speaker, clips.lengths)
