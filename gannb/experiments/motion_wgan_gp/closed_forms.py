"""What can be said of the document's formulas without training anything (claims W3-W7): closed forms."""

from __future__ import annotations

import torch
from torch import nn

from gannb.experiments.motion_wgan_gp.checklist import check_losses
from gannb.experiments.motion_wgan_gp.penalties import correct, penalty_with
from gannb.losses import adversarial
from gannb.random import generator, seeded


def exact_claims() -> dict[str, float | bool]:
    """Measured values of the claims that need no training, by claim."""
    losses = check_losses(adversarial.wasserstein_d, adversarial.wasserstein_g)
    return {
        "W3.labels": "the offset is free" not in losses.failed,
        "W4.norm": norm_ratio(),
        "W5.scaler": scaler_difference(),
        "W6.sign": shift_by_three(),
        "W7.offset": offset_in_g_loss(),
    }


def norm_ratio(frames: int = 64, features: int = 156) -> float:
    """The norm of a whole sample over the norm by `sum(dim=1)`, on `[B, T, F]` with equal slopes: √F (W4)."""
    real, fake = (torch.randn(4, frames, features, generator=generator("W4", part)) for part in ("real", "fake"))
    mix, total = torch.rand(4, generator=generator("W4")), lambda x: x.flatten(1).sum(dim=1)
    return float(correct(total, real, fake, mix)[1].mean() / penalty_with("dim_1")(total, real, fake, mix)[1].mean())


def scaler_difference(scale: float = 2.0**14) -> float:
    """How far the penalty's gradients through a GradScaler in autocast, unscaled, are from those without (W5)."""
    with seeded("W5"):
        critic = nn.Sequential(nn.Flatten(), nn.Linear(24, 16), nn.SiLU(), nn.Linear(16, 1), nn.Flatten(0))
    real, fake = (torch.randn(8, 6, 4, generator=generator("W5", part)) for part in ("real", "fake"))
    mix = torch.rand(8, generator=generator("W5"))
    correct(critic, real, fake, mix)[0].backward()
    plain = torch.cat([p.grad.flatten().clone() for p in critic.parameters() if p.grad is not None])
    optimiser, scaler = torch.optim.SGD(critic.parameters(), lr=1.0), torch.amp.GradScaler("cpu", init_scale=scale)
    optimiser.zero_grad()
    with torch.autocast("cpu", torch.float16):
        penalty, _ = correct(critic, real, fake, mix)
    scaler.scale(penalty).backward()
    scaler.unscale_(optimiser)
    scaled = torch.cat([p.grad.flatten() for p in critic.parameters() if p.grad is not None])
    return float((scaled - plain).norm() / plain.norm())


def shift_by_three() -> float:
    """The document's "Wasserstein distance" of a sample and its copy moved by 3, by a critic of slope 1 (W6)."""
    fake = torch.randn(100, generator=generator("W6"))
    return float(-(fake + 3).mean() + fake.mean())


def offset_in_g_loss() -> float:
    """How much G's loss moves when the critic is raised by 1, which changes nothing that is learnt (W7)."""
    scores = torch.randn(100, generator=generator("W7"))
    return float((adversarial.wasserstein_g(scores + 1) - adversarial.wasserstein_g(scores)).abs())
