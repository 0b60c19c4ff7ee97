"""What images are brought to before they are learned: size, channels, and how they are fitted; known without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

Size = int | Sequence[int]
"""The side of a square, or height and width, in pixels."""

FITS = ("crop", "pad", "resize")
"""How pictures of other sizes are fitted (`gannb.data.images.read_images`)."""

COLOURS = {"grey": 1, "rgb": 3, "rgba": 4}
"""Channels by name; the fourth is transparency (`gannb.data.transparency`)."""


def noted(channels: int) -> dict[str, str]:
    """What users of a network have to know of its images' channels, in words."""
    return {"channels": "red, green and blue multiplied by alpha, and alpha; each in [-1, 1]"} if channels == 4 else {}


def sides(size: Size) -> tuple[int, int]:
    """Height and width."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def size_of(height: int, width: int) -> Size:
    """One number for a square, and where the width is 0; else height and width."""
    return height if width in (0, height) else (height, width)


def written(size: Size) -> str:
    """A size in words, such as "64" or "48×64" (height and width)."""
    return str(size) if isinstance(size, int) else "×".join(map(str, size))


def middle(shape: Sequence[int], size: Size) -> tuple[int, int]:
    """Height and width of the largest part of a picture that has the proportions of a size.

    Args:
        shape: height and width of the picture.
        size: whose proportions.
    """
    (tall, wide), (height, width) = shape[:2], sides(size)
    if tall * width > wide * height:
        return max(1, round(wide * height / width)), wide
    return tall, max(1, round(tall * width / height))


class ImageProperties:
    """What follows from the parameters of an experiment that learns images."""

    if TYPE_CHECKING:
        image_size: int
        image_width: int
        colour: str
        augment: str

    @property
    def size(self) -> Size:
        """Of the images: one number for a square, else height and width."""
        return size_of(self.image_size, self.image_width)

    @property
    def channels(self) -> int:
        """Of the images; for a named collection of images, which has its own, see its source."""
        return COLOURS[self.colour]

    @property
    def policy(self) -> tuple[str, ...]:
        """The augmentations by name."""
        return tuple(name.strip() for name in self.augment.split(",") if name.strip())
