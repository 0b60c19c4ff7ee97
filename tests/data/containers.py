"""One picture written in every container that should give it back: for tests that equal pictures give equal tensors."""

import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

Write = Callable[[np.ndarray, Path], object]
"""Writes `[H, W]` or `[H, W, 3]` bytes, of which the brightest is 255, to a path without its suffix."""


def pillow(suffix: str, mode: str = "", **options: object) -> Write:
    """By Pillow, in another mode where one is given."""

    def write(picture: np.ndarray, path: Path) -> None:
        image = Image.fromarray(picture)
        (image.convert(mode) if mode else image).save(path.with_suffix(suffix), **options)

    return write


def tiff(change: Callable[[np.ndarray], np.ndarray], **options: object) -> Write:
    """By tifffile, the values changed before."""

    def write(picture: np.ndarray, path: Path) -> None:
        kind = "rgb" if picture.ndim == 3 else "minisblack"
        tifffile.imwrite(path.with_suffix(".tif"), change(picture), **({"photometric": kind} | options))

    return write


def coded(suffix: str, encode: Callable[[np.ndarray], bytes]) -> Write:
    """By imagecodecs."""
    return lambda picture, path: path.with_suffix(suffix).write_bytes(encode(picture))


def deep(picture: np.ndarray) -> np.ndarray:
    """The same picture in 16 bits."""
    return picture.astype(np.uint16) * 257


def floats(picture: np.ndarray) -> np.ndarray:
    """The same picture in floats 0 … 1."""
    return picture.astype(np.float32) / 255


def opaque(picture: np.ndarray) -> np.ndarray:
    """With an alpha channel that hides nothing."""
    return np.dstack([picture, np.full(picture.shape[:2], np.iinfo(picture.dtype).max, picture.dtype)])


def planar(picture: np.ndarray) -> np.ndarray:
    """Channels first, where there are any."""
    return np.ascontiguousarray(np.moveaxis(picture, -1, 0)) if picture.ndim == 3 else picture


def npz(change: Callable[[np.ndarray], np.ndarray]) -> Write:
    """As an array of one image."""
    return lambda picture, path: np.savez(path.with_suffix(".npz"), images=change(picture)[None])


BOTH: dict[str, Write] = {
    "png": pillow(".png"),
    "bmp": pillow(".bmp"),
    "ppm": pillow(".ppm"),
    "tga": pillow(".tga"),
    "webp": pillow(".webp", lossless=True),
    "tiff by Pillow": pillow(".tif", compression="tiff_lzw"),
    "png, 16-bit": lambda p, path: coded(".png", imagecodecs.png_encode)(deep(p), path),
    "png, opaque": lambda p, path: coded(".png", imagecodecs.png_encode)(opaque(p), path),
    "png, 16-bit, opaque": lambda p, path: coded(".png", imagecodecs.png_encode)(opaque(deep(p)), path),
    "jpeg 2000": coded(".jp2", lambda p: imagecodecs.jpeg2k_encode(p, level=0)),
    "jpeg 2000, 16-bit": coded(".jp2", lambda p: imagecodecs.jpeg2k_encode(deep(p), level=0)),
    "tiff": tiff(lambda p: p),
    "tiff, 16-bit": tiff(deep),
    "tiff, 16-bit, lzw, predictor": tiff(deep, compression="lzw", predictor=True),
    "tiff, big-endian 16-bit": tiff(deep, byteorder=">"),
    "tiff, big": tiff(deep, bigtiff=True),
    "tiff, tiles": tiff(deep, tile=(16, 16), compression="zlib"),
    "tiff, planar": tiff(planar, planarconfig="separate"),
    "tiff, planar 16-bit": tiff(lambda p: planar(deep(p)), planarconfig="separate"),
    "tiff, opaque": tiff(opaque, extrasamples=["unassalpha"]),
    "tiff, opaque 16-bit": tiff(lambda p: opaque(deep(p)), extrasamples=["unassalpha"]),
    "tiff, premultiplied": tiff(opaque, extrasamples=["assocalpha"]),
    "tiff, int32": tiff(lambda p: p.astype(np.int32)),
    "tiff, uint32": tiff(lambda p: p.astype(np.uint32)),
    "tiff, float": tiff(floats),
    "tiff, double": tiff(lambda p: floats(p).astype(np.float64)),
    "tiff, whole floats": tiff(lambda p: p.astype(np.float32)),
    "npz": npz(lambda p: p),
    "npz, 16-bit": npz(deep),
    "npz, int64": npz(lambda p: p.astype(np.int64)),
    "npz, int16": npz(lambda p: p.astype(np.int16)),
    "npz, float": npz(floats),
    "npz, whole floats": npz(lambda p: p.astype(np.float64)),
    "npz, channels first": npz(planar),
}
GREY: dict[str, Write] = {
    "gif": pillow(".gif"),
    "grey in colour": pillow(".png", "RGB"),
    "grey in a palette": pillow(".png", "P"),
    "grey in a palette, tiff": pillow(".tif", "P"),
    "grey with alpha": pillow(".png", "LA"),
    "grey with transparency, tiff": pillow(".tif", "LA"),
    "pgm, 16-bit": lambda p, path: path.with_suffix(".pgm").write_bytes(
        b"P5\n%d %d\n65535\n" % p.shape[::-1] + deep(p).astype(">u2").tobytes()
    ),
    "tiff, white is 0": tiff(lambda p: 255 - p, photometric="miniswhite"),
    "tiff, 16-bit, white is 0": tiff(lambda p: 65535 - deep(p), photometric="miniswhite"),
}


def palette(picture: np.ndarray, path: Path) -> None:
    """A colour picture of at most 256 colours, in a palette."""
    buffer = io.BytesIO()
    Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE).save(buffer, "PNG")
    path.with_suffix(".png").write_bytes(buffer.getvalue())
