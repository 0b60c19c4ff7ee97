"""Grids of images as one small PNG, with caption and row labels drawn in."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gannb.runs.files import write_bytes

if TYPE_CHECKING:
    import torch

_GREY = 122  # text that reads on light and on dark pages, as the template's ink
_GAP = 2
_FONT = 14


@dataclass(frozen=True)
class ImageGrid:
    """Images side by side that show themselves as a PNG.

    Args:
        pixels: uint8 `[N, H, W, C]`, C 1 or 3.
        columns: images per row.
        caption: one line below.
        rows: one label per row, drawn to its left.
        scale: whole number by which every pixel is enlarged.
        titles: one label per image, drawn in its upper left corner.
    """

    pixels: np.ndarray
    columns: int
    caption: str = ""
    rows: Sequence[str] = ()
    scale: int = 1
    titles: Sequence[str] = ()

    @cached_property
    def picture(self) -> Image.Image:
        """The whole grid, transparent around the images."""
        n, height, width, channels = self.pixels.shape
        height, width = height * self.scale, width * self.scale
        lines = math.ceil(n / self.columns)
        font = ImageFont.load_default(_FONT)
        margin = max((math.ceil(font.getlength(label)) + 6 for label in self.rows), default=0)
        size = (
            max(margin + self.columns * (width + _GAP), math.ceil(font.getlength(self.caption))),
            lines * (height + _GAP) + (_FONT + 6 if self.caption else 0),
        )
        grey = channels == 1
        sheet = Image.new("LA" if grey else "RGBA", size)
        for index, tile in enumerate(self.pixels):
            row, column = divmod(index, self.columns)
            shown = Image.fromarray(tile[..., 0] if grey else tile).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(shown, (margin + column * (width + _GAP), row * (height + _GAP)))
        ink = (_GREY, 255) if grey else (_GREY, _GREY, _GREY, 255)
        draw = ImageDraw.Draw(sheet)
        for row, label in enumerate(self.rows):
            draw.text((margin - 6, (row + 0.5) * (height + _GAP)), label, ink, font, anchor="rm")
        light, dark = ((255, 255), (0, 255)) if grey else ((255, 255, 255, 255), (0, 0, 0, 255))
        for index, title in enumerate(self.titles):
            row, column = divmod(index, self.columns)
            corner = (margin + column * (width + _GAP) + 5, row * (height + _GAP) + 3)
            draw.text(corner, title, light, font, stroke_width=1, stroke_fill=dark)
        draw.text((0, lines * (height + _GAP) + 2), self.caption, ink, font)
        return sheet

    @cached_property
    def png(self) -> bytes:
        """The grid as a PNG file."""
        buffer = io.BytesIO()
        self.picture.save(buffer, "PNG", optimize=True)
        return buffer.getvalue()

    @cached_property
    def preview(self) -> bytes:
        """A smaller PNG, which notebooks embed; `png` and `save` are exact.

        It has 64 levels per channel, or 32 colours where there are few, for one third to one half fewer bytes.
        """
        if self.picture.mode == "RGBA" and self.picture.getcolors(1024):
            few, buffer = self.picture.quantize(32, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE), io.BytesIO()
            few.save(buffer, "PNG", optimize=True)
            return buffer.getvalue()
        *colours, alpha = self.picture.split()
        shown = [channel.point(lambda level: level & 0xFC) for channel in colours]
        buffer = io.BytesIO()
        Image.merge(self.picture.mode, [*shown, alpha]).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the PNG, making folders as needed."""
        return write_bytes(Path(path), self.png)

    def __repr__(self) -> str:
        n, height, width, channels = self.pixels.shape
        kind = "grey" if channels == 1 else "colour"
        what = f"{n} {kind} images {height}×{width}, {self.columns} per row"
        return f"{what}: {self.caption}" if self.caption else what

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        width, height = self.picture.size
        data = {"image/png": base64.b64encode(self.preview).decode(), "text/plain": repr(self)}
        return data, {"image/png": {"width": width, "height": height, "alt": repr(self)}}


def image_grid(
    images: torch.Tensor | np.ndarray,
    columns: int = 10,
    *,
    caption: str = "",
    rows: Sequence[str] = (),
    scale: int | None = None,
) -> ImageGrid:
    """Lay out images as a grid.

    Args:
        images: `[N, C, H, W]` in [-1, 1], C 1, 3, or 4, which lie on a checkerboard (a tensor, an array, or
            `gannb.data.images.Images`); values outside are clipped, and images that are not finite are shown black
            and counted in the caption.
        columns: images per row.
        caption: one line below the images.
        rows: one label per row, drawn to its left.
        scale: enlarge by this whole number; by default so that an image is at least 64 pixels wide.

    Raises:
        ValueError: no images, another shape, or another number of labels than rows.
    """
    values = _array(images)
    if values.ndim != 4 or values.shape[1] not in (1, 3, 4) or not len(values):
        raise ValueError(f"images have shape {values.shape}; allowed is [N, C, H, W] with N ≥ 1 and C 1, 3 or 4")
    columns = min(columns, len(values))
    lines = math.ceil(len(values) / columns)
    if rows and len(rows) != lines:
        raise ValueError(f"{len(rows)} row labels for {lines} rows")
    broken = int((~np.isfinite(values)).any(axis=(1, 2, 3)).sum())
    if broken:
        caption = f"{caption} ({broken} not finite)".strip()
    values = np.nan_to_num(values, nan=-1.0)
    values = _on_checkerboard(values) if values.shape[1] == 4 else values
    pixels = ((values.clip(-1, 1) + 1) * 127.5).round().astype(np.uint8).transpose(0, 2, 3, 1)
    return ImageGrid(pixels, columns, caption, tuple(rows), scale or max(1, math.ceil(64 / values.shape[3])))


def growing_grid(
    history: Mapping[int, torch.Tensor | np.ndarray],
    each: int = 8,
    *,
    caption: str = "",
    scale: int = 1,
    unit: str = "",
) -> ImageGrid:
    """Show how the images of the same latents developed: one row per time, oldest first, labelled by step or epoch.

    Args:
        history: step or epoch → images `[N, C, H, W]` in [-1, 1].
        each: how many of the images are shown.
        caption: one line below the images.
        scale: whole number by which every pixel is enlarged.
        unit: of the times, such as "epoch", written before each.

    Raises:
        ValueError: nothing to show, or different numbers of images.
    """
    if not history:
        raise ValueError("nothing to show: the history is empty")
    times = sorted(history)
    kept = [_array(history[time])[:each] for time in times]
    if len({len(images) for images in kept}) > 1:
        raise ValueError(f"times hold different numbers of images: {[len(images) for images in kept]}")
    rows = [f"{unit} {time}".strip() for time in times]
    return image_grid(np.concatenate(kept), len(kept[0]), caption=caption, rows=rows, scale=scale)


def _on_checkerboard(values: np.ndarray) -> np.ndarray:
    """Colours multiplied by alpha, and alpha, `[N, 4, H, W]`, on eight squares a row, white and light grey."""
    values = (values.clip(-1, 1) + 1) / 2
    rows, columns = (np.arange(side) // max(1, values.shape[3] // 8) for side in values.shape[2:])
    board = np.where((rows[:, None] + columns) % 2, 0.8, 1.0)
    colours, alpha = values[:, :3], values[:, 3:]
    return (np.minimum(colours, alpha) + (1 - alpha) * board) * 2 - 1


def _array(images: Any) -> np.ndarray:
    images = getattr(images, "pixels", images)  # an Images carries its tensor as `pixels`
    if hasattr(images, "detach"):
        images = images.detach().float().cpu().numpy()
    return np.asarray(images, dtype=np.float32)
