"""All scores of two sets of images, read batch by batch, or of statistics of them: `gannb score REAL FAKE`.

Stricter than the readers that feed training: nothing is resized or turned grey unless asked for, since either changes
a score. Pixels are decoded as everywhere (`gannb.data.image_files`); files that cannot be read are named and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from gannb.data.image_files import ImageFiles
from gannb.data.pixels import resized, to_channels
from gannb.metrics.evaluator import Evaluator
from gannb.metrics.extractor import FeatureExtractor
from gannb.metrics.score import Scores
from gannb.metrics.sources import BATCH, ImageSource, evenly
from gannb.metrics.statistics import FeatureProtocol, Statistics, is_statistics

NAMED = 5  # files named in a message, at most
READER = "3"  # changes whenever files come to be read differently: cached features of older readers are not used
READ = f"8 bits, reader {READER}"  # of pixels: what a feature extractor gets
PIXELS = 2**25  # in a batch, at most


class Images(ImageSource, Protocol):
    """Images that know their name, their size (channels, height, width), and what was read and what was not."""

    name: str
    shape: tuple[int, int, int]
    note: str


Side = str | Path | Images | Statistics
"""A folder of images, an `.npz` file of images, a file of statistics, or any of these that was opened."""


class FileImages:
    """The images of a folder or an `.npz` file, as `Evaluator` takes them.

    Args:
        path: the folder, the file, or `file.npz:array`.
        resize: side of the square that every image is brought to (bicubic, antialiased); None keeps them as they are.
        channels: 1 or 3 for all; None keeps them as they are.
        progress: show a bar while they are looked through.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: no image that can be read, or images of different sizes or channels.
    """

    def __init__(
        self, path: str | Path, *, resize: int | None = None, channels: int | None = None, progress: bool = False
    ) -> None:
        self.files, self.resize, self.channels = ImageFiles(path, progress), resize, channels
        self.n, self.name = len(self.files), self.files.name
        found = [picture.shape for picture in self.files.pictures]
        shapes = [(channels or colours, resize or height, resize or width) for height, width, colours in found]
        self.shape = shapes[0]
        if len(counts := Counter(shapes)) > 1:
            example = {shape: picture.name for shape, picture in zip(shapes, self.files.pictures)}
            kinds = [f"{n} of {_words(s)} (such as {example[s]})" for s, n in counts.most_common(NAMED)]
            raise ValueError(f"{self.name} holds different images: {', '.join(kinds)}. {_remedy(counts)}")

    def batches(self) -> Iterator[Tensor]:
        """All images `[b, C, H, W]` in [-1, 1]."""
        size = max(1, min(BATCH, PIXELS // (self.shape[1] * self.shape[2])))
        for start in range(0, self.n, size):
            yield self._stack(range(start, min(start + size, self.n)))

    def some(self, most: int) -> Tensor:
        """At most `most` images `[n, C, H, W]`, evenly spread."""
        return self._stack(evenly(self.n, most).tolist())

    def fingerprint(self) -> str:
        """A hash of the files and of how they are read."""
        return f"{self.files.digest()}-{READER}-{self.resize}-{self.channels}"

    @property
    def note(self) -> str:
        """What was read and what was not, in a line."""
        report = self.files.report()
        lines = [f"{count}: {what}" for count, what in report.lines[: NAMED + 1]]
        more = f"; and {len(report.lines) - len(lines)} more" if len(report.lines) > len(lines) else ""
        return f"{self.name}: {'; '.join(lines)}{more}"

    def _stack(self, places: Iterable[int]) -> Tensor:
        return stacked((self.files.unit(*read) for read in self.files.read(places)), self.resize, self.channels)


def stacked(images: Iterable[np.ndarray], resize: int | None, channels: int | None) -> Tensor:
    """Images as one tensor `[n, C, H, W]` in [-1, 1].

    Args:
        images: `[H, W, C]` in [0, 1].
        resize: as `FileImages`.
        channels: as `FileImages`.
    """
    same = [to_channels(values, channels or values.shape[2]) for values in images]
    whole = np.stack([resized(values, resize) if resize else values for values in same])
    return torch.from_numpy(whole).permute(0, 3, 1, 2) * 2 - 1


def score_folders(
    real: Side,
    fake: Side,
    *,
    train: Side | None = None,
    features: str = "auto",
    resize: int | None = None,
    channels: int | None = None,
    lpips: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Scores:
    """All scores of generated images in `fake` against real images in `real`.

    Args:
        real: a folder, an `.npz` file, or statistics.
        fake: another.
        train: the images the generator was trained on, for the share of copies.
        features: as `Evaluator`.
        lpips: also LPIPS diversity.
        seed: of every random draw.
        progress: show a bar over the images.
        resize: as `FileImages`.
        channels: as `FileImages`.

    Raises:
        ValueError: images or protocols that differ; and as `FileImages`, `Statistics` and `Evaluator`.
    """
    how: Any = {"resize": resize, "channels": channels, "progress": progress}
    sides = [_statistics(side) for side in (real, fake, train) if side is not None]
    using = _extractor(sides, features)
    sources = [_images(side, **how) for side in sides]
    named = [str(side) if isinstance(side, str | Path) else side.name for side in sides]
    shapes: list[tuple[str, Any]] = [
        (name, source.shape) for name, source in zip(named, sources) if source.shape is not None
    ]
    if len({shape for _, shape in shapes}) > 1:
        found = "; ".join(f"{name}: {_words(shape)}" for name, shape in shapes)
        raise ValueError(f"the images differ ({found}). {_remedy(shape for _, shape in shapes)}")
    evaluator = Evaluator(sources[0], sources[2] if train is not None else None, using, progress=progress)
    chosen = ("default", "extrapolated", "lpips") if lpips else ("default", "extrapolated")
    scores = evaluator(sources[1], seed=seed, scores=chosen)
    return Scores(scores.values(), [*scores.notes, *(s.note for s in sources), *_changes(resize, channels)])


def save_statistics(
    side: Side,
    path: Path,
    *,
    features: str = "auto",
    resize: int | None = None,
    channels: int | None = None,
    progress: bool = False,
) -> Statistics:
    """Pass images through the feature extractor, and write a file to score against.

    Args:
        side: the images.
        path: the file.
        features: as `Evaluator`.
        resize: as `FileImages`.
        channels: as `FileImages`.
        progress: show a bar over the images.

    Raises:
        ValueError: statistics instead of images; and as `FileImages` and `Evaluator`.
    """
    side = _statistics(side)
    if isinstance(side, Statistics):
        raise ValueError(f"{side.name} holds statistics already, and no images")
    how: Any = {"resize": resize, "channels": channels, "progress": progress}
    source = _images(side, **how)
    computed = Evaluator(source, features=features, progress=progress)
    protocol = FeatureProtocol.of(computed.extractor, source.shape, READ)
    fitted = computed.extractor if computed.extractor.name == "faed" else None
    words = "; ".join([source.note, *_changes(resize, channels)])
    found = Statistics(path.name, computed.real, protocol, words, fitted)
    found.save(path)
    return found


def _statistics(side: Side) -> Side:
    return Statistics.read(side) if isinstance(side, str | Path) and is_statistics(side) else side


def _images(side: Side, **how: Any) -> Any:
    return FileImages(side, **how) if isinstance(side, str | Path) else side


def _extractor(sides: Sequence[Side], features: str) -> str | FeatureExtractor:
    """The extractor of the statistics among the sides, once it is known that all can be compared."""
    given = [side for side in sides if isinstance(side, Statistics)]
    if not given:
        return features
    first, *others = given
    for other in others:
        first.protocol.check(first.name, other.protocol, other.name)
    if first.fitted is not None and not isinstance(sides[0], Statistics):
        raise ValueError(f"{first.name} holds features of an autoencoder (FAED) that was not fitted to REAL")
    if len(sides) > 2 and (without := [side.name for side in given if not side.n]):
        raise ValueError(f"--train: {without[0]} does not say how many images it is of")
    passes = len(given) < len(sides)
    found = first.extractor(features, passes)
    for side in given if passes else ():
        side.protocol.check(side.name, FeatureProtocol.of(found, None, READ), "this machine")
    return found


def _changes(resize: int | None, channels: int | None) -> list[str]:
    """What was done to all images, in words."""
    size = [f"all images were resized to {resize}×{resize} (bicubic, antialiased)"] if resize else []
    return size + ([f"all images were converted to {'grey' if channels == 1 else 'colour'}"] if channels else [])


def _words(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{width}×{height} {'grey' if channels == 1 else 'colour'}"


def _remedy(shapes: Iterable[tuple[int, int, int]]) -> str:
    shapes = list(shapes)
    advice = []
    if len({shape[1:] for shape in shapes}) > 1:
        side = min(min(shape[1:]) for shape in shapes)
        advice.append(f"--resize {side} brings all to one size")
    if len({shape[0] for shape in shapes}) > 1:
        advice.append("--channels grey (or colour) brings all to the same channels")
    return "; ".join(advice)
