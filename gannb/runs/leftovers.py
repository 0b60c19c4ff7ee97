"""Hidden files of a running process, and the removal of those that killed ones left behind."""

from __future__ import annotations

import glob
import os
import platform
import re
import shutil
from pathlib import Path

import psutil


def hidden(folder: Path, name: str, ending: str = "") -> Path:
    """A hidden path that only this process uses: it names machine and process.

    Args:
        folder: of the path.
        name: of what will be there.
        ending: of the file.
    """
    return folder / f".{name}@{platform.node()}@{os.getpid()}{ending}"


def clean(folder: Path) -> None:
    """Remove hidden files and folders of this machine's processes that have ended."""
    for path in folder.glob(f".*@{glob.escape(platform.node())}@*"):
        process = re.search(r"@(\d+)[^@]*$", path.name)
        if process and not psutil.pid_exists(int(process[1])):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def clean_run(folder: Path) -> None:
    """Remove half-written files of a run folder whose lock this process holds, whoever wrote them."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)
