"""The classes of a folder's images: by its subfolders, or by a CSV of file names and classes."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor


def of_names(names: Sequence[str], table: str | Path = "") -> tuple[Tensor, tuple[str, ...]]:
    """Class numbers `[N]` of images, and the classes' names in order (numbers as numbers).

    Args:
        names: of the images, as their reader gives them.
        table: a CSV of two columns, file name and class, with a header or without; by default an image's class is the
            subfolder that it lies in.

    Raises:
        ValueError: images without a class, or a CSV that cannot be read so.
    """
    classes = _by_table(names, Path(table).expanduser()) if table else _by_folder(names)
    known = sorted(set(classes), key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name))
    return torch.tensor([known.index(name) for name in classes]), tuple(known)


def check(classes: Tensor, names: Sequence[str]) -> None:
    """Check that there is something to tell apart.

    Args:
        classes: numbers `[N]` of the training images.
        names: of the classes.

    Raises:
        ValueError: fewer than two classes, or a class without a training image.
    """
    if len(names) < 2:
        raise ValueError(f"conditional: all images are of one class ({', '.join(names)}); at least 2 are needed")
    counts = torch.bincount(classes, minlength=len(names))
    if empty := [name for name, count in zip(names, counts.tolist()) if not count]:
        raise ValueError(f"conditional: no training image of class {', '.join(empty)}; each class needs one")


def _by_folder(names: Sequence[str]) -> list[str]:
    if lost := [name for name in names if "/" not in name]:
        raise ValueError(
            f"conditional: {len(lost)} of {len(names)} images lie in no subfolder, such as {lost[0]}; "
            f"put each class into a subfolder of its own, or name a CSV (file name, class) with `labels`"
        )
    return [name.partition("/")[0] for name in names]


def _by_table(names: Sequence[str], path: Path) -> list[str]:
    given: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for number, row in enumerate(csv.reader(file), 1):
            if row and (len(row) != 2 or not all(cell.strip() for cell in row)):
                raise ValueError(f"{path.name}: row {number} is {row}; two columns are needed: file name, class")
            if row and given.setdefault(row[0].strip(), row[1].strip()) != row[1].strip():
                raise ValueError(f"{path.name}: row {number} gives {row[0]} a second class, {row[1]}")
    files = [re.sub(r"\[\d+\]$", "", name) for name in names]  # a page has the class of its file
    if lost := [name for name in files if name not in given]:
        raise ValueError(f"{path.name}: no class for {len(lost)} of {len(names)} images, such as {lost[0]}")
    return [given[name] for name in files]
