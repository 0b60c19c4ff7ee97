"""Differentiable augmentation, for real and fake images alike, from addressed draws.

D cannot memorise images that it only sees augmented; what is applied to both does not leak into G (Zhao et al. 2020,
DiffAugment; Karras et al. 2020, ADA). Applied to real images only, it leaks (claim S6).

Of colour with transparency, brightness, contrast and saturation change the colours, as far as they are opaque.

Everything that moves pixels does so by indexing: the backward of `grid_sample` and of reflection padding is not
deterministic on CUDA, and `grid_sample` has no second derivative. Beyond its edges the image is mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gannb.random import Draws

Number = Tensor | float
Uniform = Callable[[str], Tensor]  # a name → fresh uniform draws in [-1, 1), one per image: [N, 1, 1, 1]


def augment(
    images: Tensor,
    draws: Draws,
    policy: Sequence[str],
    *,
    strength: Number = 1.0,
    probability: Number = 1.0,
) -> Tensor:
    """Apply each operation of `policy`, in its order, to each image with `probability`.

    Args:
        images: `[N, C, H, W]` in [-1, 1]; square where the policy has "quarter_turns".
        draws: this turn's random numbers; two calls in one turn draw differently.
        policy: names among `OPERATIONS`.
        strength: factor on the magnitudes below (flips and quarter turns have none), 0 to 1, float or 0-d tensor;
            gradients reach it through all but "translation" and "cutout", which move whole pixels.
        probability: 0 to 1, float or 0-d tensor (never read on the host), the same for every operation (ADA's p).

    Magnitudes at strength 1: translation ±1/8 of the height, cutout of half the height, brightness ±0.5,
    contrast and saturation ×0.5 to ×1.5, rotation ±15°, affine ±10°, ±10 % of size and ±1/10 of translation,
    jitter a fifth of brightness, contrast and saturation together.

    Raises:
        ValueError: an unknown name in the policy.
    """
    unknown = [name for name in policy if name not in OPERATIONS]
    if unknown:
        raise ValueError(f"unknown augmentation {unknown}; allowed are {', '.join(OPERATIONS)}")
    for name in policy:
        uniform = _uniform(images, draws, name)
        chosen = (uniform("chosen") + 1) / 2 < probability
        images = torch.where(chosen, OPERATIONS[name](images, uniform, strength), images)
    return images


def _uniform(images: Tensor, draws: Draws, name: str) -> Uniform:
    def uniform(stream: str) -> Tensor:
        drawn = draws.rand(f"augment/{name}/{stream}", len(images)).to(images.device, images.dtype)
        return 2 * drawn.view(-1, 1, 1, 1) - 1

    return uniform


def _hflip(x: Tensor, uniform: Uniform, _: Number) -> Tensor:
    return torch.where(uniform("side") < 0, x.flip(3), x)


def _vflip(x: Tensor, uniform: Uniform, _: Number) -> Tensor:
    return torch.where(uniform("side") < 0, x.flip(2), x)


def _quarter_turns(x: Tensor, uniform: Uniform, _: Number) -> Tensor:
    x = torch.where(uniform("odd") < 0, x.rot90(1, (2, 3)), x)
    return torch.where(uniform("half") < 0, x.flip(2, 3), x)


def _translation(x: Tensor, uniform: Uniform, strength: Number) -> Tensor:
    height, width = x.shape[2:]
    down = (uniform("down") * strength * (height / 8)).round().long()[:, 0]
    right = (uniform("right") * strength * (width / 8)).round().long()[:, 0]
    rows, columns = _places(x)
    return _take(x, rows.long() - down, columns.long() - right)


def _cutout(x: Tensor, uniform: Uniform, strength: Number) -> Tensor:
    height, width = x.shape[2:]
    rows, columns = _places(x)
    middle_row, middle_column = (uniform("row")[:, 0] + 1) / 2 * height, (uniform("column")[:, 0] + 1) / 2 * width
    inside = ((rows + 0.5 - middle_row).abs() < strength * height / 4) & (
        (columns + 0.5 - middle_column).abs() < strength * width / 4
    )
    return x * ~inside[:, None]


def _brightness(x: Tensor, uniform: Uniform, strength: Number) -> Tensor:
    by = uniform("by") * strength * 0.5
    if x.shape[1] == 4:
        return torch.cat([x[:, :3] + by * (x[:, 3:] + 1) / 2, x[:, 3:]], 1)
    return x + by


def _contrast(x: Tensor, uniform: Uniform, strength: Number) -> Tensor:
    factor = 1 + uniform("by") * strength * 0.5
    if x.shape[1] == 4:
        alpha = x[:, 3:] + 1
        grey = (x[:, :3] + 1).mean(dim=(1, 2, 3), keepdim=True) / alpha.mean(dim=(2, 3), keepdim=True).clamp_min(1e-6)
        mean = grey * alpha - 1  # the mean colour, in units of 2, times alpha
        return torch.cat([mean + (x[:, :3] - mean) * factor, x[:, 3:]], 1)
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (x - mean) * factor


def _saturation(x: Tensor, uniform: Uniform, strength: Number) -> Tensor:
    if x.shape[1] == 4:
        return torch.cat([_saturation(x[:, :3], uniform, strength), x[:, 3:]], 1)
    grey = x.mean(dim=1, keepdim=True)
    return grey + (x - grey) * (1 + uniform("by") * strength * 0.5)


def _rotation(x: Tensor, uniform: Uniform, strength: Number) -> Tensor:
    return _warp(x, uniform("angle") * strength * math.radians(15))


def _affine(x: Tensor, uniform: Uniform, strength: Number) -> Tensor:
    return _warp(
        x,
        uniform("angle") * strength * math.radians(10),
        zoom=1 + uniform("zoom") * strength * 0.1,
        down=uniform("down") * strength * (x.shape[2] / 10),
        right=uniform("right") * strength * (x.shape[3] / 10),
    )


def _jitter(x: Tensor, uniform: Uniform, strength: Number) -> Tensor:
    for change in (_brightness, _contrast, _saturation):

        def of_change(stream: str, name: str = change.__name__) -> Tensor:
            return uniform(f"{name}/{stream}")

        x = change(x, of_change, strength * 0.2)
    return x


OPERATIONS: dict[str, Callable[[Tensor, Uniform, Number], Tensor]] = {
    "hflip": _hflip,
    "vflip": _vflip,
    "quarter_turns": _quarter_turns,
    "translation": _translation,
    "cutout": _cutout,
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "rotation": _rotation,
    "affine": _affine,
    "jitter": _jitter,
}


def _places(x: Tensor) -> tuple[Tensor, Tensor]:
    """Row `[1, H, 1]` and column `[1, 1, W]` of every pixel, as floats."""
    height, width = x.shape[2:]
    return (
        torch.arange(height, device=x.device, dtype=x.dtype).view(1, -1, 1),
        torch.arange(width, device=x.device, dtype=x.dtype).view(1, 1, -1),
    )


def _warp(x: Tensor, angle: Tensor, zoom: Number = 1.0, down: Number = 0.0, right: Number = 0.0) -> Tensor:
    """Turn by an angle (radians) about the middle, enlarge, and move by pixels; bilinear between pixels."""
    rows, columns = _places(x)
    rows = (rows - (x.shape[2] - 1) / 2)[:, None] - down  # [N, 1, H, W] from here on
    columns = (columns - (x.shape[3] - 1) / 2)[:, None] - right
    from_rows = ((rows * angle.cos() - columns * angle.sin()) / zoom + (x.shape[2] - 1) / 2)[:, 0]
    from_columns = ((rows * angle.sin() + columns * angle.cos()) / zoom + (x.shape[3] - 1) / 2)[:, 0]
    top, left = from_rows.floor(), from_columns.floor()
    below, beside = (from_rows - top)[:, None], (from_columns - left)[:, None]
    top, left = top.long(), left.long()
    upper = _take(x, top, left) * (1 - beside) + _take(x, top, left + 1) * beside
    lower = _take(x, top + 1, left) * (1 - beside) + _take(x, top + 1, left + 1) * beside
    return upper * (1 - below) + lower * below


def _take(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The pixels at rows and columns (integers `[N, H, W]` or what broadcasts to it), mirrored outside the image."""
    rows, columns = torch.broadcast_tensors(_mirrored(rows, x.shape[2]), _mirrored(columns, x.shape[3]))
    batch = torch.arange(len(x), device=x.device).view(-1, 1, 1)
    return x[batch, :, rows, columns].permute(0, 3, 1, 2)


def _mirrored(places: Tensor, count: int) -> Tensor:
    """Fold integers into [0, count), the last pixel being its own mirror's neighbour."""
    places = places.remainder(2 * count)
    return torch.minimum(places, 2 * count - 1 - places)
