"""Images as one tensor with names, read from a folder or an `.npz` file by `gannb.data.image_files`."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gannb.data.image_files import ImageFiles, NoUsableImages, Report, resized, to_channels
from gannb.random import key
from gannb.tables import ShownAsTable, Table

Fit = Literal["crop", "resize"]
_WANTED = 300  # images that a folder of large frames is cropped into


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
        if self.pixels.ndim != 4 or self.pixels.shape[1] not in (1, 3):
            raise ValueError(f"images have shape {tuple(self.pixels.shape)}; allowed is [N, C, H, W] with C 1 or 3")
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

    def table(self) -> Table:
        """One line about the images."""
        n, channels, height, width = self.pixels.shape
        low, mean, high = (f"{value:.3f}" for value in (self.pixels.min(), self.pixels.mean(), self.pixels.max()))
        columns = ("images", "shape", "from", "lowest", "mean", "highest", "skipped", "hash")
        row = (n, f"{channels}×{height}×{width}", self.source, low, mean, high, len(self.report.skipped), self.hash)
        return Table(columns, [row])


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
    """Read a folder or an `.npz` file, as `ImageFiles` does; what cannot be used is named in the report and skipped.

    Args:
        path: the folder or file.
        size: height and width of the images in pixels.
        channels: 1 makes colour grey, 3 repeats grey.
        fit: "resize" shrinks or enlarges the middle square; "crop" keeps the pixels as they are.
        crops: with "crop", how many per picture: 1 is the middle, more are at random places that follow from `seed`.
            By default enough for 300 images in all, but no more than would fit side by side.
        stretch: raise each picture's contrast so that its 0.5 % darkest pixels are black and brightest white.
        seed: of the random places.
        exclude: names to leave out; `read_exclusions` reads them from a file.
        array: which array of an `.npz` file, where it holds several.

    Returns:
        Images `[N, channels, size, size]`.

    Raises:
        FileNotFoundError: no such folder or file.
        NoUsableImages: nothing in it can be used.
        ValueError: another value of `fit`, `channels`, `crops`, or an excluded name that is not there.
    """
    _check(channels, fit, crops)
    files = ImageFiles(path if array is None else f"{path}:{array}")
    skipped, names, used = list(files.skipped), list[str](), list[tuple[str, str]]()
    images: list[np.ndarray] = []
    for picture, values in files.read():
        name, what = picture.name, files.what(picture)
        if fit == "crop" and min(picture.shape[:2]) < size:
            skipped.append((name, f"{what} is smaller than {size}×{size}; fit='resize' would take it"))
            continue
        if (
            stretch
        ):  # as the whole picture needs it; parts are converted after they are cut, since photographs are large
            values = _stretched(to_channels(files.unit(picture, values), channels))
        count = crops or (_crops_wanted(values, size, len(files)) if fit == "crop" else 1)
        tiles = list(_tiles(values, size, fit, count, key(seed, "crops", name)))
        tiles = tiles if stretch else [to_channels(files.unit(picture, tile), channels) for tile in tiles]
        images += [resized(tile, size) for tile in tiles]
        names += [name if len(tiles) == 1 else f"{name}#{i}" for i in range(len(tiles))]
        used.append((name, what))
    if not images:
        raise NoUsableImages(f"no usable image in {files.name!r} ({'; '.join(f'{n}: {r}' for n, r in skipped[:5])})")
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous() * 2 - 1
    found = Images(pixels, tuple(names), files.path.name, Report(tuple(used), tuple(skipped)))
    return found.without(exclude) if exclude else found


def read_exclusions(path: str | Path) -> list[str]:
    """Read an exclusion list: one image name per line; empty lines and what follows `//` are left out."""
    lines = (line.partition("//")[0].strip() for line in Path(path).expanduser().read_text("utf-8").splitlines())
    return [line for line in lines if line]


def _check(channels: int, fit: str, crops: int | None) -> None:
    if channels not in (1, 3):
        raise ValueError(f"channels={channels}; allowed are 1 (grey) and 3 (colour)")
    if fit not in ("crop", "resize"):
        raise ValueError(f"fit={fit!r}; allowed are 'crop' and 'resize'")
    if crops is not None and (crops < 1 or (crops > 1 and fit != "crop")):
        raise ValueError(f"crops={crops} with fit={fit!r}; allowed are 1 or, with fit='crop', more")


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, [0.5, 99.5])
    stretched: np.ndarray = ((values - low) / max(float(high - low), 1e-6)).clip(0, 1).astype(np.float32)
    return stretched


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
        yield values[top : top + side, left : left + side]
