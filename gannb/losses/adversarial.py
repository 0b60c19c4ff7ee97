"""Adversarial losses, as pure functions of logits (or a critic's scores) of any shape.

Each `…_d` is the discriminator's loss, each `…_g` the generator's; `LOSSES` has the pairs by name, and a choice of one
in an experiment's parameters takes its names from there. Patch scores are averaged before they enter (claim W15).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def bce(logits: Tensor, target: Tensor | float) -> Tensor:
    """Binary cross-entropy with logits against one target in [0, 1] for all, averaged over any shape.

    For a target t it cannot fall below H(t): 0.325 at 0.9 (P4). The target may be a 0-d tensor that moves.
    """
    return (F.softplus(logits) - target * logits).mean()


def least_squares(scores: Tensor, target: Tensor | float) -> Tensor:
    """Mean of (score - target)² over any shape (LSGAN, Mao et al. 2017, without its factor ½)."""
    return (scores - target).square().mean()


def bce_d(real: Tensor, fake: Tensor, real_label: Tensor | float = 1.0, fake_label: Tensor | float = 0.0) -> Tensor:
    """`bce` of real logits against one label plus that of fake logits against the other (smoothed labels: P3).

    Args:
        real: logits of real samples, of any shape.
        fake: logits of generated ones.
        real_label: target in [0, 1].
        fake_label: target in [0, 1].
    """
    return bce(real, real_label) + bce(fake, fake_label)


def bce_g(fake: Tensor) -> Tensor:
    """`bce` of fake logits (any shape) against 1, not against the smoothed label."""
    return bce(fake, 1.0)


def least_squares_d(
    real: Tensor, fake: Tensor, real_label: Tensor | float = 1.0, fake_label: Tensor | float = 0.0
) -> Tensor:
    """Mean of the two `least_squares`, real scores against one label and fake scores against the other.

    Args:
        real: scores of real samples, of any shape.
        fake: scores of generated ones.
        real_label: target.
        fake_label: target.
    """
    return (least_squares(real, real_label) + least_squares(fake, fake_label)) / 2


def least_squares_g(fake: Tensor, real_label: Tensor | float = 1.0) -> Tensor:
    """`least_squares` of fake scores (any shape) against the real label."""
    return least_squares(fake, real_label)


def non_saturating_d(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(real) - log(1 - σ(fake)), averaged over any shape (Goodfellow et al. 2014)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def non_saturating_g(fake: Tensor) -> Tensor:
    """-log σ(fake), any shape: strong gradients where D is confident (Goodfellow et al. 2014, section 3)."""
    return F.softplus(-fake).mean()


def saturating_g(fake: Tensor) -> Tensor:
    """log(1 - σ(fake)), any shape: the minimax form, whose gradient vanishes where D is confident (W16)."""
    return -F.softplus(fake).mean()


def hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - real) + max(0, 1 + fake), averaged over any shape (Lim & Ye 2017; SAGAN)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_g(fake: Tensor) -> Tensor:
    """-fake, averaged over any shape."""
    return -fake.mean()


def relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(real - fake) over pairs, any shape (RpGAN: Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024).

    Raises:
        ValueError: real and fake of different shapes, which would broadcast into other pairs.
    """
    _paired(real, fake)
    return F.softplus(fake - real).mean()


def relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    """-log σ(fake - real) over pairs, any shape: G's side of `relativistic_d`, which needs real scores too."""
    _paired(real, fake)
    return F.softplus(real - fake).mean()


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Estimate of the distance, E[real] - E[fake] over any shape: rises while the critic learns, then falls (W6).

    The means are in float32 at least: as differences of large numbers in half precision they would have few digits.
    """
    return _mean(real) - _mean(fake)


def wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    """The critic's loss, any shape: minus the distance (Arjovsky et al. 2017)."""
    return -wasserstein(real, fake)


def wasserstein_g(fake: Tensor) -> Tensor:
    """-E[fake], any shape; its sign and level mean nothing, as the critic's offset is free (W7)."""
    return -_mean(fake)


def _mean(scores: Tensor) -> Tensor:
    return scores.mean(dtype=torch.promote_types(scores.dtype, torch.float32))


def bce_floor(target: float) -> float:
    """Minimum of `bce` against a target, its entropy in nats: H(0.9) = 0.325 (claim P4)."""
    return -sum(share * math.log(share) for share in (target, 1 - target) if share > 0)


def optimal_output(real_label: float, fake_label: float, share_real: float = 0.5) -> float:
    """Output of the optimal D under `bce_d`, where a sample is real with probability `share_real` (claim P3).

    Against a perfect G this is ½ everywhere: with labels 0.9 and 0.0 the output is 0.45 for both.

    Args:
        real_label: target for real samples.
        fake_label: target for generated ones.
        share_real: probability in [0, 1].
    """
    return share_real * real_label + (1 - share_real) * fake_label


@dataclass(frozen=True)
class Adversarial:
    """The two sides of an adversarial loss.

    Attributes:
        d: D's loss, of (real, fake), and of (real, fake, real_label, fake_label) where `labels`; 0-d.
        g: G's loss, of (fake), and of (real, fake) where `paired`; 0-d.
        labels: whether targets for real and fake logits can be given.
        paired: whether G's loss needs D's logits of real samples too.
    """

    d: Callable[..., Tensor]
    g: Callable[..., Tensor]
    labels: bool = False
    paired: bool = False


LOSSES: dict[str, Adversarial] = {
    "bce": Adversarial(bce_d, bce_g, labels=True),
    "non_saturating": Adversarial(non_saturating_d, non_saturating_g),
    "saturating": Adversarial(non_saturating_d, saturating_g),
    "least_squares": Adversarial(least_squares_d, least_squares_g, labels=True),
    "hinge": Adversarial(hinge_d, hinge_g),
    "relativistic": Adversarial(relativistic_d, relativistic_g, paired=True),
    "wasserstein": Adversarial(wasserstein_d, wasserstein_g),
}
"""Name → pair. `bce` and `non_saturating` are one loss where the labels are 1 and 0, rounded differently."""


def _paired(real: Tensor, fake: Tensor) -> None:
    if real.shape != fake.shape:
        raise ValueError(f"pairs need scores of one shape, got {tuple(real.shape)} and {tuple(fake.shape)}")
