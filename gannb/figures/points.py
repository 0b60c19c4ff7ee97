"""Clouds of points as small pictures: how what a generator makes grows towards the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gannb.figures.grids import ImageGrid

if TYPE_CHECKING:
    from torch import Tensor

_GROUND, _REAL, _MADE = np.array([24.0, 26.0, 30.0]), np.array([70.0, 120.0, 165.0]), np.array([255.0, 170.0, 70.0])


def clouds(
    made: Mapping[object, Tensor], real: Tensor, *, size: int = 80, columns: int = 6, caption: str = ""
) -> ImageGrid:
    """One picture a moment (or an arm), what is made (orange) over the real points (blue), both ways to one scale.

    Args:
        made: label → points `[N, 2]`; the labels stand in the caption, in their order.
        real: points `[N, 2]`, whose extent sets the frame.
        size: of a picture, pixels.
        columns: pictures a row.
        caption: before the labels.

    Raises:
        ValueError: nothing to show, or no points in the plane.
    """
    if not made or any(points.shape[1:] != (2,) for points in (real, *made.values())):
        raise ValueError(f"clouds need points [N, 2]; given {[tuple(p.shape) for p in (real, *made.values())]}")
    reach = 1.15 * float(real.abs().max())
    ground = _light(real, reach, size)[..., None] * (_REAL - _GROUND) + _GROUND
    pixels = []
    for points in made.values():
        glow = _light(points, reach, size)[..., None]
        pixels.append((ground + glow * (_MADE - ground)).round().astype(np.uint8))
    labels = ", ".join(map(str, made))
    return ImageGrid(np.stack(pixels), min(columns, len(pixels)), f"{caption}: {labels}" if caption else labels)


def _light(points: Tensor, reach: float, size: int) -> np.ndarray:
    """How bright each pixel is `[size, size]`, 0 to 1, y upwards: one point shows, many do not drown the rest."""
    x, y = np.nan_to_num(points.detach().cpu().numpy().astype(np.float64), nan=2 * reach).T
    counts, _, _ = np.histogram2d(-y, x, bins=size, range=[[-reach, reach]] * 2)
    return np.select([counts > 3, counts > 0], [1.0, 0.6], 0.0)  # few levels: a PNG of a few kB
