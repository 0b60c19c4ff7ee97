"""Images as one tensor with names, read from a folder or an `.npz` file by `gannb.data.image_files`."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gannb.config.image_formats import COLOURS, FITS, Size, middle, sides
from gannb.data.image_files import ImageFiles, NoUsableImages, Report
from gannb.data.pixels import padded, resized, to_channels
from gannb.random import key
from gannb.tables import ShownAsTable, Table

CROPPED = 300
"""Images that a folder of large frames is cropped into."""


@dataclass(frozen=True, repr=False)
class Images(ShownAsTable):
    """Images `[N, C, H, W]`, float32 in [-1, 1], in the order of their files.

    Attributes:
        pixels: the images.
        names: one per image, such as `frame_003.png` or, for the second crop of a frame, `frame_003.png#1`.
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
        if self.pixels.ndim != 4 or self.pixels.shape[1] not in (1, 3, 4):
            raise ValueError(f"images have shape {tuple(self.pixels.shape)}; allowed is [N, C, H, W] with C 1, 3 or 4")
        if len(self.names) != len(self.pixels):
            raise ValueError(f"{len(self.names)} names for {len(self.pixels)} images")

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: slice | int | Sequence[int] | np.ndarray | Tensor) -> Images:
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

    def split(self, held_out: int | float) -> tuple[Images, Images]:
        """Part into (training, held out): the last images, never random ones, as frames of one video are alike.

        `held_out` says how many, or gives their share in (0, 1).

        Raises:
            ValueError: nothing would be left on one side.
        """
        count = round(held_out * len(self)) if isinstance(held_out, float) else held_out
        if not 0 < count < len(self):
            raise ValueError(f"held_out={held_out} of {len(self)} images leaves one side empty")
        return self[:-count], self[-count:]

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

    def table(self) -> Table:
        """One line about the images."""
        n, channels, height, width = self.pixels.shape
        low, mean, high = (f"{value:.3f}" for value in (self.pixels.min(), self.pixels.mean(), self.pixels.max()))
        columns = ("images", "shape", "from", "lowest", "mean", "highest", "skipped", "hash")
        row = (n, f"{channels}×{height}×{width}", self.source, low, mean, high, len(self.report.skipped), self.hash)
        return Table(columns, [row])


def read_images(
    path: str | Path,
    size: Size = 64,
    *,
    channels: int = 1,
    fit: str = "resize",
    cropped: int = CROPPED,
    seed: int = 0,
) -> Images:
    """Read a folder or an `.npz` file, as `ImageFiles` does; what cannot be used is named in the report and skipped.

    Args:
        path: the folder, the file, or `file.npz:array` where it holds several.
        size: height and width of the images in pixels, one number for a square.
        channels: 1 makes colour grey, 3 repeats grey; with 4 transparency is kept (`gannb.data.transparency`), else it
            lies on white.
        fit: "resize" shrinks or enlarges the largest middle part of these proportions. "pad" shrinks or enlarges the
            whole picture until it fits, and fills the rest with the mean colour of its edge, or with full transparency.
            "crop" keeps the pixels as they are, and cuts out of each picture as many places as give `cropped` images
            in all, but no more than would fit side by side: the middle, or random places that follow from `seed`.
        cropped: images that "crop" makes of all pictures; 0 for one of each.
        seed: of the random places.

    Returns:
        Images `[N, channels, height, width]`.

    Raises:
        FileNotFoundError: no such folder or file.
        NoUsableImages: nothing in it can be used.
        ValueError: another value of `fit` or `channels`.
    """
    if channels not in COLOURS.values():
        raise ValueError(f"channels={channels}; allowed are 1 (grey), 3 (colour) and 4 (colour with transparency)")
    if fit not in FITS:
        raise ValueError(f"fit={fit!r}; allowed are {', '.join(map(repr, FITS))}")
    files, (height, width), transparency = ImageFiles(path), sides(size), channels == 4
    bring = padded if fit == "pad" else resized
    skipped, names, used = list(files.skipped), list[str](), list[tuple[str, str]]()
    images: list[np.ndarray] = []
    for picture, values in files.read():
        name, what = picture.name, files.what(picture, transparency=transparency)
        if fit == "crop" and (picture.shape[0] < height or picture.shape[1] < width):
            skipped.append((name, f"{what} is smaller than {width}×{height}; fit='resize' would take it"))
            continue
        crops = max(1, math.ceil(cropped / len(files))) if fit == "crop" else 0
        tiles = list(_tiles(values, (height, width), crops, key(seed, "crops", name))) if fit != "pad" else [values]
        units = [files.unit(picture, tile, transparency=transparency) for tile in tiles]
        images += [bring(to_channels(unit, channels), size) for unit in units]
        names += [name if len(tiles) == 1 else f"{name}#{i}" for i in range(len(tiles))]
        used.append((name, what))
    if not images:
        raise NoUsableImages(f"no usable image in {files.name!r} ({'; '.join(f'{n}: {r}' for n, r in skipped[:5])})")
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous() * 2 - 1
    return Images(pixels, tuple(names), files.path.name, Report(tuple(used), tuple(skipped)))


def _tiles(values: np.ndarray, size: tuple[int, int], most: int, seed: int) -> Iterator[np.ndarray]:
    """At most so many crops of a picture, as many as fit side by side; with 0, the largest middle part to resize."""
    height, width = values.shape[:2]
    tall, wide = size if most else middle(values.shape, size)
    crops = min((height // tall) * (width // wide), most)
    places = [((height - tall) // 2, (width - wide) // 2)]
    if crops > 1:
        rng = np.random.default_rng(seed)
        places = [(rng.integers(height - tall + 1), rng.integers(width - wide + 1)) for _ in range(crops)]
    for top, left in places:
        yield values[top : top + tall, left : left + wide]
