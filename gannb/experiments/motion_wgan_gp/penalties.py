"""The gradient penalty as it should be, and six ways to get it wrong, each by its name.

Four of the defects are planted in the penalty here; BatchNorm and dropout are options of the critic (`critic_options`).
All penalties take the same arguments and return the same, so that a parameter can choose.
Source: motion_wgan_gp; claims W4, W5, W10, W13, W15.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gannb.losses.penalties import Critic, gradient_penalty

Penalised = tuple[Tensor, Tensor]
"""A penalty, 0-d, and the norms of the slopes that it punishes."""
Penalty = Callable[..., Penalised]
"""`(critic, real [N, …], fake [N, …], mix [N], one_sided=False)` to (penalty, norms)."""

DEFECTS: dict[str, str] = {
    "none": "norm over all but the batch, one draw per sample, float32, patches averaged",
    "dim_1": "norm over dimension 1 only: on [B, T, F] that is time, so each feature is pushed to slope 1 (W4)",
    "batch_norm": "BatchNorm in the critic: a sample's slope depends on the others of its batch (W10)",
    "dropout": "dropout in the critic: the penalty sees another network than the scores (W13)",
    "one_mix": "one draw per batch instead of one per sample: few places between real and fake are looked at",
    "autocast": "the penalty in the step's reduced precision (W5)",
    "summed_patches": "patch scores summed instead of averaged: with P patches the critic is pushed to slope 1/P (W15)",
}
"""What each defect is; "none" is no defect."""


def per_sample(critic: Critic) -> Critic:
    """The same critic with one score per sample `[N]`: the mean over whatever it scores besides (W15)."""

    def scores(x: Tensor) -> Tensor:
        return _by_sample(critic(x)).mean(dim=1)

    return scores


def correct(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor, *, one_sided: bool = False) -> Penalised:
    """`gradient_penalty` on the mean over patches, a scalar, and the norms `[N]`.

    Args:
        critic: samples to scores `[N]` or patch scores `[N, P]`.
        real: samples `[N, …]`.
        fake: samples `[N, …]`.
        mix: uniform draws `[N]`, one per sample.
        one_sided: punish slopes above 1 only.
    """
    return gradient_penalty(per_sample(critic), real, fake, mix, one_sided=one_sided)


def _dim_1(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor, *, one_sided: bool = False) -> Penalised:
    """The document's line: `sum(dim=1)` of a gradient that was not flattened."""
    real, fake = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (real, fake))
    with torch.autocast(real.device.type, enabled=False):
        return _written_out(critic, real, fake, mix, one_sided, flat=False)


def _one_mix(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor, *, one_sided: bool = False) -> Penalised:
    """The first sample's draw for all."""
    return correct(critic, real, fake, mix[:1].expand_as(mix), one_sided=one_sided)


def _autocast(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor, *, one_sided: bool = False) -> Penalised:
    """Whatever precision the step runs in; the same as `correct` in a step of full precision."""
    return _written_out(critic, real, fake, mix, one_sided, flat=True)


def _summed(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor, *, one_sided: bool = False) -> Penalised:
    """`gradient_penalty` on the sum over patches; the same as `correct` on a critic of one score per sample."""
    return gradient_penalty(lambda x: _by_sample(critic(x)).sum(dim=1), real, fake, mix, one_sided=one_sided)


def _written_out(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor, one_sided: bool, *, flat: bool) -> Penalised:
    """`correct` in a few lines: in the step's precision, and its norm over dimension 1 of the gradient, flat or not."""
    mix = mix.view(-1, *[1] * (real.ndim - 1))
    between = (mix * real.detach() + (1 - mix) * fake.detach()).requires_grad_(True)
    (gradient,) = torch.autograd.grad(per_sample(critic)(between).sum(), between, create_graph=True)
    norms = ((gradient.flatten(1) if flat else gradient).square().sum(dim=1) + 1e-12).sqrt()
    return ((norms - 1).relu() if one_sided else norms - 1).square().mean(), norms.detach()


_PENALTIES = {"dim_1": _dim_1, "one_mix": _one_mix, "autocast": _autocast, "summed_patches": _summed}
_CRITICS: dict[str, dict[str, Any]] = {"batch_norm": {"norm": "batch"}, "dropout": {"dropout": 0.2}}


def penalty_with(defect: str) -> Penalty:
    """The penalty that has a defect; the correct one where the defect is in the critic, or "none".

    Raises:
        ValueError: a defect that is not known; the message lists them.
    """
    return _PENALTIES.get(_known(defect), correct)


def critic_options(defect: str) -> dict[str, Any]:
    """Options of a critic of `gannb.networks.toys` that plant a defect; empty where the defect is in the penalty.

    Raises:
        ValueError: a defect that is not known; the message lists them.
    """
    return dict(_CRITICS.get(_known(defect), {}))


def drawing_mix(penalty: Penalty) -> Callable[[Critic, Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A penalty (a scalar and norms `[N]`) that draws `mix` itself from torch's generator, as `checklist` takes it."""
    return lambda critic, real, fake: penalty(critic, real, fake, torch.rand(len(real), device=real.device))


def _known(defect: str) -> str:
    if defect not in DEFECTS:
        raise ValueError(f"defect {defect!r} is not known; allowed: {', '.join(DEFECTS)}")
    return defect


def _by_sample(scores: Tensor) -> Tensor:
    """Scores `[N]` or `[N, …]` as `[N, P]`."""
    return scores.unsqueeze(1) if scores.ndim == 1 else scores.flatten(1)
