"""Explore a generator's latent space: sliders in JupyterLab, a grid of interpolations everywhere else."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from gannb.figures.grids import ImageGrid, image_grid
from gannb.random import generator
from gannb.widgets.sliders import Slider, with_controls


def latent(latent_dim: int, seed: int) -> Tensor:
    """The latent `[1, latent_dim]` of a seed."""
    return torch.randn(1, latent_dim, generator=generator("explorer", seed))


def slerp(start: Tensor, end: Tensor, t: float | Tensor) -> Tensor:
    """Spherical interpolation between two latents (Shoemake 1985; White 2016).

    Gaussian latents of many dimensions lie near a sphere, so G never saw the middle of a straight line.

    Args:
        start: `[…, latent_dim]`, at t = 0.
        end: `[…, latent_dim]`, at t = 1.
        t: 0 to 1, a number or `[…, 1]`.

    Returns:
        The point between, `[…, latent_dim]`.
    """
    angle = torch.acos(torch.cosine_similarity(start, end, dim=-1).clamp(-1, 1)).unsqueeze(-1)
    t = torch.as_tensor(t)
    straight = start + (end - start) * t
    arc = (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)
    return torch.where(angle.abs() < 1e-4, straight, arc)


@torch.no_grad()
def interpolations(G: nn.Module, latent_dim: int, *, rows: int = 2, steps: int = 6, seed: int = 0) -> ImageGrid:
    """A grid in which each row interpolates from one latent to the next.

    Args:
        G: latents `[N, latent_dim]` → images.
        latent_dim: the length of a latent.
        rows: rows of the grid.
        steps: images per row.
        seed: of the first latent; the following ones are those of the next seeds.
    """
    t = torch.linspace(0, 1, steps).unsqueeze(-1)
    ends = [latent(latent_dim, seed + i) for i in range(rows + 1)]
    points = torch.cat([slerp(a.expand(steps, -1), b.expand(steps, -1), t) for a, b in pairwise(ends)])
    images = G(points.to(next(G.parameters()).device)).cpu()
    return image_grid(images, columns=steps, scale=2, caption="each row walks from one latent to the next")


def explore(G: nn.Module, latent_dim: int, *, live: bool = False, scale: int = 6) -> Any:
    """Sliders over a generator's latent space where a person watches, a grid of interpolations elsewhere.

    Args:
        G: a generator in eval mode (`trainer.ema("G")`): latents `[N, latent_dim]` → images.
        latent_dim: the length of a latent.
        live: whether to make widgets.
        scale: how many screen pixels an image pixel becomes.
    """
    if not live:
        return interpolations(G, latent_dim)
    device = next(G.parameters()).device

    @torch.no_grad()
    def draw(**value: float) -> ImageGrid:
        start, end = (latent(latent_dim, int(value[name])) for name in ("from seed", "to seed"))
        point = slerp(start, end, value["position"]) * value["length"]
        return image_grid(G(point.to(device)).cpu(), columns=1, scale=scale)

    seeds = {"from seed": Slider(0, 99, 1, 0), "to seed": Slider(0, 99, 1, 1)}
    controls = seeds | {"position": Slider(0, 1, 0.01, 0), "length": Slider(0, 2, 0.05, 1)}
    return with_controls(draw, controls, "on", continuous=True)
