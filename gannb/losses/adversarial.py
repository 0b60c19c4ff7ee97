"""Adversarial losses and penalties, as pure functions of logits (or critic scores).

Each `…_d` is what the discriminator minimises, each `…_g` what the generator minimises. Logits may have any shape; a
discriminator that scores patches enters with their mean (claim W15).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


def bce(logits: Tensor, target: Tensor | float) -> Tensor:
    """Binary cross-entropy with logits against one target in [0, 1] for all, averaged.

    For a target t it cannot fall below H(t): 0.325 at 0.9 (P4). The target may be a 0-d tensor that moves.
    """
    return (F.softplus(logits) - target * logits).mean()


def least_squares(scores: Tensor, target: Tensor | float) -> Tensor:
    """Mean of (score - target)² (LSGAN, Mao et al. 2017, without its factor ½)."""
    return (scores - target).square().mean()


def non_saturating_d(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(real) - log(1 - σ(fake)) (Goodfellow et al. 2014)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_g(fake: Tensor) -> Tensor:
    """-log σ(fake): strong gradients where D is sure (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake).mean()


def saturating_g(fake: Tensor) -> Tensor:
    """log(1 - σ(fake)), the minimax form, whose gradient vanishes where D is sure; for comparison (W16)."""
    return -F.softplus(fake).mean()


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - real) + max(0, 1 + fake) (Lim & Ye 2017; SAGAN)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_g(fake: Tensor) -> Tensor:
    """-fake, averaged."""
    return -fake.mean()


def relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(real - fake) over pairs (RpGAN: Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024).

    Raises:
        ValueError: real and fake of different shapes, which would broadcast into other pairs.
    """
    _paired(real, fake)
    return F.softplus(fake - real).mean()


def relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(fake - real) over pairs: G's side of `relativistic_d`; G needs D's scores of real images too."""
    _paired(real, fake)
    return F.softplus(real - fake).mean()


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Estimate of the distance, E[real] - E[fake]: rises while the critic learns, then falls (W6)."""
    return real.mean() - fake.mean()


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """The critic's loss: minus the distance (Arjovsky et al. 2017)."""
    return -wasserstein(real, fake)


def wasserstein_g(fake: Tensor) -> Tensor:
    """-E[fake]; its sign and level mean nothing, the critic's offset is free (W7)."""
    return -fake.mean()


def slopes(critic: Critic, x: Tensor) -> Tensor:
    """Squared norm of the critic's gradient at each sample, over all dimensions but the batch (W4): `[N]`, float32.

    Outside autocast and in float32 at least, whatever precision the step runs in (W5). Keeps the graph, so that a
    penalty on it can be trained.

    Raises:
        ValueError: a critic with several scores a sample, whose slopes would be summed without a word (W15).
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.detach().to(torch.promote_types(x.dtype, torch.float32)).requires_grad_(True)
        scores = critic(x)
        if scores.numel() != len(x):
            raise ValueError(
                f"the critic gives scores of shape {tuple(scores.shape)} for {len(x)} samples; a penalty needs one "
                f"score a sample: average its patches first, as penalty_defects.per_sample(critic) does"
            )
        (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
        return gradient.flatten(1).square().sum(dim=1)


def zero_centred_penalty(critic: Critic, x: Tensor) -> Tensor:
    """½ E‖∇D(x)‖²: R1 on real samples, R2 on fake ones (Mescheder et al. 2018); weigh it by γ.

    Lazy use, every k-th step: multiply by k as well (Karras et al. 2020).
    """
    return slopes(critic, x).mean() / 2


def r1(critic: Critic, real: Tensor) -> Tensor:
    """`zero_centred_penalty` on real samples."""
    return zero_centred_penalty(critic, real)


def r2(critic: Critic, fake: Tensor) -> Tensor:
    """`zero_centred_penalty` on fake samples."""
    return zero_centred_penalty(critic, fake)


def gradient_penalty(
    critic: Critic, real: Tensor, fake: Tensor, mix: Tensor, *, one_sided: bool = False
) -> tuple[Tensor, Tensor]:
    """E(‖∇D(x̂)‖ - 1)² at x̂ = mix·real + (1 - mix)·fake (WGAN-GP, Gulrajani et al. 2017); weigh it by λ = 10.

    Args:
        critic: scores `[N]` of samples; no BatchNorm and no dropout (W10, W13).
        real, fake: samples `[N, …]` of one shape.
        mix: uniform draws in [0, 1) `[N]`, one a sample.
        one_sided: punish slopes above 1 only.

    Returns:
        The penalty (0-d) and the slopes' norms `[N]`, detached, for the log (W12).

    Raises:
        ValueError: shapes that differ, not one draw a sample, or not one score a sample.
    """
    if real.shape != fake.shape:
        raise ValueError(f"real {tuple(real.shape)} and fake {tuple(fake.shape)} differ in shape")
    if mix.shape != real.shape[:1]:
        raise ValueError(f"mix has shape {tuple(mix.shape)}; allowed is one draw a sample, ({len(real)},)")
    mix = mix.view(-1, *[1] * (real.ndim - 1))
    between = mix * real.detach() + (1 - mix) * fake.detach()
    norms = (slopes(critic, between) + 1e-12).sqrt()  # inside the root: its derivative is infinite at 0
    excess = F.relu(norms - 1) if one_sided else norms - 1
    return excess.square().mean(), norms.detach()


def _paired(real: Tensor, fake: Tensor) -> None:
    if real.shape != fake.shape:
        raise ValueError(f"pairs need scores of one shape, got {tuple(real.shape)} and {tuple(fake.shape)}")


def bce_floor(target: float) -> float:
    """The least that `bce` can be against a soft target, its entropy in nats: H(0.9) = 0.325 (claim P4)."""
    return -sum(share * math.log(share) for share in (target, 1 - target) if share > 0)


def best_answer(real_label: float, fake_label: float, share_real: float = 0.5) -> float:
    """What an ideal D answers where real and fake images are as likely as `share_real` says (claim P3).

    Against a perfect G the share is a half everywhere: with labels 0.9 and 0.0 the answer is 0.45, for both.
    """
    return share_real * real_label + (1 - share_real) * fake_label
