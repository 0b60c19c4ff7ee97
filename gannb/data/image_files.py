"""The images of a folder or of an `.npz` file, for training and for scores alike: one rule for pages, depth and range.

What is read: every file that is not hidden, subfolders and links included, in natural order (`frame_2` before
`frame_10`); every page of a stack as an image of its own. What cannot be used is named with its reason.

White is 255 in 8-bit files and 1 in floats (black is -1 where one of them is negative). Deeper whole numbers are scaled
by the depth (8, 10, 12, 14, 16 bits) that holds the brightest of the folder, floats in another range by the lowest and
highest of the folder. Whole numbers below 0 are refused.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import UnidentifiedImageError

from gannb.data.arrays import ArrayError, Arrays
from gannb.data.decoder import Page, decode
from gannb.data.pixels import on_white
from gannb.tables import ShownAsTable, Table

DEPTHS = (8, 10, 12, 14, 16)
HUGE = 1e30


class NoUsableImages(ValueError):
    """A folder or file holds no image that could be used; the message names reasons."""


@dataclass(frozen=True, repr=False)
class Report(ShownAsTable):
    """What a reader used and skipped.

    Attributes:
        used: (name, size and format as found) of each image that was used.
        skipped: (name, reason) of each file that was not.
    """

    used: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Formats with their counts, then every skipped file with its reason."""
        rows = [(f"{count} used", what) for what, count in Counter(what for _, what in self.used).items()]
        return rows + [(f"skipped {name}", reason) for name, reason in self.skipped]

    def table(self) -> Table:
        """The lines as a table."""
        return Table(("files", "what they are"), self.lines)


@dataclass(frozen=True)
class Picture:
    """One image that can be used.

    Args:
        name: such as `frame_003.png`, or `stack.tif[2]` for a page.
        path: its file.
        page: its place in the file.
        shape: height, width, and channels without transparency (1 or 3).
        dtype: of its values as stored.
        low: its lowest value.
        high: its highest value.
        whole: whether all are whole numbers.
        white: the value of white, where the file says it.
        transparent: whether it has transparency.
        turned: whether it was turned or mirrored to stand upright.
    """

    name: str
    path: Path
    page: int
    shape: tuple[int, int, int]
    dtype: np.dtype
    low: float
    high: float
    whole: bool
    white: int | None = None
    transparent: bool = False
    turned: bool = False

    @classmethod
    def of(cls, name: str, path: Path, page: Page) -> Picture:
        """Look at the values of a page.

        Args:
            name: of the image.
            path: of its file.
            page: as decoded.

        Raises:
            ValueError: values that cannot be those of an image.
        """
        height, width, channels = page.values.shape
        colours = 1 if channels < 3 else 3
        shape, found = (height, width, colours), _range(page.values[..., :colours])
        dtype = page.values.dtype
        return cls(name, path, page.index, shape, dtype, *found, page.white, channels > colours, page.turned)


class ImageFiles:
    """The usable images of a folder, or of an array in an `.npz` file; two passes, one image in memory at a time.

    Args:
        path: the folder, the file, or `file.npz:array` where it holds several.
        progress: show a bar over the first pass, which decodes everything once.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: another kind of file, or arrays that cannot be used.
        NoUsableImages: nothing in it can be used.
    """

    def __init__(self, path: str | Path, progress: bool = False) -> None:
        file, _, array = str(path).partition(".npz:")
        self.path = Path(f"{file}.npz" if array else path).expanduser()
        self.name = f"{self.path.name}:{array}" if array else self.path.name
        self.pictures: list[Picture] = []
        self.skipped: list[tuple[str, str]] = []
        self._array: np.ndarray | None = None
        if not self.path.exists():
            raise FileNotFoundError(f"there is no folder or file {str(path)!r} to read images from")
        if self.path.is_dir():
            self._look_at_folder(progress)
        elif self.path.suffix.lower() == ".npz":
            self._look_at_array(array)
        else:
            raise ValueError(f"{self.path.name}: allowed are a folder of images and an .npz file")
        if not self.pictures:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.skipped[:5]) or "it is empty"
            raise NoUsableImages(f"no usable image in {self.path.name!r} ({reasons})")
        floats = [picture for picture in self.pictures if picture.dtype.kind == "f"]
        self._whole = all(p.whole for p in floats) and max((p.high for p in floats), default=0) > 1
        self._scales = {kind: self._scale(kind) for kind in {self._kind(picture) for picture in self.pictures}}
        black, white, words = self._scales.get("floats", (0, 1, ""))
        if self._array is not None and (black, white) not in ((0, 1), (-1, 1)):
            raise ArrayError(f"{self.name} holds {words}; allowed are floats 0 … 1 or -1 … 1, and whole numbers")

    def __len__(self) -> int:
        return len(self.pictures)

    def what(self, picture: Picture, *, transparency: bool = False) -> str:
        """Size, channels, depth, and what was done, in words; whether transparency is kept."""
        height, width, channels = picture.shape
        depth = self._scales[self._kind(picture)][2]
        notes = ("" if not picture.transparent else ", transparent" if transparency else ", transparent on white") + (
            ", turned upright" if picture.turned else ""
        )
        return f"{width}×{height} {'grey' if channels == 1 else 'colour'}, {depth}{notes}"

    def report(self) -> Report:
        """What is used, and what is skipped and why."""
        return Report(tuple((p.name, self.what(p)) for p in self.pictures), tuple(self.skipped))

    def read(self, places: Iterable[int] | None = None) -> Iterator[tuple[Picture, np.ndarray]]:
        """Stored values `[H, W, C]`, for `unit`, one image after the other.

        Args:
            places: which of them, in rising order; all by default.

        Raises:
            ValueError: a file that changed since it was looked at.
        """
        wanted = self.pictures if places is None else [self.pictures[place] for place in places]
        for path, group in groupby(wanted, key=lambda picture: picture.path):
            pages = {picture.page: picture for picture in group}
            for page in decode(path, pages) if self._array is None else self._pages_of_array(pages):
                if (picture := pages.pop(page.index, None)) is not None:
                    yield picture, page.values
            if pages:
                raise ValueError(f"{path.name} changed while it was read")

    def digest(self) -> str:
        """A hash of the files that are used, and of the names of the images."""
        state = hashlib.blake2b(repr([picture.name for picture in self.pictures]).encode(), digest_size=16)
        for path in dict.fromkeys(picture.path for picture in self.pictures):
            with path.open("rb") as file:
                state.update(hashlib.file_digest(file, "blake2b").digest())
        return state.hexdigest()

    def _kind(self, picture: Picture) -> str:
        """What the scale of an image follows from."""
        if picture.white is not None:
            return str(picture.white)
        return "whole numbers" if picture.dtype.kind != "f" or self._whole else "floats"

    def _pages_of_array(self, pages: Iterable[int]) -> Iterator[Page]:
        assert self._array is not None
        yield from (Page(index, self._array[index]) for index in list(pages))

    def _scale(self, kind: str) -> tuple[float, float, str]:
        """Black, white and the depth in words, of all images of a kind."""
        alike = [picture for picture in self.pictures if self._kind(picture) == kind]
        low, high = min(picture.low for picture in alike), max(picture.high for picture in alike)
        if (white := alike[0].white) is not None:
            return 0, white, f"{white.bit_length()}-bit"
        if kind == "floats":
            if low >= -1 and high <= 1:
                return (-1, 1, "floats -1 … 1") if low < 0 else (0, 1, "floats 0 … 1")
            return low, high if high > low else low + 1, f"floats {low:g} … {high:g}"
        depth = next(depth for depth in (1, *DEPTHS) if high < 2**depth)
        return 0, 2**depth - 1, f"{depth}-bit in {alike[0].dtype}"

    def unit(self, picture: Picture, values: np.ndarray, *, transparency: bool = False) -> np.ndarray:
        """Stored values as float32 in [0, 1].

        Args:
            picture: whose values they are.
            values: `[H, W, C]` as stored, or a part of them.
            transparency: whether the last channel is alpha, which the others are multiplied by; else it lies on white.
        """
        black, white, _ = self._scales[self._kind(picture)]
        channels = picture.shape[2]
        wide = np.float64 if max(-black, white) > 1 and values.dtype.kind == "f" else np.float32
        unit: np.ndarray = values[..., :channels].astype(wide)  # changed in place: photographs are large
        if black:
            unit -= black
        unit /= white - black
        alpha = np.ones((*values.shape[:2], 1), np.float32) if transparency else None
        if values.shape[2] > channels:
            full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
            alpha = values[..., channels:].astype(np.float32) / np.float32(full)
            unit = unit * alpha if transparency else on_white(unit, alpha)
        unit = np.concatenate([unit, alpha], 2) if transparency else unit
        return unit.clip(0, 1).astype(np.float32) if values.dtype.kind == "f" else unit

    # ---- the first pass ------------------------------------------------------------------------------------------

    def _look_at_folder(self, progress: bool) -> None:
        from tqdm.auto import tqdm

        files = sorted(self._files(), key=_natural)
        for file in tqdm(files, desc=f"reading {self.path.name}", unit="file", disable=not progress):
            name = _printable(file)
            try:
                found, unused = self._look_at(self.path / file, name)
            except UnidentifiedImageError:
                self.skipped.append((name, "not an image"))
            except Exception as fault:  # a damaged file makes its decoder raise nearly anything, and ends nothing
                reason = str(fault).partition("\n")[0] or type(fault).__name__
                self.skipped.append((name, reason if type(fault) is ValueError else f"broken: {reason}"))
            else:
                self.pictures += found
                self.skipped += unused

    @staticmethod
    def _look_at(path: Path, name: str) -> tuple[list[Picture], list[tuple[str, str]]]:
        """The images of a file, and its pages that are none."""
        found: list[Picture] = []
        unused: list[tuple[str, str]] = []
        for page in decode(path):
            if page.values.size:
                found.append(Picture.of(name, path, page))
            else:
                unused.append((f"{name}[{page.index}]", "a reduced copy or a mask of another page"))
        if not found:
            raise ValueError("no image in it")
        return [replace(p, name=f"{name}[{p.page}]") for p in found] if len(found) > 1 else found, unused

    def _files(self) -> Iterator[Path]:
        """Files that are not hidden, below the folder; linked folders are followed, each folder once."""
        seen = {self.path.resolve()}

        def unreadable(fault: OSError) -> None:
            self.skipped.append((_printable(Path(fault.filename).relative_to(self.path)), str(fault.strerror)))

        for at, folders, files in os.walk(self.path, followlinks=True, onerror=unreadable):
            here = Path(at).relative_to(self.path)
            for folder in sorted(folders, key=lambda folder: ((Path(at) / folder).is_symlink(), folder)):
                real, hidden = (Path(at) / folder).resolve(), folder.startswith(".")
                if hidden or real in seen:
                    folders.remove(folder)
                    reason = "hidden folder" if hidden else "the same folder as one that is read already"
                    self.skipped.append((f"{_printable(here / folder)}/", reason))
                else:
                    seen.add(real)
            yield from (here / file for file in files if not file.startswith("."))

    def _look_at_array(self, name: str) -> None:
        arrays = Arrays(self.path)
        fitting = [key for key, (shape, _) in arrays.headers.items() if len(shape) in (3, 4)]
        if not name and len(fitting) != 1:
            raise ArrayError(
                f"{self.path.name}: no array chosen; it holds {arrays}; "
                f"{self.path.name}:NAME names one of images: {', '.join(fitting) or 'none'}"
            )
        name = name or fitting[0]
        values, where = arrays.read(name), f"{self.path.name}: {name}"
        values = _channels_last(values)
        if values.ndim != 4 or values.shape[-1] not in (1, 3, 4):
            raise ArrayError(f"{where} has shape {arrays.headers[name][0]}; [N, H, W, C] or [N, H, W] is needed")
        try:
            found = _range(values)
        except ValueError as fault:
            raise ArrayError(f"{where}: {fault}") from fault
        transparent, white = values.shape[-1] == 4, 255 if values.dtype == np.uint8 else None
        if transparent and not white and not (values.dtype.kind == "f" and 0 <= found[0] <= found[1] <= 1):
            raise ArrayError(f"{where} has four channels, the last alpha: uint8 or floats 0 … 1 are needed")
        height, width, channels = values.shape[1:]
        facts = ((height, width, min(channels, 3)), values.dtype, *found, white, transparent)
        self._array = values
        self.pictures = [Picture(f"{name}[{i}]", self.path, i, *facts) for i in range(len(values))]


def _channels_last(values: np.ndarray) -> np.ndarray:
    """Arrays `[N, H, W]`, `[N, H, W, C]` or `[N, C, H, W]` with their channels last; any other as it is."""
    if values.ndim == 3:
        return values[..., None]
    if values.ndim != 4 or values.shape[-1] in (1, 3) or (values.shape[-1] == 4 and values.shape[1] not in (1, 3)):
        return values
    return values.transpose(0, 2, 3, 1) if values.shape[1] in (1, 3, 4) else values


def _range(values: np.ndarray) -> tuple[float, float, bool]:
    """The lowest and the highest value, and whether all are whole numbers; an error where no image can have them."""
    if values.dtype.kind not in "biuf" or not values.size:
        raise ValueError(f"{values.size} values of type {values.dtype}; real numbers are needed")
    low, high, exact = float(values.min()), float(values.max()), values.dtype.kind != "f"
    if not -HUGE < low <= high < HUGE:
        raise ValueError("values that are not finite, or beyond 1e30")
    if exact and (low < 0 or high >= 2**16):
        raise ValueError(f"{values.dtype} from {low:g} to {high:g}; whole numbers may be 0 … 65535")
    return low, high, exact or bool(low >= 0 and high < 2**16 and (values == np.floor(values)).all())


def _natural(path: Path) -> list[tuple[int, str | int]]:
    return [(0, int(part)) if part.isdecimal() else (1, part.lower()) for part in re.split(r"(\d+)", str(path)) if part]


def _printable(path: Path) -> str:
    """A name as text, whatever bytes it has on disk."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
