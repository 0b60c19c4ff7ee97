"""The one decoder of image files: pixels as they are stored, upright, with the value of white where the file says it.

Pillow reads most formats; imagecodecs reads 16-bit colour, which Pillow cuts to 8 bits; tifffile reads TIFF, of which
Pillow gets some depths, orientations and stacks wrong. Whatever they raise is passed on.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from tifffile import PHOTOMETRIC

ORIENTATION = 274  # the tag of EXIF and TIFF
STACKS = ("GIF", "PNG", "WEBP", "AVIF", "FLI", "DCX", "IM")  # elsewhere more frames are previews, layers or sizes
DEEP = {"PNG": imagecodecs.png_decode, "JPEG2000": imagecodecs.jpeg2k_decode}
GREY_MODES = ("1", "L", "LA", "La")


class _Raised(logging.Handler):
    """Raises the damage that tifffile only logs, such as a stack that is cut off between two pages."""

    def emit(self, record: logging.LogRecord) -> None:
        raise ValueError(f"broken: {record.getMessage().rpartition('> ')[2]}")


@dataclass(frozen=True)
class Page:
    """One image of a file.

    Args:
        index: its place in the file.
        values: `[H, W, C]` as stored: C is 1 (grey) or 3 (colour), and one more where there is transparency; empty for
            a page that is only a reduced copy, or a mask, of another one.
        white: the value that stands for white, where the file says it.
        turned: whether it was turned or mirrored to stand upright.
    """

    index: int
    values: np.ndarray
    white: int | None = None
    turned: bool = False


def decode(path: Path, wanted: Container[int] | None = None) -> Iterator[Page]:
    """Decode the pages of a file one after the other.

    Args:
        path: the file.
        wanted: which pages; all by default.

    Raises:
        ValueError: a kind of image that is not supported. A damaged file raises whatever its decoder does.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] in (b"II", b"MM") and start[2:] in (b"*\0", b"\0*", b"+\0", b"\0+"):
        yield from _tiff(path, wanted)
        return
    with Image.open(path) as opened:
        for index in range(getattr(opened, "n_frames", 1) if opened.format in STACKS else 1):
            if wanted is None or index in wanted:
                yield _by_pillow(opened, path, index)


def upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror pixels `[H, W, C]` as an orientation tag (1 … 8) says."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values[:, ::-1] if orientation in (2, 3, 6, 7) else values


def _page(index: int, values: np.ndarray, white: int | None, orientation: int | None) -> Page:
    values = values if values.ndim == 3 else values[..., None]
    return Page(index, upright(values, orientation or 1), white, 2 <= (orientation or 1) <= 8)


def _by_pillow(opened: Image.Image, path: Path, index: int) -> Page:
    opened.seek(index)
    kind, mode, stored = str(opened.format), opened.mode, [tile[3] for tile in getattr(opened, "tile", ())]
    opened.load()
    orientation = opened.getexif().get(ORIENTATION)  # after loading: Pillow turns some TIFF itself, and takes it away
    deep_ppm = kind == "PPM" and mode == "RGB" and any(isinstance(args, tuple) and args[-1] > 255 for args in stored)
    if kind == "JPEG2000" or deep_ppm or (";16" in str(stored) and not mode.startswith("I")):
        if kind not in DEEP:
            raise ValueError(f"{kind} with more than 8 bits per channel is not supported; save it as PNG or TIFF")
        values = DEEP[kind](path.read_bytes())
        return _page(index, values, 255 if values.dtype == np.uint8 else None, orientation)
    if mode == "F" or mode.startswith("I"):
        return _page(index, np.asarray(opened), 65535 if kind == "PPM" else None, orientation)
    clear = mode[-1] in "Aa" or "transparency" in opened.info
    converted = opened.convert(("L" if mode in GREY_MODES else "RGB") + ("A" if clear else ""))
    return _page(index, np.asarray(converted), 255, orientation)


def _tiff(path: Path, wanted: Container[int] | None) -> Iterator[Page]:
    size, index = path.stat().st_size, 0
    with _strict(), tifffile.TiffFile(path) as tiff:
        for number, page in enumerate(tiff.pages):
            assert isinstance(page, tifffile.TiffPage)
            planes, count = None, page.imagedepth
            _check_size(page, size)
            if len(tiff.pages) == 1 and tiff.is_imagej and tiff.series[0].size > page.size:
                planes = _planes(page, tiff.series[0].asarray())  # a large stack has but its first page's directory
                count = len(planes)
            for plane in range(count):
                if page.is_reduced or page.subfiletype & 4:
                    yield Page(index, np.empty((0, 0, 1)))
                elif wanted is None or index in wanted:
                    planes = _planes(page, page.asarray(maxworkers=1)) if planes is None else planes
                    yield _tiff_page(path, number, page, index, planes[plane])
                index += 1


@contextmanager
def _strict() -> Iterator[None]:
    logger, handler = logging.getLogger("tifffile"), _Raised(logging.ERROR)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _planes(page: tifffile.TiffPage, values: np.ndarray) -> np.ndarray:
    """Planes `[N, H, W, S]` of a page, its samples last."""
    values = np.moveaxis(values, 0, -1) if page.axes.startswith("S") else values
    return values.reshape(-1, page.imagelength, page.imagewidth, page.samplesperpixel)


def _check_size(page: tifffile.TiffPage, size: int) -> None:
    """Refuse a page that claims more pixels than Pillow would take, or more bytes than the file has."""
    most = 2 * (Image.MAX_IMAGE_PIXELS or 2**62)
    if page.imagewidth * page.imagelength * page.imagedepth * page.samplesperpixel > most:
        raise ValueError(f"a page of {page.imagewidth}×{page.imagelength} is too large")
    if any(start + count > size for start, count in zip(page.dataoffsets, page.databytecounts)):
        raise ValueError("cut off: a page lies beyond its end")


def _tiff_page(path: Path, number: int, page: tifffile.TiffPage, index: int, values: np.ndarray) -> Page:
    """A page's grey or colour, and its transparency; what is unusual and has 8 bits is left to Pillow."""
    kind, bits, orientation = page.photometric, page.bitspersample, page.tags.valueof(ORIENTATION)
    channels = 3 if kind == PHOTOMETRIC.RGB else 1
    known = 2**bits - 1 if values.dtype.kind in "ub" and bits < 16 else None
    plain = kind in (PHOTOMETRIC.RGB, PHOTOMETRIC.MINISBLACK)
    if plain and values.shape[2] == channels:
        return _page(index, values, known, orientation)
    if bits <= 8:
        with Image.open(path) as opened:
            opened.seek(number)
            return _by_pillow(opened, path, number)
    if plain and values.shape[2] == channels + 1 and page.extrasamples == (2,):
        return _page(index, values, known, orientation)
    if kind == PHOTOMETRIC.MINISWHITE and values.shape[2] == 1 and values.dtype.kind == "u":
        return _page(index, np.iinfo(values.dtype).max - values, None, orientation)
    raise ValueError(f"{bits}-bit TIFF of {values.shape[2]} samples is not supported; save it as grey or RGB")
