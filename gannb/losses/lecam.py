"""LeCam regularisation: a discriminator's logits on one kind of image stay near their running mean on the other kind.

Tseng et al. 2021, "Regularizing Generative Adversarial Networks under Limited Data", equation 4.
"""

from __future__ import annotations

from torch import Tensor


def lecam(real: Tensor, fake: Tensor, mean_real: Tensor | float, mean_fake: Tensor | float) -> Tensor:
    """E(D(x) − α_F)² + E(D(G(z)) − α_R)² of logits `[N]`, 0-d.

    Args:
        real: logits of real images.
        fake: logits of generated images.
        mean_real: α_R, the running mean of the logits of real images.
        mean_fake: α_F, that of generated ones.
    """
    return (real.float() - mean_fake).square().mean() + (fake.float() - mean_real).square().mean()
