"""Images as one tensor with names, and readers for folders and `.npz` files that say what they used and skipped."""

from __future__ import annotations

import difflib
import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageSequence, UnidentifiedImageError
from torch import Tensor

from gannb.random import key
from gannb.tables import Table

Fit = Literal["crop", "resize"]
_DEPTHS = (8, 10, 12, 14, 16, 32)
_WANTED = 300  # images that a folder of large frames is cropped into


class NoUsableImages(ValueError):
    """A folder or file holds no image that could be used; the message names reasons."""


@dataclass(frozen=True)
class Report:
    """What a reader used and skipped.

    Attributes:
        used: (name, size and format as found) of each image that was used.
        skipped: (name, reason) of each file that was not.
    """

    used: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def table(self) -> Table:
        """Formats with their counts, then every skipped file with its reason."""
        rows = [(f"{count} used", what) for what, count in Counter(what for _, what in self.used).items()]
        rows += [(f"skipped {name}", reason) for name, reason in self.skipped]
        return Table(("files", "what they are"), rows)

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


@dataclass(frozen=True)
class Images:
    """Images `[N, C, H, W]`, float32 in [-1, 1], in the order of their files.

    Attributes:
        pixels: the images.
        names: one a picture, such as `frame_003.png` or, for the second crop of a frame, `frame_003.png#1`.
        source: where they came from, in a word.
        report: what the reader used and skipped.

    Raises:
        ValueError: another shape, or another number of names.
    """

    pixels: Tensor
    names: tuple[str, ...]
    source: str = ""
    report: Report = field(default_factory=Report, compare=False)

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.shape[1] not in (1, 3):
            raise ValueError(f"images have shape {tuple(self.pixels.shape)}; allowed is [N, C, H, W] with C 1 or 3")
        if len(self.names) != len(self.pixels):
            raise ValueError(f"{len(self.names)} names for {len(self.pixels)} images")

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: slice | int | Sequence[int] | Tensor) -> Images:
        """Some of the images, still with their names; a single index keeps the batch dimension."""
        if isinstance(index, int):
            index = [index]
        places = np.arange(len(self))[index.cpu().numpy() if isinstance(index, Tensor) else index].copy()
        return replace(self, pixels=self.pixels[torch.from_numpy(places)], names=tuple(self.names[i] for i in places))

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits that change with any pixel, the shape or the order."""
        digest = hashlib.blake2b(str(tuple(self.pixels.shape)).encode(), digest_size=6)
        digest.update(self.pixels.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def to(self, device: torch.device | str) -> Images:
        """The same images on another device."""
        return replace(self, pixels=self.pixels.to(device))

    def split(self, held_out: int | float, blocks: int = 1) -> tuple[Images, Images]:
        """Part into (training, held out), by file order and never at random: frames of one video are alike.

        Args:
            held_out: how many images, or their share in (0, 1).
            blocks: runs of neighbours that the held-out images form, spread evenly; 1 keeps the last images.

        Raises:
            ValueError: nothing would be left on one side, or more blocks than images to hold out.
        """
        count = round(held_out * len(self)) if isinstance(held_out, float) else held_out
        if not 0 < count < len(self):
            raise ValueError(f"held_out={held_out} of {len(self)} images leaves one side empty")
        if not 1 <= blocks <= count:
            raise ValueError(f"blocks={blocks}; allowed are 1 to {count}, the number of images held out")
        held = np.zeros(len(self), dtype=bool)
        for block in np.array_split(np.arange(len(self)), blocks):  # each stretch gives its last images
            held[block[len(block) - (count // blocks) :]] = True
        spare = count - int(held.sum())
        held[np.flatnonzero(~held)[len(self) - int(held.sum()) - spare :]] = True
        return self[np.flatnonzero(~held)], self[np.flatnonzero(held)]

    def without(self, exclude: Sequence[str]) -> Images:
        """Leave out images by name (a name without `#n` leaves out all crops of that file).

        Raises:
            ValueError: a name that is not there (the nearest is named), or nothing left.
        """
        known = {*self.names, *(name.partition("#")[0] for name in self.names)}
        for name in exclude:
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), 1)
                raise ValueError(f"excluded image {name!r} is not there{f'; nearest: {near[0]!r}' if near else ''}")
        gone = set(exclude)
        kept = [i for i, name in enumerate(self.names) if name not in gone and name.partition("#")[0] not in gone]
        if not kept:
            raise NoUsableImages(f"all {len(self)} images are on the exclusion list")
        skipped = (*self.report.skipped, *((name, "on the exclusion list") for name in exclude))
        return replace(self[kept], report=replace(self.report, skipped=skipped))

    @property
    def table(self) -> Table:
        """One line about the images."""
        n, channels, height, width = self.pixels.shape
        low, mean, high = (f"{value:.3f}" for value in (self.pixels.min(), self.pixels.mean(), self.pixels.max()))
        columns = ("images", "shape", "from", "lowest", "mean", "highest", "skipped", "hash")
        row = (n, f"{channels}×{height}×{width}", self.source, low, mean, high, len(self.report.skipped), self.hash)
        return Table(columns, [row])

    def __repr__(self) -> str:
        return repr(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def read_images(
    path: str | Path,
    size: int = 64,
    *,
    channels: int = 1,
    fit: Fit = "resize",
    crops: int | None = None,
    stretch: bool = False,
    seed: int = 0,
    exclude: Sequence[str] = (),
    array: str | None = None,
) -> Images:
    """Read a folder (with its subfolders) of anything Pillow reads, or an `.npz` file.

    Files come in natural order (`frame_2` before `frame_10`), every page of a stack as an image of its own. What
    cannot be used is named in the report and skipped. Sixteen-bit images are scaled by the bit depth (8, 10, 12, 14,
    16) that holds the brightest of them; images in floating point by their own lowest and highest value.

    Args:
        path: the folder or file.
        size: height and width of the images made.
        channels: 1 makes colour grey, 3 repeats grey.
        fit: "resize" shrinks or enlarges the middle square; "crop" keeps the pixels as they are.
        crops: with "crop", how many a picture: 1 is the middle, more are at random places that follow from `seed`.
            By default enough for 300 images in all, but no more than would fit side by side.
        stretch: raise each picture's contrast so that its 0.5 % darkest pixels are black and brightest white.
        seed: of the random places.
        exclude: names to leave out; `read_exclusions` reads them from a file.
        array: which array of an `.npz` file, where it holds several.

    Raises:
        FileNotFoundError: no such folder or file.
        NoUsableImages: nothing in it can be used.
        ValueError: another value of `fit`, `channels`, `crops`, or an excluded name that is not there.
    """
    _check(channels, fit, crops)
    path = Path(path).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"no folder or file {str(path)!r} to read images from")
    if path.is_dir():
        pictures, skipped = _from_folder(path, channels)
    elif path.suffix == ".npz":
        pictures, skipped = _from_npz(path, channels, array), []
    else:
        raise ValueError(f"{path.name}: allowed are a folder of images and an .npz file")
    made, names, used = [], [], []
    for picture in pictures:
        if fit == "crop" and min(picture.values.shape[:2]) < size:
            skipped.append((picture.name, f"{picture.what} is smaller than {size}×{size}; fit='resize' would take it"))
            continue
        values = _stretched(picture.values) if stretch else picture.values
        count = crops or (_crops_wanted(values, size, len(pictures)) if fit == "crop" else 1)
        tiles = list(_tiles(values, size, fit, count, key(seed, "crops", picture.name)))
        made += tiles
        names += [picture.name if len(tiles) == 1 else f"{picture.name}#{i}" for i in range(len(tiles))]
        used.append((picture.name, picture.what))
    if not made:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:5]) or "it is empty"
        raise NoUsableImages(f"no usable image in {path.name!r} ({reasons})")
    pixels = torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).contiguous() * 2 - 1
    images = Images(pixels, tuple(names), path.name, Report(tuple(used), tuple(skipped)))
    return images.without(exclude) if exclude else images


def read_exclusions(path: str | Path) -> list[str]:
    """Read an exclusion list: one image name a line; empty lines and what follows `//` are left out."""
    lines = (line.partition("//")[0].strip() for line in Path(path).expanduser().read_text("utf-8").splitlines())
    return [line for line in lines if line]


@dataclass
class _Picture:
    """A picture on its way: values `[H, W, C]` in [0, 1], float32."""

    name: str
    what: str
    values: np.ndarray


def _check(channels: int, fit: str, crops: int | None) -> None:
    if channels not in (1, 3):
        raise ValueError(f"channels={channels}; allowed are 1 (grey) and 3 (colour)")
    if fit not in ("crop", "resize"):
        raise ValueError(f"fit={fit!r}; allowed are 'crop' and 'resize'")
    if crops is not None and (crops < 1 or (crops > 1 and fit != "crop")):
        raise ValueError(f"crops={crops} with fit={fit!r}; allowed are 1 or, with fit='crop', more")


def _natural(path: Path) -> list[tuple[int, str | int]]:
    return [(0, int(part)) if part.isdigit() else (1, part.lower()) for part in re.split(r"(\d+)", str(path)) if part]


def _from_folder(folder: Path, channels: int) -> tuple[list[_Picture], list[tuple[str, str]]]:
    pictures: list[_Picture] = []
    skipped: list[tuple[str, str]] = []
    files = (p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    for file in sorted((f for f in files if not any(part.startswith(".") for part in f.parts)), key=_natural):
        try:
            pictures += _open(folder / file, file.as_posix(), channels)
        except UnidentifiedImageError:
            skipped.append((file.as_posix(), "not an image that Pillow reads"))
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as fault:
            skipped.append((file.as_posix(), f"broken: {fault}"))
    _scale_deep(pictures)
    return pictures, skipped


def _open(path: Path, name: str, channels: int) -> Iterator[_Picture]:
    with Image.open(path) as opened:
        pages = [_values(page, channels) for page in ImageSequence.Iterator(opened)]
    for index, (values, mode) in enumerate(pages):
        height, width = values.shape[:2]
        yield _Picture(name if len(pages) == 1 else f"{name}[{index}]", f"{width}×{height} {mode}", values)


def _values(page: Image.Image, channels: int) -> tuple[np.ndarray, str]:
    """Values `[H, W, C]`, and the mode in words; 8-bit images in [0, 1], deeper integers as they are."""
    if page.mode == "F":
        values = np.asarray(page, dtype=np.float32)
        if not np.isfinite(values).all():
            raise ValueError("it holds values that are not finite")
        span = float(np.ptp(values)) or 1.0
        return np.repeat(((values - values.min()) / span)[..., None], channels, axis=2), "grey, floating point"
    if page.mode.startswith("I"):
        return np.repeat(np.asarray(page).astype(np.float32)[..., None], channels, axis=2), "grey, 16-bit"
    kind = "grey" if page.mode in ("1", "L", "LA") else "colour"
    values = np.asarray(page.convert("L" if channels == 1 else "RGB"), dtype=np.float32) / 255
    return values.reshape(*values.shape[:2], channels), f"{kind}, 8-bit"


def _scale_deep(pictures: list[_Picture]) -> None:
    """Scale what has more than 8 bits by the smallest depth that holds the brightest of them all."""
    deep = [picture for picture in pictures if "16-bit" in picture.what]
    brightest = max((float(picture.values.max()) for picture in deep), default=0.0)
    depth = next(depth for depth in _DEPTHS if brightest < 2**depth)
    for picture in deep:
        picture.values = picture.values.clip(0) / np.float32(2**depth - 1)


def _from_npz(path: Path, channels: int, array: str | None) -> list[_Picture]:
    with np.load(path, allow_pickle=False) as stored:
        fitting = [name for name in stored.files if stored[name].ndim in (3, 4)]
        if array is None and len(fitting) == 1:
            array = fitting[0]
        if array not in fitting:
            given = f"array {array!r}" if array else "no array chosen"
            raise ValueError(
                f"{path.name}: {given}; with the shape of images there are: {', '.join(fitting) or 'none'}"
            )
        values = stored[array]
    if values.ndim == 4 and values.shape[-1] not in (1, 3) and values.shape[1] in (1, 3):
        values = values.transpose(0, 2, 3, 1)
    if values.ndim == 4 and values.shape[-1] not in (1, 3):
        raise ValueError(f"{path.name}: {array} has shape {values.shape}; allowed are [N, H, W] and [N, H, W, C]")
    values = values.reshape(*values.shape[:3], -1)
    what = f"{values.shape[2]}×{values.shape[1]} {'grey' if values.shape[3] == 1 else 'colour'}, {values.dtype}"
    unit = _unit(values, f"{path.name}: {array}")
    if channels == 1 and unit.shape[3] == 3:
        unit = unit @ np.array([[0.299], [0.587], [0.114]], dtype=np.float32)  # ITU-R 601, as Pillow's "L"
    unit = np.repeat(unit, channels // unit.shape[3], axis=3)
    return [_Picture(f"{array}[{index}]", what, one) for index, one in enumerate(unit)]


def _unit(values: np.ndarray, where: str) -> np.ndarray:
    """To float32 in [0, 1]: integers by their type's range, floats from [0, 1] or [-1, 1]."""
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    values = values.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite([low, high]).all() and low >= -1 and high <= 1):
        raise ValueError(f"{where} holds values from {low:g} to {high:g}; allowed are 0 … 1 and -1 … 1")
    return (values + 1) / 2 if low < 0 else values


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, [0.5, 99.5])
    return ((values - low) / max(float(high - low), 1e-6)).clip(0, 1).astype(np.float32)


def _crops_wanted(values: np.ndarray, size: int, pictures: int) -> int:
    height, width = values.shape[:2]
    return max(1, min((height // size) * (width // size), math.ceil(_WANTED / pictures)))


def _tiles(values: np.ndarray, size: int, fit: Fit, crops: int, seed: int) -> Iterator[np.ndarray]:
    height, width = values.shape[:2]
    side = size if fit == "crop" else min(height, width)
    if crops == 1:
        places = [((height - side) // 2, (width - side) // 2)]
    else:
        rng = np.random.default_rng(seed)
        places = [(rng.integers(height - side + 1), rng.integers(width - side + 1)) for _ in range(crops)]
    for top, left in places:
        yield _resized(values[top : top + side, left : left + side], size)


def _resized(tile: np.ndarray, size: int) -> np.ndarray:
    """Bicubic with antialiasing, every channel in single precision."""
    if tile.shape[0] == size:
        return np.ascontiguousarray(tile)
    bands = [Image.fromarray(np.ascontiguousarray(tile[..., band])) for band in range(tile.shape[2])]
    smaller = [np.asarray(band.resize((size, size), Image.Resampling.BICUBIC)) for band in bands]
    return np.stack(smaller, axis=2).clip(0, 1)
