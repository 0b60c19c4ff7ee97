"""The one reader of `.npz` files: every array is checked by name, shape, type, size and values before it is used."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

NUMBERS, ANY = "biuf", "biufcmMSUV"
INFLATED = 1032  # bytes that one byte can grow to in the compression of NumPy's files


class ArrayError(ValueError):
    """A file of arrays, or one array in it, cannot be used; the message names both and says why."""


class Arrays:
    """The arrays of an `.npz` file by name; their headers are read and checked first, values only by `read`.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: no such file.
        ArrayError: no readable `.npz` file, or a header that does not fit what follows it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        if not self.path.is_file():
            raise FileNotFoundError(f"no file {str(path)!r}")
        with self.path.open("rb") as file:
            if file.read(6) == b"\x93NUMPY":
                raise ArrayError(f"{self.path.name} is a single array; save it by name: np.savez(path, name=array)")
        try:
            with zipfile.ZipFile(self.path) as archive:
                self.headers = {
                    member.filename.removesuffix(".npy"): self._header(archive, member)
                    for member in archive.infolist()
                    if member.filename.endswith(".npy")
                }
        except ArrayError:
            raise
        except Exception as fault:  # a damaged archive raises nearly anything
            raise ArrayError(f"{self.path.name} is no readable .npz file ({fault}); write it with np.savez") from fault

    def __contains__(self, name: str) -> bool:
        return name in self.headers

    def __str__(self) -> str:
        return ", ".join(f"{name} {list(shape)} {dtype}" for name, (shape, dtype) in self.headers.items()) or "nothing"

    def read(self, name: str, kinds: str = NUMBERS, *, finite: bool = True) -> np.ndarray:
        """Read one array, of any shape.

        Args:
            name: of the array.
            kinds: NumPy's letters of the types that are allowed: real numbers by default.
            finite: refuse NaN and infinity.

        Raises:
            ArrayError: no such array, another type, NaN or infinity, or damage.
        """
        if name not in self:
            raise ArrayError(f"{self.path.name} has no array {name!r}; it holds {self}")
        if (dtype := self.headers[name][1]).hasobject:
            raise ArrayError(
                f"{self.path.name}: {name} holds Python objects; write numbers, not objects, with np.savez"
            )
        if dtype.kind not in kinds:
            needed = "real numbers" if kinds == NUMBERS else "numbers or text"
            raise ArrayError(f"{self.path.name}: {name} holds {dtype}; {needed} are needed")
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                values = stored[name]
        except Exception as fault:  # as above
            raise ArrayError(f"{self.path.name}: {name} cannot be read ({fault or type(fault).__name__})") from fault
        if finite and values.dtype.kind == "f" and len(bad := np.argwhere(~np.isfinite(np.atleast_1d(values)))):
            where = f"{len(bad)} of {values.size} values, first at {bad[0].tolist()}"
            raise ArrayError(f"{self.path.name}: {name} holds NaN or infinity ({where})")
        return values

    def classes(self, name: str, count: int) -> Tensor:
        """Read class numbers `[N]` (or `[N, 1]`, as Keras stores them) as int64.

        Args:
            name: of the array.
            count: N, how many there have to be.

        Raises:
            ArrayError: text, one-hot vectors, numbers that are not whole or below 0, another count.
        """
        values, where = self.read(name), f"{self.path.name}: {name}"
        if values.ndim == 2 and values.shape[1] > 1:
            raise ArrayError(f"{where} has shape {list(values.shape)}; class numbers [N] are needed, as of argmax(1)")
        if values.ndim not in (1, 2) or values.size != count:
            raise ArrayError(f"{where} has shape {list(values.shape)}; needed is one class for each of {count} images")
        if (values < 0).any() or (values != np.floor(values)).any() or (values > 2**31).any():
            raise ArrayError(f"{where} holds {values.min():g} … {values.max():g}; classes are whole numbers from 0")
        return torch.from_numpy(values.reshape(-1).astype(np.int64))

    def _header(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
        where = f"{self.path.name}: {member.filename.removesuffix('.npy')}"
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            start = file.tell()
        if dtype.hasobject:
            return shape, dtype
        needed, there = math.prod(shape) * dtype.itemsize, member.file_size - start
        if needed != there or member.file_size > INFLATED * (member.compress_size + 64):
            raise ArrayError(f"{where} says that it is {list(shape)} {dtype} ({needed} bytes); {there} bytes follow")
        return shape, dtype
