"""Clouds of points as small pictures: generated points beside the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gannb.figures.grids import ImageGrid
from gannb.figures.template import GENERATED, REAL

if TYPE_CHECKING:
    from torch import Tensor

_GROUND = np.array([24.0, 26.0, 30.0])
_REAL, _GENERATED = (np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], float) for colour in (REAL, GENERATED))


def clouds(
    generated: Mapping[object, Tensor],
    real: Tensor,
    *,
    size: int = 80,
    columns: int = 6,
    caption: str = "",
    names: tuple[str, str] = ("real", "generated"),
) -> ImageGrid:
    """One picture per time or variant: generated points (orange) over real ones (blue), x and y to one scale.

    Args:
        generated: label → points `[N, 2]`; each label stands in its picture.
        real: points `[N, 2]`, whose extent sets the frame.
        size: of a picture, pixels.
        columns: pictures per row.
        caption: one line below, before what the colours mean.
        names: of the points in blue and of those in orange.

    Raises:
        ValueError: nothing to show, or no points in the plane.
    """
    if not generated or any(points.shape[1:] != (2,) for points in (real, *generated.values())):
        raise ValueError(f"clouds need points [N, 2]; given {[tuple(p.shape) for p in (real, *generated.values())]}")
    scale = max(1, round(size / 90))  # a point is to be seen in a large picture too
    size //= scale
    reach = 1.15 * float(real.abs().max())
    ground = _light(real, reach, size)[..., None] * (_REAL - _GROUND) + _GROUND
    pixels = []
    for points in generated.values():
        glow = _light(points, reach, size)[..., None]
        pixels.append((ground + glow * (_GENERATED - ground)).round().astype(np.uint8))
    caption = ", ".join(filter(None, [caption, f"blue: {names[0]}, orange: {names[1]}"]))
    titles = [str(label) for label in generated]
    return ImageGrid(np.stack(pixels), min(columns, len(pixels)), caption, scale=scale, titles=titles)


def _light(points: Tensor, reach: float, size: int) -> np.ndarray:
    """The brightness of each pixel, `[size, size]`, 0 to 1, y upwards, in few levels: one point is visible."""
    x, y = np.nan_to_num(points.detach().cpu().numpy().astype(np.float64), nan=2 * reach).T
    counts, _, _ = np.histogram2d(-y, x, bins=size, range=[[-reach, reach]] * 2)
    return np.select([counts > 3, counts > 0], [1.0, 0.6], 0.0)  # few levels: a PNG of a few kB
