"""Writes that are whole or not there: aside, fsync, rename; or appended and, where the disk is full, taken back."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from gannb.config.yaml_files import dump_yaml
from gannb.runs.leftovers import hidden


class WriteError(OSError):
    """A file that could not be written; it is as it was before."""

    def __str__(self) -> str:
        return str(self.strerror)

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@contextmanager
def writing(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """A hidden file to write to, which takes its place as a whole: readers see the old content or the new.

    Args:
        path: the file; its folder is made if needed.
        sync: have it on disk before returning; off for what is written often and worth little.

    Raises:
        WriteError: it could not be written, such as on a full disk; the file is as it was before.
    """
    aside = hidden(path.parent, path.name, ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        aside.replace(path)
    except BaseException as error:
        with suppress(OSError):  # of a vanished folder
            aside.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        message = f"could not write {path} ({error.strerror or error}); the file before it is untouched"
        raise WriteError(error.errno, message) from error
    if sync:
        sync_folder(path.parent)


def write_bytes(path: Path, content: bytes, *, sync: bool = True) -> Path:
    """Write a file atomically, in a folder that is made if needed.

    Args:
        path: the file.
        content: all of it.
        sync: as `writing` takes it.
    """
    with writing(path, sync=sync) as file:
        file.write(content)
    return path


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut, where the system allows it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_with(path: Path, save: Callable[[BinaryIO], object]) -> Path:
    """Write atomically what another library saves into a file: `write_with(path, lambda file: np.savez(file, …))`."""
    with writing(path) as file:
        save(file)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text atomically."""
    return write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> Path:
    """Write JSON atomically, for people to read too."""
    return write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def write_yaml(path: Path, value: Any) -> Path:
    """Write YAML atomically, keys in their order."""
    return write_bytes(path, dump_yaml(value).encode())


def append(path: Path, text: str, *, sync: bool = False) -> None:
    """Append to a file that is there, whole or not at all.

    Args:
        path: the file.
        text: whole lines.
        sync: have it on disk before returning, as a log written ahead needs.

    Raises:
        FileNotFoundError: the file is gone; it is not made anew, because what it held would be missing.
        WriteError: it could not be written, such as on a full disk; the file is as it was before.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        before, content, done = os.fstat(handle).st_size, text.encode(), 0
        try:
            while done < len(content):
                done += os.write(handle, content[done:])
            if sync:
                os.fsync(handle)
        except OSError as error:
            os.ftruncate(handle, before)
            message = f"could not add to {path} ({error.strerror}); it is as before"
            raise WriteError(error.errno, message) from error
    finally:
        os.close(handle)


def drop_torn_line(path: Path) -> None:
    """Take away a last line that a kill cut short, so that the next one starts on its own."""
    with path.open("rb+") as file:
        if not file.seek(0, os.SEEK_END):
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            whole = content.rfind(b"\n") + 1
        file.truncate(whole)


def rows_from_end(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a JSON-lines file from the last whole one to the first, each with the offset of its start.

    Raises:
        ValueError: a damaged row.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = content.rfind(b"\n")
        while end >= 0:
            start = content.rfind(b"\n", 0, end) + 1
            try:
                yield start, json.loads(content[start:end])
            except ValueError as error:
                raise ValueError(f"{path.name}: a line near the end is damaged ({error})") from error
            end = start - 1


def cut_rows(path: Path, unwanted: Callable[[dict[str, Any]], bool]) -> None:
    """Cut a JSON-lines file before the first of the last rows that are all unwanted."""
    ends = path.stat().st_size
    for start, row in rows_from_end(path):
        if not unwanted(row):
            break
        ends = start
    os.truncate(path, ends)


def read_blocks(path: Path, size: int = 1 << 22) -> Iterator[list[dict[str, Any]]]:
    """The rows of a JSON-lines file in blocks of about `size` bytes; a last line cut short by a kill is left out.

    Raises:
        ValueError: a damaged line before the last one, or one that is no row.
    """
    if not path.is_file():
        return
    number = 0
    with path.open("rb") as file:
        while block := file.read(size) + file.readline():
            whole = block[: block.rfind(b"\n") + 1]
            try:
                rows = json.loads(b"[" + whole[:-1].replace(b"\n", b",") + b"]")
            except ValueError:  # to name the line
                rows = [_row(line, path.name, number + i) for i, line in enumerate(whole.splitlines(), 1)]
            if strange := [i for i, row in enumerate(rows, 1) if not isinstance(row, dict)]:
                raise ValueError(f"{path.name}: line {number + strange[0]} is damaged (no row)")
            number += len(rows)
            yield rows


def _row(line: bytes, name: str, number: int) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"{name}: line {number} is damaged ({getattr(error, 'msg', error)})") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All rows of a JSON-lines file, as `read_blocks`."""
    return [row for block in read_blocks(path) for row in block]
