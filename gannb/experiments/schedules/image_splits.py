"""Images to compare schedules on, in three parts (the document, Data; claim S3).

G and D learn from `train`; a controller's objective is computed on `validation`; `test` is for the scores alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gannb.config.image_formats import Size, middle, sides
from gannb.data import particles
from gannb.data.arrays import Arrays
from gannb.data.images import Images, read_images
from gannb.data.labels import check, of_names
from gannb.random import generator

DIGITS = "digits"
CIFAR10_FILE = "data_batch_1"


@dataclass(frozen=True)
class ImageSplits:
    """Three parts of one data set, with classes where it has them.

    Attributes:
        train, validation, test: images `[N, C, H, W]` in [-1, 1].
        classes: by part ("train", "validation", "test"), whole numbers `[N]`; empty where the data has no classes.
        names: of the classes.
    """

    train: Images
    validation: Images
    test: Images
    classes: dict[str, Tensor]
    names: tuple[str, ...] = ()

    def part(self, name: str, conditional: bool, device: torch.device | str = "cpu") -> Tensor | tuple[Tensor, Tensor]:
        """Images `[N, C, H, W]` of a part, and their classes `[N]` for conditional networks.

        Args:
            name: of the part.
            conditional: whether the classes are wanted.
            device: where to.
        """
        pixels: Tensor = getattr(self, name).pixels.to(device)
        return (pixels, self.classes[name].to(device)) if conditional else pixels

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return self.train.pixels.shape[1]

    def __repr__(self) -> str:
        parts = f"{len(self.train)} training, {len(self.validation)} validation and {len(self.test)} test images"
        size, read = "×".join(str(n) for n in self.train.pixels.shape[1:]), self.train.report.lines[:6]
        return "\n".join([f"{self.train.source}: {parts}, {size}", *(f"{count}: {what}" for count, what in read)])


def load(
    data: str = DIGITS,
    size: Size = 32,
    *,
    seed: int = 0,
    validation: float = 0.1,
    test: float = 0.2,
    count: int = 0,
    root: str | Path = "datasets",
    channels: int = 3,
    fit: str = "resize",
    conditional: bool = False,
    labels: str = "",
) -> ImageSplits:
    """Load images `[N, C, height, width]` in three parts.

    Where the data has a test part of its own, that is `test`. Parts are drawn at random from `seed`, class by class,
    so that each holds every class; images without classes are split by file order, as neighbours may be alike.

    Args:
        data: "digits" (scikit-learn's, no download), "rendered" (grey particles), "cifar10", "celeba" or "lsun"
            (torchvision's, from `root`, downloaded where they are missing and may be); or the folder of CIFAR-10's own
            batch files, a folder of images, or an `.npz` with `x_train` (and `x_test`, `y_train`, `y_test`) or one
            array of images.
        size: height and width, one number for a square; data sets by name give their largest middle part of these
            proportions.
        seed: of the split.
        validation: shares of all, each above 0; together below 1.
        test: shares of all, each above 0; together below 1.
        count: at most so many images for training and validation; 0 for all.
        root: the folder of torchvision's data.
        channels: of folders and of arrays that could be read either way; digits have 1.
        fit: of folders and arrays, as `read_images` says; "crop" takes the middle of each picture alone.
        conditional: whether classes are needed: of a folder, its subfolders are its classes.
        labels: a CSV with the classes of a folder's files instead.

    Raises:
        ValueError: shares that leave nothing, an unknown name, a damaged file; classes that are needed and not there.
        FileNotFoundError: no such folder or file, or no network to download from.
    """
    if min(validation, test) <= 0 or validation + test >= 1:
        raise ValueError(f"validation={validation}, test={test}; allowed are shares above 0, together below 1")
    if min(sides(size)) < 8 or count < 0:
        raise ValueError(f"size={size}, count={count}; allowed are size ≥ 8 and count ≥ 0")
    rest, tested = _read(data, size, count, Path(root).expanduser(), {"channels": channels, "fit": fit, "cropped": 0})
    if conditional or labels:
        rest = _with_classes(rest, labels, data)
    if tested is None:
        rest, tested = _split(rest, test, seed, "test")
        validation = validation / (1 - test)
    rest = rest.first(count)
    train, validated = _split(rest, validation, seed, "guide")
    parts = {"train": train, "validation": validated, "test": tested}
    classes = {name: part.classes for name, part in parts.items() if part.classes is not None}
    highest = max((int(numbers.max()) for numbers in classes.values()), default=-1)
    names = rest.names or tuple(map(str, range(highest + 1)))
    if conditional:
        if "test" not in classes:
            raise ValueError(f"conditional: the test images of {data} have no classes; `y_test` is missing")
        check(classes["train"], names)
    return ImageSplits(*(part.images for part in parts.values()), classes=classes, names=names)


@dataclass(frozen=True)
class _Labelled:
    """Images, and the class of each where there are classes, with the classes' names where they have any."""

    images: Images
    classes: Tensor | None = None
    names: tuple[str, ...] = ()

    def __getitem__(self, places: Tensor) -> _Labelled:
        classes = None if self.classes is None else self.classes[places]
        return _Labelled(self.images[places], classes, self.names)

    def first(self, count: int) -> _Labelled:
        """At most so many; spread over all of them, so that no class is left out."""
        if not 0 < count < len(self.images):
            return self
        return self[torch.linspace(0, len(self.images) - 1, count).round().long()]


def _split(whole: _Labelled, share: float, seed: int, stream: str) -> tuple[_Labelled, _Labelled]:
    """(rest, part of this share); `stream` names the draw."""
    total = len(whole.images)
    if whole.classes is None:
        away = round(share * total)
        held = torch.arange(total) >= total - away
    else:
        held = torch.zeros(total, dtype=torch.bool)
        for number in whole.classes.unique().tolist():
            members = (whole.classes == number).nonzero()[:, 0]
            order = torch.randperm(len(members), generator=generator("pictures", stream, number, seed))
            held[members[order[: round(share * len(members))]]] = True
    if not 0 < int(held.sum()) < total:
        raise ValueError(f"{total} images: a share of {share:.3g} held out leaves one side empty")
    return whole[~held], whole[held]


def _read(data: str, size: Size, count: int, root: Path, how: dict[str, Any]) -> tuple[_Labelled, _Labelled | None]:
    """All images of a source; its own test part apart, where it has one."""
    if data in DATA_SETS:
        return DATA_SETS[data](size, count, root)
    path = Path(data).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"data {data!r}: no such folder or file, and none of {', '.join(DATA_SETS)}")
    if (path / CIFAR10_FILE).is_file():
        return _cifar10(path, size)
    if path.suffix == ".npz" and "x_train" in (arrays := Arrays(path)):
        return _parts(arrays, size, how)
    return _Labelled(read_images(path, size, **how)), None


def _with_classes(whole: _Labelled, labels: str, data: str) -> _Labelled:
    """With the classes of a folder's images, where the data has none of its own."""
    if whole.classes is not None:
        return whole
    if not Path(data).expanduser().is_dir():
        raise ValueError(f"conditional: {data} has no classes; an .npz needs `y_train` beside `x_train`")
    return _Labelled(whole.images, *of_names(whole.images.names, labels))


def _digits(size: Size, count: int, root: Path) -> tuple[_Labelled, None]:
    """1,797 written digits, 8×8 in 17 grey levels, enlarged (Alpaydin & Kaynak 1998)."""
    from sklearn.datasets import load_digits

    found = load_digits()
    grey = torch.from_numpy(found.images).float()[:, None] / 8 - 1
    return _labelled(grey, size, DIGITS, torch.from_numpy(found.target).long()), None


def _celeba(size: Size, count: int, root: Path) -> tuple[_Labelled, _Labelled]:
    train, valid, test = (
        _torchvision("CelebA", root, size, count, split=part, download=True) for part in ("train", "valid", "test")
    )
    a, b = train.images, valid.images
    return _Labelled(Images(torch.cat([a.pixels, b.pixels]), a.names + b.names, a.source)), test


def _parts(arrays: Arrays, size: Size, how: dict[str, Any]) -> tuple[_Labelled, _Labelled | None]:
    """`x_train`, and `x_test` where the file has it; with `y_train` and `y_test` where it has those."""

    def part(x: str, y: str) -> _Labelled:
        images = read_images(f"{arrays.path}:{x}", size, **how)
        return _Labelled(images, arrays.classes(y, len(images)) if y in arrays else None)

    return part("x_train", "y_train"), part("x_test", "y_test") if "x_test" in arrays else None


def _torchvision(kind: str, root: Path, size: Size, count: int, **options: Any) -> _Labelled:
    """Images of a torchvision data set, the middle part of each; at most `count` of them are read."""
    from torchvision import datasets
    from torchvision.transforms import functional as transform

    try:
        found = getattr(datasets, kind)(root, **options)
    except (RuntimeError, OSError, ImportError) as fault:
        raise FileNotFoundError(
            f"{kind} is not in {str(root)!r} and is unavailable for download ({fault}); put torchvision's files there, "
            f"or name a folder of images instead"
        ) from fault
    places = torch.linspace(0, len(found) - 1, min(count or len(found), len(found))).round().long().unique()
    rows = []
    for place in places.tolist():
        picture = found[place][0].convert("RGB")
        part = transform.center_crop(picture, [*middle((picture.height, picture.width), size)])
        rows.append(transform.to_tensor(transform.resize(part, [*sides(size)])) * 2 - 1)
    return _labelled(torch.stack(rows), size, kind.lower())


def _cifar10(folder: Path, size: Size, *, download: bool = False) -> tuple[_Labelled, _Labelled]:
    """CIFAR-10 from its official Python batch files, whose checksums torchvision verifies (Krizhevsky 2009)."""
    from torchvision.datasets import CIFAR10

    class Batches(CIFAR10):
        base_folder = folder.name

    try:
        train, test = (Batches(folder.parent, train=part, download=download) for part in (True, False))
    except (RuntimeError, OSError) as fault:
        raise FileNotFoundError(
            f"{str(folder)!r} does not hold CIFAR-10's batch files as published ({fault}); put all of them there, or "
            f"name another folder or an .npz"
        ) from fault

    def labelled(part: CIFAR10, source: str) -> _Labelled:
        pixels = torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1
        return replace(_labelled(pixels, size, source, part.targets), names=tuple(part.classes))

    return labelled(train, "cifar10"), labelled(test, "cifar10_test")


def _labelled(pixels: Tensor, size: Size, source: str, classes: Any = None) -> _Labelled:
    """The middle part, bicubic with antialiasing to `size`, kept within [-1, 1]."""
    if pixels.shape[2:] != sides(size):
        (height, width), (tall, wide) = pixels.shape[2:], middle(pixels.shape[2:], size)
        top, left = (height - tall) // 2, (width - wide) // 2
        part = pixels[:, :, top : top + tall, left : left + wide]
        pixels = F.interpolate(part, sides(size), mode="bicubic", antialias=True).clamp(-1, 1)
    images = Images(pixels, tuple(f"{source}[{i}]" for i in range(len(pixels))), source)
    return _Labelled(images, None if classes is None else torch.as_tensor(classes))


DATA_SETS: dict[str, Callable[[Size, int, Path], tuple[_Labelled, _Labelled | None]]] = {
    DIGITS: _digits,
    particles.RENDERED: lambda size, count, root: (_Labelled(particles.load(particles.RENDERED, size)), None),
    "cifar10": lambda size, count, root: _cifar10(root / "cifar-10-batches-py", size, download=True),
    "celeba": _celeba,
    "lsun": lambda size, count, root: (_torchvision("LSUN", root, size, count, classes=["bedroom_train"]), None),
}
"""Name → reader of (size, at most so many images, torchvision's folder): images, and their own test part or None."""
