"""The one reader of `.npz` files: every array is checked by name, shape, type, size and values before it is used."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

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
        self.check(name, kinds)
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                values = stored[name]
        except Exception as fault:  # as above
            raise ArrayError(f"{self.path.name}: {name} cannot be read ({fault or type(fault).__name__})") from fault
        if finite and values.dtype.kind == "f" and len(bad := np.argwhere(~np.isfinite(np.atleast_1d(values)))):
            where = f"{len(bad)} of {values.size} values, first at {bad[0].tolist()}"
            raise ArrayError(f"{self.path.name}: {name} holds NaN or infinity ({where})")
        return values

    def check(self, name: str, kinds: str = NUMBERS) -> None:
        """Check the type of one array by its header.

        Raises:
            ArrayError: no such array, or another type than `kinds`.
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

    def rows(self, name: str, count: int, kinds: str = NUMBERS) -> Iterator[np.ndarray]:
        """Read one array `[N, …]` in blocks of rows, in the memory of a block (of all, where it is in Fortran order).

        Args:
            name: of the array.
            count: rows per block; the last block may have fewer.
            kinds: as `read` takes them.

        Raises:
            ArrayError: no such array, another type, NaN or infinity, or damage.
        """
        self.check(name, kinds)
        shape, dtype = self.headers[name]
        done = 0
        for block in self._blocks(name, count, shape, dtype):
            if block.dtype.kind == "f" and len(bad := np.argwhere(~np.isfinite(block))):
                first = [done + int(bad[0][0]), *map(int, bad[0][1:])]
                raise ArrayError(f"{self.path.name}: {name} holds NaN or infinity (first at {first})")
            yield block
            done += len(block)

    def _blocks(self, name: str, count: int, shape: tuple[int, ...], dtype: np.dtype) -> Iterator[np.ndarray]:
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(f"{name}.npy") as file:
                if _read_header(file)[1]:
                    whole = self.read(name, ANY, finite=False)
                    yield from (whole[i : i + count] for i in range(0, len(whole), count))
                    return
                size = math.prod(shape[1:]) * dtype.itemsize
                for start in range(0, shape[0], count):
                    n = min(count, shape[0] - start)
                    yield np.frombuffer(file.read(n * size), dtype).reshape(n, *shape[1:])
        except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as fault:
            raise ArrayError(f"{self.path.name}: {name} cannot be read ({fault})") from fault

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
            shape, _, dtype = _read_header(file)
            start = file.tell()
        if dtype.hasobject:
            return shape, dtype
        needed, there = math.prod(shape) * dtype.itemsize, member.file_size - start
        if needed != there or member.file_size > INFLATED * (member.compress_size + 64):
            raise ArrayError(f"{where} says that it is {list(shape)} {dtype} ({needed} bytes); {there} bytes follow")
        return shape, dtype


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape of an array, whether it is in Fortran order, and its type; what follows are its values."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)
