"""`gannb lab`: the notebooks in JupyterLab, in a checkout or in a folder of the reader's."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from gannb.config import presets
from gannb.runs.checks import writable_folder
from gannb.runs.locations import path_of

FOLDERS = ("notebooks", "params", "results", "docs")
DEFAULT = "gannb-notebooks"


def add_parser(commands: Any) -> None:
    """Add `lab` to the command line."""
    lab = commands.add_parser("lab", help="open the notebooks in JupyterLab")
    lab.add_argument(
        "folder", metavar="FOLDER", nargs="?", help=f"copy them there first (a checkout needs none; else: {DEFAULT}/)"
    )
    lab.add_argument("--no-open", action="store_true", help="copy them, and do not start JupyterLab")
    lab.add_argument("--jupyter", metavar="OPTIONS", default="", help='more options, as --jupyter="--ip=0.0.0.0"')


def main(args: argparse.Namespace) -> int:
    """Copy the notebooks where that is needed, start JupyterLab, and return its exit code.

    Raises:
        BadInput: nothing can be written to the folder.
    """
    home = presets.HOME
    if args.folder or home == presets.SHIPPED:
        home = writable_folder(path_of(args.folder or DEFAULT, "folder"), "folder").resolve()
        copied, kept = copy(presets.HOME, home)
        print(f"notebooks: {home / 'notebooks'} ({copied} files copied, {kept} there already and left as they are)")
    if args.no_open:
        return 0
    as_root = ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", *as_root, *shlex.split(args.jupyter), str(home / "notebooks")]
    return subprocess.run(command, cwd=home, check=False).returncode


def copy(source: Path, target: Path) -> tuple[int, int]:
    """Copy what the notebooks need; a file that is there already is never changed.

    Returns:
        How many files were copied, and how many were there.
    """
    copied = kept = 0
    for file in (file for name in FOLDERS for file in sorted((source / name).rglob("*")) if file.is_file()):
        place = target / file.relative_to(source)
        if place.exists():
            kept += 1
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        copied += 1
    return copied, kept
