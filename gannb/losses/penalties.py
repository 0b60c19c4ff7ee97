"""Gradient penalties on a discriminator or critic, as pure functions of it and of samples.

`PENALTIES` has them by name; a choice of one in an experiment's parameters takes its names from there.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


def squared_gradient_norms(critic: Critic, x: Tensor) -> Tensor:
    """Squared norm of the critic's gradient at each sample, over all dimensions but the batch (W4): `[N]`, float32.

    Outside autocast and in float32 at least, whatever precision the step runs in (W5). Keeps the graph, so that a
    penalty on it can be trained.

    Raises:
        ValueError: a critic with several scores per sample, whose slopes would be summed without a word (W15).
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.detach().to(torch.promote_types(x.dtype, torch.float32)).requires_grad_(True)
        scores = critic(x)
        if scores.numel() != len(x):
            raise ValueError(
                f"the critic gives scores of shape {tuple(scores.shape)} for {len(x)} samples; a penalty needs one "
                f"score per sample: average its patches first"
            )
        (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
        return gradient.flatten(1).square().sum(dim=1)


def r1(critic: Critic, real: Tensor) -> Tensor:
    """½ E‖∇D(x)‖² on real samples `[N, …]` (Mescheder et al. 2018); weigh it by γ.

    Lazy use, every k-th step: multiply by k as well (Karras et al. 2020).
    """
    return squared_gradient_norms(critic, real).mean() / 2


def r2(critic: Critic, fake: Tensor) -> Tensor:
    """The same on fake samples `[N, …]`."""
    return r1(critic, fake)


def gradient_penalty(
    critic: Critic, real: Tensor, fake: Tensor, mix: Tensor, *, one_sided: bool = False
) -> tuple[Tensor, Tensor]:
    """E(‖∇D(x̂)‖ - 1)² at x̂ = mix·real + (1 - mix)·fake (WGAN-GP, Gulrajani et al. 2017); weigh it by λ = 10.

    Args:
        critic: scores `[N]` of samples; no BatchNorm and no dropout (W10, W13).
        real: samples `[N, …]`.
        fake: samples of the same shape.
        mix: uniform draws in [0, 1) `[N]`, one per sample.
        one_sided: punish slopes above 1 only.

    Returns:
        The penalty (0-d) and the slopes' norms `[N]`, detached, for the log (W12).

    Raises:
        ValueError: shapes that differ, not one draw per sample, or not one score per sample.
    """
    if real.shape != fake.shape:
        raise ValueError(f"real {tuple(real.shape)} and fake {tuple(fake.shape)} differ in shape")
    if mix.shape != real.shape[:1]:
        raise ValueError(f"mix has shape {tuple(mix.shape)}; allowed is one draw per sample, ({len(real)},)")
    mix = mix.view(-1, *[1] * (real.ndim - 1))
    between = mix * real.detach() + (1 - mix) * fake.detach()
    norms = (squared_gradient_norms(critic, between) + 1e-12).sqrt()  # inside the root: its derivative is infinite at 0
    excess = F.relu(norms - 1) if one_sided else norms - 1
    return excess.square().mean(), norms.detach()


def _on_real(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    return r1(critic, real)


def _on_fake(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    return r2(critic, fake)


def _on_both(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    return r1(critic, real) + r2(critic, fake)


def _between(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    return gradient_penalty(critic, real, fake, mix)[0]


PENALTIES: dict[str, Callable[[Critic, Tensor, Tensor, Tensor], Tensor]] = {
    "gradient_penalty": _between,
    "r1": _on_real,
    "r2": _on_fake,
    "r1_r2": _on_both,
}
"""Name → penalty of (critic, real, fake, mix), 0-d: samples `[N, …]`, and one uniform draw per sample `[N]`."""
