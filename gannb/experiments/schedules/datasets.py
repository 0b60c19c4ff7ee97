"""Pictures to compare schedules on: three parts, each for one purpose (schedules, Data; claim S3).

What guides a controller may not judge it: `train` is learned from, `guide` is looked at by the controller, `test` by
nobody before the end.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gannb.data import particles
from gannb.data.images import Images, NoUsableImages, read_images
from gannb.random import generator

DIGITS = "digits"
NAMED = (DIGITS, particles.RENDERED, "cifar10", "celeba", "lsun")
BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


@dataclass(frozen=True)
class Pictures:
    """Three parts of one data set, with classes where it has them.

    Attributes:
        train: what G and D learn from.
        guide: held out for the controller, its validation set.
        test: for the final score alone.
        classes: by part ("train", "guide", "test"), whole numbers `[N]`; empty where the data has no classes.
    """

    train: Images
    guide: Images
    test: Images
    classes: dict[str, Tensor]

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return self.train.pixels.shape[1]

    def __repr__(self) -> str:
        parts = f"{len(self.train)} to learn from, {len(self.guide)} to guide by, {len(self.test)} to judge by"
        return (
            f"{self.train.source}: {parts}, {self.channels}×{self.train.pixels.shape[2]}×{self.train.pixels.shape[3]}"
        )


def load(
    data: str = DIGITS,
    size: int = 32,
    *,
    seed: int = 0,
    guide: float = 0.1,
    test: float = 0.2,
    count: int = 0,
    root: str | Path = "datasets",
    channels: int = 3,
) -> Pictures:
    """Load pictures `[N, C, size, size]` in three parts.

    Where the data has a test part of its own, that is `test`. Parts are drawn at random from `seed`, class by class,
    so that each holds every class; pictures without classes are parted by file order, as neighbours may be alike.

    Args:
        data: "digits" (scikit-learn's, no download), "rendered" (grey particles, made here), "cifar10", "celeba" or
            "lsun" (torchvision's, from `root`, and downloaded where they are not there and may be); or a folder with
            CIFAR-10's own batch files, a folder of images, or an `.npz` with `x_train` (and `x_test`, `y_train`,
            `y_test`) or one array of images.
        size: height and width.
        guide, test: shares of all, each above 0; together below 1.
        count: at most so many pictures to learn and be guided from; 0 for all.
        root: where torchvision's data lies.
        channels: of folders and of arrays that could be read either way; digits have 1.

    Raises:
        ValueError: shares that leave nothing, an unknown name, a damaged file.
        FileNotFoundError: no such folder or file, or no network to download from.
    """
    if min(guide, test) <= 0 or guide + test >= 1:
        raise ValueError(f"guide={guide}, test={test}; allowed are shares above 0, together below 1")
    if size < 8 or count < 0:
        raise ValueError(f"size={size}, count={count}; allowed are size ≥ 8 and count ≥ 0")
    kept, judged = _read(data, size, count, Path(root).expanduser(), channels)
    if judged is None:
        kept, judged = _part(kept, test, seed, "test")
        guide = guide / (1 - test)
    kept = kept.first(count)
    train, guiding = _part(kept, guide, seed, "guide")
    parts = {"train": train, "guide": guiding, "test": judged}
    classes = {name: part.classes for name, part in parts.items() if part.classes is not None}
    return Pictures(*(part.images for part in parts.values()), classes=classes)


# ---- parts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Some:
    """Images, and the class of each where there are classes."""

    images: Images
    classes: Tensor | None = None

    def __getitem__(self, places: Tensor) -> _Some:
        return _Some(self.images[places], None if self.classes is None else self.classes[places])

    def first(self, count: int) -> _Some:
        """At most so many; spread over all of them, so that no class is left out."""
        if not 0 < count < len(self.images):
            return self
        return self[torch.linspace(0, len(self.images) - 1, count).round().long()]


def _part(some: _Some, share: float, seed: int, purpose: str) -> tuple[_Some, _Some]:
    """What is kept, and what is set apart for a purpose."""
    total = len(some.images)
    if some.classes is None:
        away = round(share * total)
        held = torch.arange(total) >= total - away
    else:
        held = torch.zeros(total, dtype=torch.bool)
        for number in some.classes.unique().tolist():
            members = (some.classes == number).nonzero()[:, 0]
            order = torch.randperm(len(members), generator=generator("pictures", purpose, number, seed))
            held[members[order[: round(share * len(members))]]] = True
    if not 0 < int(held.sum()) < total:
        raise ValueError(f"{total} pictures: a share of {share:.3g} for {purpose} leaves one side empty")
    return some[(~held).nonzero()[:, 0]], some[held.nonzero()[:, 0]]


# ---- readers ---------------------------------------------------------------------------------------------------


def _read(data: str, size: int, count: int, root: Path, channels: int) -> tuple[_Some, _Some | None]:
    """All pictures of a source; its own test part apart, where it has one."""
    if data == DIGITS:
        return _digits(size), None
    if data == particles.RENDERED:
        return _Some(particles.load(data, size)), None
    if data == "cifar10":
        return _cifar10(_downloaded_cifar10(root), size)
    if data == "celeba":
        train, valid, test = (_torchvision("CelebA", part, root, size, count) for part in ("train", "valid", "test"))
        return _joined(train, valid), test
    if data == "lsun":
        return _torchvision("LSUN", ["bedroom_train"], root, size, count), None
    path = Path(data).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"data {data!r}: no such folder or file, and none of {', '.join(NAMED)}")
    if path.is_dir() and any((path / name).is_file() for name in BATCHES):
        return _cifar10(path, size)
    if path.suffix == ".npz":
        return _npz(path, size, channels)
    return _Some(read_images(path, size, channels=channels)), None


def _digits(size: int) -> _Some:
    """1,797 written digits, 8×8 in 17 grey levels, enlarged (Alpaydin & Kaynak 1998)."""
    from sklearn.datasets import load_digits

    found = load_digits()
    grey = torch.from_numpy(found.images).float()[:, None] / 8 - 1
    return _Some(_named(_resized(grey, size), DIGITS), torch.from_numpy(found.target).long())


def _npz(path: Path, size: int, channels: int) -> tuple[_Some, _Some | None]:
    with np.load(path, allow_pickle=False) as stored:
        names = set(stored.files)
        classes = {name: torch.from_numpy(stored[name]).long() for name in ("y_train", "y_test") if name in names}
    if "x_train" not in names:
        return _Some(read_images(path, size, channels=channels)), None
    train = _Some(read_images(path, size, channels=channels, array="x_train"), classes.get("y_train"))
    if "x_test" not in names:
        return train, None
    return train, _Some(read_images(path, size, channels=channels, array="x_test"), classes.get("y_test"))


def _torchvision(kind: str, part: Any, root: Path, size: int, count: int) -> _Some:
    """Pictures of a torchvision data set, the middle square of each; at most `count` of them are read."""
    from torchvision import datasets
    from torchvision.transforms import functional as turn

    more = {"classes": part} if kind == "LSUN" else {"split": part, "download": True}
    try:
        found = getattr(datasets, kind)(root, **more)
    except (RuntimeError, OSError, ImportError) as fault:
        raise FileNotFoundError(
            f"{kind} is not in {str(root)!r} and could not be had ({fault}); put torchvision's files there, or name a "
            f"folder of images instead"
        ) from fault
    places = torch.linspace(0, len(found) - 1, min(count or len(found), len(found))).round().long().unique()
    rows = []
    for place in places.tolist():
        picture = found[place][0].convert("RGB")
        square = turn.center_crop(picture, min(picture.size))
        rows.append(turn.to_tensor(turn.resize(square, [size, size])) * 2 - 1)
    return _Some(_named(torch.stack(rows), kind.lower()))


def _downloaded_cifar10(root: Path) -> Path:
    """The folder of CIFAR-10's batch files below `root`; torchvision downloads them and checks their sums."""
    folder = root / "cifar-10-batches-py"
    if all((folder / name).is_file() for name in BATCHES):
        return folder
    from torchvision.datasets import CIFAR10

    try:
        CIFAR10(root, download=True)
    except (RuntimeError, OSError) as fault:
        raise FileNotFoundError(
            f"cifar10 is not in {str(folder)!r} and could not be downloaded ({fault}); put its batch files there, or "
            f"name another folder or an .npz"
        ) from fault
    return folder


# ---- CIFAR-10's own files --------------------------------------------------------------------------------------


def _cifar10(folder: Path, size: int) -> tuple[_Some, _Some]:
    """CIFAR-10 from its official Python batch files (Krizhevsky 2009); fewer training batches are taken as they are."""
    there = [name for name in BATCHES if (folder / name).is_file()]
    if "test_batch" not in there or len(there) < 2:
        raise FileNotFoundError(f"{folder.name} holds {', '.join(there)}; wanted: test_batch and a data_batch_…")
    parts = [_batch(folder / name, size) for name in there]
    return _joined(*parts[:-1]), parts[-1]


def _batch(path: Path, size: int) -> _Some:
    try:
        held = read_plain_pickle(path)
        values, labels = held[b"data"], held[b"labels"]
    except (KeyError, TypeError) as fault:
        raise ValueError(f"{path.name}: not a batch of CIFAR-10, it has no {fault}") from fault
    ok = isinstance(values, np.ndarray) and values.dtype == np.uint8 and values.shape == (len(labels), 3072)
    if not ok or not all(isinstance(label, int) and 0 <= label < 10 for label in labels):
        raise ValueError(f"{path.name}: wanted are [N, 3072] bytes and N labels from 0 to 9")
    pixels = torch.from_numpy(values.reshape(-1, 3, 32, 32).copy()).float() / 127.5 - 1
    return _Some(_named(_resized(pixels, size), path.name), torch.tensor(labels))


class _Plain(pickle.Unpickler):
    """Reads containers, numbers, bytes and NumPy arrays, and makes nothing else: a pickle can run any code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return _plain_dtype
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return _empty_array
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        raise pickle.UnpicklingError(f"it asks for {module}.{name}; allowed are plain containers and NumPy arrays")


def read_plain_pickle(path: Path) -> Any:
    """Read a Python pickle that holds nothing but plain containers, numbers, bytes and NumPy arrays.

    Raises:
        ValueError: it asks for anything else, which is not made, or is damaged.
    """
    try:
        return _Plain(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, AttributeError, TypeError) as fault:
        raise ValueError(f"{path.name} is no plain pickle, or damaged: {fault}") from fault


def _empty_array(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray:
    if kind is not np.ndarray or shape != (0,):
        raise pickle.UnpicklingError("an array of another kind, or not empty to begin with")
    return np.empty(shape, dtype=np.uint8)


def _plain_dtype(code: str | bytes, *flags: Any) -> np.dtype:
    text = code.decode() if isinstance(code, bytes) else code
    if np.dtype(text).kind not in "biuf":
        raise pickle.UnpicklingError(f"an array of {text!r}; allowed are numbers")
    return np.dtype(text, *flags)


def _latin1(text: str, coding: str | bytes = "latin1") -> bytes:
    """How Python 3 writes bytes in an old protocol."""
    if coding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"bytes in the coding {coding!r}")
    return text.encode("latin1")


# ---- tensors ---------------------------------------------------------------------------------------------------


def _resized(pixels: Tensor, size: int) -> Tensor:
    """Bicubic with antialiasing, kept within [-1, 1]."""
    if pixels.shape[-1] == size:
        return pixels
    return F.interpolate(pixels, (size, size), mode="bicubic", antialias=True).clamp(-1, 1)


def _named(pixels: Tensor, source: str) -> Images:
    return Images(pixels, tuple(f"{source}[{i}]" for i in range(len(pixels))), source)


def _joined(*parts: _Some) -> _Some:
    if not parts:
        raise NoUsableImages("no part to read pictures from")
    images: Sequence[Images] = [part.images for part in parts]
    names = tuple(name for image in images for name in image.names)
    pixels = torch.cat([image.pixels for image in images])
    classes = [part.classes for part in parts if part.classes is not None]
    return _Some(Images(pixels, names, images[0].source), torch.cat(classes) if classes else None)
