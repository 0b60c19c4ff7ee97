"""The objective of `00_tour`: cross-entropy on points in the plane, with noise on all that D sees."""

from __future__ import annotations

from torch import Tensor

from gannb.losses.adversarial import bce
from gannb.training.turn import Turn

LATENT = 8


def logits(turn: Turn, points: Tensor, stream: str) -> Tensor:
    """D's logits `[N]` of noisy points.

    Args:
        turn: D, the noise's standard deviation, and randomness.
        points: `[N, 2]`.
        stream: of the noise.
    """
    return turn.D(points + turn.now.noise * turn.draws.randn(stream, *points.shape))


def generate(turn: Turn) -> Tensor:
    """Points `[N, 2]` from fresh latents, as many as the batch has."""
    return turn.G(turn.draws.randn("z", len(turn.batch), LATENT))


def d_loss(turn: Turn) -> Tensor:
    """D's loss, 0-d: real points towards `real_label`, generated ones towards 0."""
    real, fake = logits(turn, turn.batch, "real"), logits(turn, generate(turn), "fake")
    turn.log(real=real.sigmoid().mean(), fake=fake.sigmoid().mean())
    return bce(real, turn.now.real_label) + bce(fake, 0.0)


def g_loss(turn: Turn) -> Tensor:
    """G's loss, 0-d: generated points towards 1."""
    return bce(logits(turn, generate(turn), "fake"), 1.0)
