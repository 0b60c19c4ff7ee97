"""Particle images: rendered ones, or a folder of real ones; and which of them are poor.

The rendering imitates bright-field microscopy of micrometre spheres in water: dark spots in focus, wide faint ones out
of it, on one side of the focus with a bright middle and a dark ring; an uneven background; shot noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from gannb.config.image_formats import Size, sides
from gannb.data.images import Images, Report, read_images
from gannb.data.transparency import opaque
from gannb.random import key
from gannb.tables import ShownAsTable, Table

RENDERED = "rendered"


def load(
    data: str = RENDERED,
    size: Size = 64,
    seed: int = 0,
    *,
    count: int = 300,
    fit: str = "crop",
    channels: int = 1,
) -> Images:
    """Load particle images `[N, channels, height, width]`.

    Args:
        data: "rendered", or a folder or `.npz` file for `gannb.data.images.read_images`, which says what `fit` and
            its errors mean.
        size: height and width in pixels, one number for a square.
        seed: of the rendering, or of random crops.
        count: how many images are rendered.
        fit: see `read_images`.
        channels: see `read_images`; rendered ones are grey.
    """
    if data == RENDERED:
        return render(count, size, seed)
    return read_images(data, size, channels=channels, fit=fit, seed=seed)


# ---- rendering -------------------------------------------------------------------------------------------------


def render(count: int = 300, size: Size = 64, seed: int = 0) -> Images:
    """Render particle images; image i is the same whatever `count` is. A pixel is about 0.2 µm, whatever `size` is.

    Args:
        count: how many.
        size: height and width in pixels, one number for a square.
        seed: of everything random in them.

    Raises:
        ValueError: fewer than one image, or fewer than 16 pixels.
    """
    shape = sides(size)
    if count < 1 or min(shape) < 16:
        raise ValueError(f"count={count}, size={size}; allowed are at least 1 image of at least 16 pixels")
    pictures = np.stack([_picture(shape, np.random.default_rng(key(seed, "rendered", i))) for i in range(count)])
    names = tuple(f"rendered_{i:03d}" for i in range(count))
    report = Report(used=tuple((name, f"{shape[1]}×{shape[0]} rendered") for name in names))
    return Images(torch.from_numpy(pictures)[:, None].float(), names, RENDERED, report)


def _picture(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """One image `[height, width]` in [-1, 1]."""
    transmitted, (height, width) = _background(shape, rng), shape
    density = rng.gamma(8.0, 18.0 / 8.0) / 64**2  # particles a pixel: about 18 on 64×64, more unequal than Poisson
    margin = 6  # particles outside reach in
    for _ in range(rng.poisson(density * ((height + 2 * margin) * (width + 2 * margin)))):
        row, column = rng.uniform(-margin, (height + margin, width + margin))
        transmitted += _particle(shape, row, column, rng)
    photons = 9000.0
    counted = rng.poisson(transmitted.clip(0.01) * photons) / photons
    return (counted * 2 - 1).clip(-1, 1)


def _background(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Uneven light: a level, a slope, clouds of what floats far out of focus, and the camera's grain."""
    from scipy.ndimage import gaussian_filter  # type: ignore[attr-defined]

    rows, columns = np.mgrid[: shape[0], : shape[1]] / 64 - 0.5
    light = rng.normal(0.655, 0.012) + rng.normal(0, 0.01) * rows + rng.normal(0, 0.01) * columns
    for smooth, spread in ((7.0, 0.010), (2.2, 0.010), (0.9, 0.012)):
        clouds = gaussian_filter(rng.normal(0, 1, shape), smooth, mode="reflect")
        light += clouds * spread * 2 * np.sqrt(np.pi) * smooth  # filtering leaves 1 / (2 √π smooth) of the deviation
    return light


def _particle(shape: tuple[int, int], row: float, column: float, rng: np.random.Generator) -> np.ndarray:
    """What one sphere takes from the light, by its distance from the focal plane (in depths of field)."""
    distance = rng.normal(0, 2.2)
    radius = rng.normal(1.5, 0.12)
    wide = radius * np.sqrt(1 + (0.5 * distance) ** 2)
    depth = rng.uniform(0.45, 0.62) / (1 + 0.7 * distance**2) + 0.06
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    square = (rows - row) ** 2 + (columns - column) ** 2
    spot = np.exp(-square / (2 * wide**2))
    # Above the focal plane the sphere is a lens: a bright middle, and a dark ring around it.
    lens = np.clip(distance - 0.8, 0, 2.2) * np.exp(-square / (2 * (0.55 * wide) ** 2))
    return depth * (0.75 * lens - spot)


# ---- quality ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Quality(ShownAsTable):
    """How good each image is, poorest first, for the document's advice to drop poor ones.

    Attributes:
        names: of the images.
        poorness: the worst of the three figures below `[N]`, in robust standard deviations: below the others in
            sharpness or contrast, or above them in saturation (which counts from 1 % of the pixels on).
        sharpness: mean squared Laplacian over the variance: low where an image is blurred.
        contrast: standard deviation, in grey levels of 255.
        saturated: share of pixels at black or white.
    """

    names: list[str]
    poorness: np.ndarray
    sharpness: np.ndarray
    contrast: np.ndarray
    saturated: np.ndarray

    def worst(self, count: int) -> list[str]:
        """Names of the poorest images: an exclusion list."""
        return self.names[:count]

    def table(self, count: int = 10) -> Table:
        """The poorest images with their figures."""
        columns = ("image", "poorness", "sharpness", "contrast", "saturated")
        rows = list(zip(self.names, self.poorness, self.sharpness, self.contrast, self.saturated))[:count]
        return Table(columns, rows, note=f"the poorest {len(rows)} of {len(self.names)} images, in robust deviations")


def quality(images: Images) -> Quality:
    """Rank images by blur, contrast and saturation (colour, on white, is averaged to grey)."""
    grey = (opaque(images.pixels).mean(dim=1).double().cpu().numpy() + 1) * 127.5
    laplacian = (
        grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * grey[:, 1:-1, 1:-1]
    )
    variance = grey.var(axis=(1, 2))
    sharpness = (laplacian**2).mean(axis=(1, 2)) / np.maximum(variance, 1e-6)
    contrast = np.sqrt(variance)
    saturated = ((grey < 0.5) | (grey > 254.5)).mean(axis=(1, 2))
    blurred, flat = -_robust(np.log(sharpness + 1e-9)), -_robust(np.log(contrast + 1e-3))
    poorness = np.maximum.reduce([blurred, flat, np.where(saturated > 0.01, _robust(saturated), -np.inf)])
    order = np.argsort(-poorness, kind="stable")
    names = [images.names[i] for i in order]
    return Quality(names, poorness[order], sharpness[order], contrast[order], saturated[order])


def _robust(values: np.ndarray) -> np.ndarray:
    """Distance from the median in robust standard deviations."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle))
    return (values - middle) / max(float(spread), 1e-6)
