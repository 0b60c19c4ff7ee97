"""Measures of a WGAN's critic: its estimate of the distance, gradient norms, values over the plane, G's gradients.

Contradictions W6, W8 and W16 say how each is to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion_wgan_gp.penalties import per_sample
from gannb.losses.penalties import Critic, gradient_penalty
from gannb.random import generator


@torch.no_grad()
def scores(critic: Critic, samples: Tensor, batch_size: int = 1024) -> Tensor:
    """One score per sample `[N]`, the mean over its patches, on the CPU.

    Args:
        critic: samples to scores.
        samples: `[N, …]`.
        batch_size: samples at a time.
    """
    place = _place(critic)
    return torch.cat([per_sample(critic)(part.to(place)).cpu() for part in samples.split(batch_size)])


def distances(critic: Critic, train: Tensor, held_out: Tensor, fake: Tensor) -> dict[str, float]:
    """The critic's estimate of the Wasserstein distance, E[D(real)] - E[D(fake)], without the penalty (W6, W8).

    On training and on held-out data against the same samples; in units of the critic's slope.

    Args:
        critic: a frozen copy in eval mode.
        train: training samples `[N, …]`.
        held_out: held-out samples `[N, …]`.
        fake: generated samples `[N, …]`.
    """
    generated = scores(critic, fake).double().mean()
    return {
        "W_train": float(scores(critic, train).double().mean() - generated),
        "W_held_out": float(scores(critic, held_out).double().mean() - generated),
    }


@torch.no_grad()
def gesture_distance(critic: nn.Module, G: nn.Module, clips: Clips, batch_size: int = 64) -> float:
    """The estimate for gestures, E[D(real)] - E[D(generated to the same speech)], patches averaged, no penalty (W8).

    Args:
        critic: a frozen copy in eval mode.
        G: likewise.
        clips: real ones, training or held out.
        batch_size: clips at a time.
    """
    device, sums = next(critic.parameters()).device, []
    for pose, mel, speaker in zip(*(part.split(batch_size) for part in (clips.pose, clips.mel, clips.speaker))):
        pose, mel, speaker = pose.to(device), mel.to(device), speaker.to(device)
        gap = critic(pose, mel, speaker) - critic(G(mel, speaker), mel, speaker)
        sums.append(gap.double().flatten(1).mean(dim=1).cpu())
    return float(torch.cat(sums).mean())


@torch.no_grad()
def samples(G: nn.Module, count: int = 1024, seed: int = 0) -> Tensor:
    """Samples `[count, …]` of a generator with a `latent`, of the same latents each time, on the CPU.

    Args:
        G: the generator.
        count: how many.
        seed: of the latents.
    """
    weight = next(G.parameters())
    z = torch.randn(count, G.latent, generator=generator("samples", seed)).to(weight.device)
    return G(z).cpu()


def critic_state(
    critic: nn.Module, G: nn.Module, train: Tensor, held_out: Tensor, *, seed: int = 0, count: int = 1024
) -> dict[str, float]:
    """`distances` of a critic and its generator, and the mean "slope" on the mixed points.

    Args:
        critic: a frozen copy in eval mode.
        G: what it was trained against, with a `latent`: the generator itself, not its average.
        train: training samples `[N, …]`.
        held_out: held-out samples `[N, …]`.
        seed: of the latents and the mixing.
        count: how many samples of each are looked at, the first ones.
    """
    device = next(critic.parameters()).device
    train, held_out = train[:count].to(device), held_out[:count].to(device)
    generated = samples(G, len(held_out), seed).to(device)
    mix = torch.rand(len(generated), generator=generator("mix", seed)).to(device)
    with torch.enable_grad():
        norms = slope_norms(critic, held_out, generated, mix)
    with torch.no_grad():
        return distances(critic, train, held_out, generated) | {"slope": float(norms.mean())}


def exact_distance(one: Tensor, two: Tensor) -> float:
    """The Wasserstein-1 distance of two samples `[N, …]` of one size, by the best pairing; what a critic estimates.

    Takes about a tenth of a second for 500 samples. Two samples of one distribution are some way apart as well.

    Raises:
        ValueError: sizes that differ.
    """
    from scipy.optimize import linear_sum_assignment

    if one.shape != two.shape:
        raise ValueError(f"samples of shape {tuple(one.shape)} and {tuple(two.shape)}; one shape is needed")
    cost = torch.cdist(one.flatten(1).double(), two.flatten(1).double()).cpu().numpy()
    return float(cost[linear_sum_assignment(cost)].mean())


def slope_norms(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """Norms of the critic's gradient on the mixed points `[N]`, over all dimensions but the batch, on the CPU.

    Args:
        critic: samples to scores.
        real: samples `[N, …]`.
        fake: samples `[N, …]`.
        mix: shares of `real` `[N]`.
    """
    place = _place(critic)
    return gradient_penalty(per_sample(critic), real.to(place), fake.to(place), mix.to(place))[1].cpu()


def _place(critic: Critic) -> torch.device | None:
    """Where a network's weights are; None for a plain function, which takes its samples where they are."""
    return next(critic.parameters()).device if isinstance(critic, nn.Module) else None


@dataclass(frozen=True)
class Surface:
    """The critic's values over a square.

    Attributes:
        axis: `[S]`, the same both ways.
        values: `[S, S]`, rows are y; moved so that their mean is 0, as the offset is free (W7).
    """

    axis: np.ndarray
    values: np.ndarray


def surface(critic: Critic, reach: float = 3.0, size: int = 41) -> Surface:
    """The critic's values over a square of the plane.

    Args:
        critic: of points `[N, 2]`.
        reach: it is drawn over [-reach, reach]².
        size: points along a side.
    """
    weight = next(critic.parameters(), None) if isinstance(critic, nn.Module) else None
    axis = torch.linspace(-reach, reach, size, device=None if weight is None else weight.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    values = scores(critic, torch.stack([x, y], dim=-1).flatten(0, 1)).view(size, size)
    return Surface(axis.cpu().numpy(), (values - values.mean()).cpu().numpy())


def gradient_norms(
    generator: nn.Module, discriminator: Critic, z: Tensor, losses: Mapping[str, Callable[[Tensor], Tensor]]
) -> dict[str, float]:
    """The norm of G's gradient through a discriminator, under each of G's losses (W16).

    Args:
        generator: a copy whose weights take gradients; they are left alone.
        discriminator: logits or scores of samples.
        z: latents `[N, …]`.
        losses: G's losses of the scores, by name.
    """
    weights = list(generator.parameters())
    generated = discriminator(generator(z.to(weights[0].device)))
    norms = {}
    for name, loss in losses.items():
        gradients = torch.autograd.grad(loss(generated), weights, retain_graph=True, allow_unused=True)
        norms[name] = float(nn.utils.get_total_norm([g for g in gradients if g is not None]))
    return norms
