"""Walk through a generator's latent space: sliders in JupyterLab, a sheet of steps everywhere else."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from gannb.figures.grids import ImageGrid, image_grid
from gannb.random import generator


def latent(latent_dim: int, seed: int) -> Tensor:
    """The latent `[1, latent_dim]` that a seed stands for."""
    return torch.randn(1, latent_dim, generator=generator("explorer", seed))


def between(start: Tensor, end: Tensor, t: float | Tensor) -> Tensor:
    """A point on the arc from one latent to another.

    Spherical, because Gaussian latents of many dimensions live near a sphere: the straight line's middle is a place
    that G never saw.

    Args:
        start, end: `[…, latent_dim]`.
        t: 0 at the start, 1 at the end.
    """
    angle = torch.acos(torch.cosine_similarity(start, end, dim=-1).clamp(-1, 1)).unsqueeze(-1)
    t = torch.as_tensor(t)
    straight = start + (end - start) * t
    arc = (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)
    return torch.where(angle.abs() < 1e-4, straight, arc)


def walk(G: nn.Module, latent_dim: int, *, rows: int = 2, steps: int = 6, seed: int = 0) -> ImageGrid:
    """A sheet: each row goes from one latent to the next in equal steps."""
    device = next(G.parameters()).device
    t = torch.linspace(0, 1, steps).unsqueeze(-1)
    ends = [latent(latent_dim, seed + i) for i in range(rows + 1)]
    points = torch.cat([between(a.expand(steps, -1), b.expand(steps, -1), t) for a, b in pairwise(ends)])
    with torch.no_grad():
        made = G(points.to(device)).cpu()
    return image_grid(made, columns=steps, scale=2, caption="each row walks from one latent to the next")


def explore(G: nn.Module, latent_dim: int, *, live: bool = False, scale: int = 6) -> Any:
    """Sliders over a generator's latent space where a person is there, a sheet of walks where nobody is.

    Args:
        G: a generator in eval mode (`trainer.ema("G")`): latents `[N, latent_dim]` → images.
        latent_dim: the length of a latent.
        live: whether to make widgets.
        scale: how many screen pixels an image pixel becomes.
    """
    if not live:
        return walk(G, latent_dim)
    import ipywidgets as widgets

    style = {"description_width": "110px"}
    start = widgets.IntSlider(0, 0, 99, description="from seed", style=style)
    end = widgets.IntSlider(1, 0, 99, description="to seed", style=style)
    part = widgets.FloatSlider(0.0, min=0.0, max=1.0, step=0.01, description="on the way", style=style)
    length = widgets.FloatSlider(1.0, min=0.0, max=2.0, step=0.05, description="length", style=style)
    shown = widgets.Image(format="png")
    device = next(G.parameters()).device

    def draw(_: object = None) -> None:
        point = between(latent(latent_dim, start.value), latent(latent_dim, end.value), part.value) * length.value
        with torch.no_grad():
            made = G(point.to(device)).cpu()
        shown.value = image_grid(made, columns=1, scale=scale).png

    for slider in (start, end, part, length):
        slider.observe(draw, "value")
    draw()
    return widgets.HBox([shown, widgets.VBox([start, end, part, length])])
