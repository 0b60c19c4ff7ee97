"""Path length regularisation: a step in latent space should move the image as far, wherever it starts and points.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 3.2 and appendix B.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def path_lengths(synthesis: Callable[[Tensor], Tensor], w: Tensor, noise: Tensor) -> Tensor:
    """‖Jᵀy‖ for each sample, J the Jacobian of the images in their latents and y random images: `[N]`, float32.

    In float32 outside autocast, with the graph kept, so that a penalty on it can be trained.

    Args:
        synthesis: latents → images `[N, C, H, W]`, each sample by itself.
        w: latents `[N, d]`, such as a mapping network makes them; its gradient goes back into them. Or a latent a
            layer, `[N, layers, d]`: then the root of the mean square over layers, which the paper's code has and its
            weight is for (one latent for all of them moves the image √layers times as far and more).
        noise: standard normal draws of the images' shape. They are divided by √(H·W), so that the length does not grow
            with the number of pixels.

    Raises:
        ValueError: noise of another shape than the images.
    """
    with torch.autocast(w.device.type, enabled=False):
        w = w.float() if w.requires_grad else w.float().requires_grad_(True)
        images = synthesis(w)
        if images.shape != noise.shape:
            raise ValueError(f"noise has shape {tuple(noise.shape)}, the images {tuple(images.shape)}")
        moved = (images * noise).sum() / math.sqrt(images.shape[-1] * images.shape[-2])
        (gradient,) = torch.autograd.grad(moved, w, create_graph=True)
        squares = gradient.square().sum(dim=-1)
        return (squares.mean(dim=1) if w.ndim == 3 else squares).sqrt()


def path_length_penalty(lengths: Tensor, target: Tensor | float) -> Tensor:
    """E(length − target)² of lengths `[N]`, whose running mean is the target.

    Lazy use, every k-th step: multiply by k as well.
    """
    return (lengths - target).square().mean()
