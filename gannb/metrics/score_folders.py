"""All scores of two folders of images (or `.npz` files), read batch by batch: `gannb score REAL FAKE`.

Stricter than the readers that feed training: nothing is resized or turned grey unless asked for, since either changes
a score. Pixels are decoded as everywhere (`gannb.data.image_files`); files that cannot be read are named and left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gannb.data.image_files import ImageFiles, resized, to_channels
from gannb.metrics.evaluator import Evaluator
from gannb.metrics.score import Scores
from gannb.metrics.sources import BATCH, evenly

NAMED = 5  # files named in a message, at most
READER = "3"  # changes whenever files come to be read differently: cached features of older readers are not used
PIXELS = 2**25  # in a batch, at most


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
        self.n = len(self.files)
        found = [picture.shape for picture in self.files.pictures]
        shapes = [(channels or colours, resize or height, resize or width) for height, width, colours in found]
        self.shape = shapes[0]
        if len(counts := Counter(shapes)) > 1:
            example = {shape: picture.name for shape, picture in zip(shapes, self.files.pictures)}
            kinds = [f"{n} of {_words(s)} (such as {example[s]})" for s, n in counts.most_common(NAMED)]
            raise ValueError(f"{self.files.name} holds different images: {', '.join(kinds)}. {_remedy(counts)}")

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

    def _stack(self, places: Iterable[int]) -> Tensor:
        images = []
        for picture, values in self.files.read(places):
            values = to_channels(self.files.unit(picture, values), self.channels or picture.shape[2])
            images.append(resized(values, self.resize) if self.resize else values)
        return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) * 2 - 1


def score_folders(
    real: str | Path,
    fake: str | Path,
    *,
    train: str | Path | None = None,
    features: str = "auto",
    resize: int | None = None,
    channels: int | None = None,
    lpips: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> Scores:
    """All scores of generated images in `fake` against real images in `real`.

    Args:
        real: a folder or `.npz` file.
        fake: another.
        train: the images the generator was trained on, for the share of copies.
        features: as `Evaluator`.
        lpips: also LPIPS diversity.
        seed: of every random draw.
        progress: show a bar over the images.
        resize: as `FileImages`.
        channels: as `FileImages`.

    Raises:
        ValueError: images that differ; and as `FileImages` and `Evaluator`.
    """
    how: Any = {"resize": resize, "channels": channels, "progress": progress}
    sources = [FileImages(path, **how) for path in (real, fake, train) if path is not None]
    shapes = {str(path): source.shape for path, source in zip((real, fake, train), sources)}
    if len(set(shapes.values())) > 1:
        found = "; ".join(f"{path}: {_words(shape)}" for path, shape in shapes.items())
        raise ValueError(f"the images differ ({found}). {_remedy(shapes.values())}")
    evaluator = Evaluator(sources[0], sources[2] if train is not None else None, features, progress=progress)
    chosen = ("default", "extrapolated", "lpips") if lpips else ("default", "extrapolated")
    scores = evaluator(sources[1], seed=seed, scores=chosen)
    notes = [*scores.notes, *map(_note, sources)]
    if resize:
        notes.append(f"all images were resized to {resize}×{resize} (bicubic, antialiased)")
    if channels:
        notes.append(f"all images were converted to {'grey' if channels == 1 else 'colour'}")
    return Scores(scores.values(), notes)


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


def _note(source: FileImages) -> str:
    """What was read and what was not, in a line."""
    report = source.files.report()
    lines = [f"{count}: {what}" for count, what in report.lines[: NAMED + 1]]
    more = f"; and {len(report.lines) - len(lines)} more" if len(report.lines) > len(lines) else ""
    return f"{source.files.name}: {'; '.join(lines)}{more}"
