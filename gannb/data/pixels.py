"""Images as arrays `[H, W, C]` in [0, 1]: their channels and sizes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from gannb.config.image_formats import Size, sides

GREEN, BLUE = 0.587, 0.114  # what they add to grey; the rest is red (ITU-R 601)


def on_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours `[…, C]` in [0, 1], as far as alpha `[…, 1]` lets them be seen, on white."""
    return colours * alpha + (1 - alpha)


def to_channels(values: np.ndarray, channels: int) -> np.ndarray:
    """Images `[H, W, C]` in [0, 1] with 1 (grey), 3, or 4 channels (where the last is alpha, C is 2 or 4).

    The grey of equal channels is exactly theirs.
    """
    if channels == values.shape[2]:
        return values
    if channels == 4:
        return values[..., [0, 0, 0, 1]]
    if channels == 3:
        return np.repeat(values, 3, axis=2)
    red, green, blue = (values[..., band : band + 1] for band in range(3))
    return red + GREEN * (green - red) + BLUE * (blue - red)


def resized(values: np.ndarray, size: Size) -> np.ndarray:
    """Images `[H, W, C]` in [0, 1] brought to `[height, width, C]`: bicubic, antialiased, in single precision.

    Of four channels the last is alpha, which the others are multiplied by and stay below.
    """
    height, width = sides(size)
    if values.shape[:2] == (height, width):
        return np.ascontiguousarray(values)
    bands = [Image.fromarray(np.ascontiguousarray(values[..., band])) for band in range(values.shape[2])]
    smaller = [np.asarray(band.resize((width, height), Image.Resampling.BICUBIC)) for band in bands]
    whole = np.stack(smaller, axis=2).clip(0, 1)
    return np.minimum(whole, whole[..., 3:]) if len(bands) == 4 else whole


def padded(values: np.ndarray, size: Size) -> np.ndarray:
    """Images `[H, W, C]` in [0, 1], resized until they fit into `[height, width, C]`.

    Around them is the mean colour of their edge, or full transparency where they have four channels.

    Args:
        values: the image.
        size: that is wanted.
    """
    (height, width), (tall, wide) = sides(size), values.shape[:2]
    scale = min(height / tall, width / wide)
    inner = resized(values, (max(1, round(tall * scale)), max(1, round(wide * scale))))
    edge = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]]).mean(0)
    edge = edge if len(edge) != 4 else np.zeros_like(edge)
    whole = np.broadcast_to(edge, (height, width, values.shape[2])).copy()
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return whole
