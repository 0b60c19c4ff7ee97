"""A folder that a command writes: there as a whole or not at all, and never in place of a stranger's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gannb.config.faults import BadInput
from gannb.control.echo import shown
from gannb.runs import files, leftovers
from gannb.runs.checks import writable_folder

MARK = "gannb.json"
"""The file by which a folder of ours is known: what it was written from."""


def check(out: Path, overwrite: bool, flag: str = "--out") -> None:
    """Check that a folder is new or empty, or one of ours that may be replaced.

    Args:
        out: the folder.
        overwrite: whether one of ours may be replaced.
        flag: what named the folder, for the message.

    Raises:
        BadInput: it cannot be written, or holds something.
    """
    if out.exists() and not out.is_dir():
        raise BadInput(f"{flag}: {shown(str(out))} is a file; name a folder")
    ours = (out / MARK).is_file()
    if out.is_dir() and any(out.iterdir()) and not (overwrite and ours):
        way = "add --overwrite" if ours else f"empty it (it has no {MARK}, so gannb did not write it)"
        raise BadInput(f"{flag}: {shown(str(out))} is not empty; name another folder, or {way}")
    writable_folder(out.absolute().parent, flag)


@contextmanager
def writing(out: Path, origin: dict[str, Any]) -> Iterator[Path]:
    """A hidden folder to write to, which takes the place of `out` when everything is written.

    Args:
        out: the folder, checked.
        origin: what it is written from, as JSON values.
    """
    out = out.absolute()
    leftovers.clean(out.parent)
    aside, old = leftovers.hidden(out.parent, out.name), leftovers.hidden(out.parent, out.name, ".old")
    aside.mkdir()
    try:
        yield aside
        files.write_json(aside / MARK, origin)
        if out.exists():
            out.rename(old)
        try:
            aside.rename(out)
        except OSError:  # what was there stays there
            if old.exists():
                old.rename(out)
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
