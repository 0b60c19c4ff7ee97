"""The paths of runs, without opening any: light enough for the command line."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path

from gannb.config import presets
from gannb.config.faults import NotFound
from gannb.control.echo import shown

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
"""One folder per experiment; the claims of its document are its `claims.yaml`."""


def claims_file(document: str) -> Path:
    """The claims of a document; the file may not exist."""
    return EXPERIMENTS / document / "claims.yaml"


def documents() -> list[str]:
    """The names of all documents that have claims."""
    return sorted(path.parent.name for path in EXPERIMENTS.glob("*/claims.yaml"))


def is_name(text: object) -> bool:
    """Whether something is the plain name of a file or folder, and no path."""
    return isinstance(text, str) and text not in ("", ".", "..") and not re.search(r"[/\\\0]", text)


def home(runs: str = "") -> Path:
    """Where run folders go: as given, else $GANNB_RUNS, else `runs/` beside the notebooks (a wheel's: here)."""
    given = runs or os.environ.get("GANNB_RUNS", "")
    if given:
        return path_of(given, "runs").resolve()
    return (Path.cwd() if presets.HOME == presets.SHIPPED else presets.HOME) / "runs"


def folders(runs: str = "", name: str = "*") -> list[Path]:
    """The run folders there (of one experiment, or of all), oldest first."""
    found = [path.parent for path in home(runs).glob("*/*/params.yaml") if fnmatchcase(path.parent.parent.name, name)]
    found = [folder for folder in found if not folder.name.startswith(".")]  # still being prepared
    return sorted(found, key=lambda folder: (folder.name, folder.parent.name))


def among(named: str, runs: str = "") -> list[Path]:
    """The runs of an experiment by its name, or those in a folder (its run folders, or those of its experiments)."""
    place = path_of(named, "runs")
    if not place.is_dir():
        return folders(runs, named)
    return sorted(path.parent for depth in ("*", "*/*") for path in place.glob(f"{depth}/params.yaml"))


def path_of(text: str, given_by: str) -> Path:
    """A path as a person writes it, with ~ for the home folder.

    Args:
        text: the path.
        given_by: the option or parameter, for the message.

    Raises:
        NotFound: no system knows such a path: too long, with a NUL character, or of an unknown user.
    """
    try:
        path = Path(text).expanduser()
        path.exists()
        if "\0" in text:
            raise ValueError("a NUL character")
    except (OSError, ValueError, RuntimeError) as error:
        raise NotFound(f"{given_by}: {shown(text)} is no path ({getattr(error, 'strerror', None) or error})") from error
    return path


def find(wanted: str, runs: str = "", name: str = "*") -> Path:
    """Find a run folder.

    Args:
        wanted: its path, its name, or `last` for the newest.
        runs: where run folders are; see `home`.
        name: of the experiment.

    Raises:
        NotFound: there is none.
    """
    there = folders(runs, name)
    if wanted == "last" and there:
        return there[-1]
    path = path_of(wanted, "run")
    named = [folder for folder in there if folder.name == wanted]
    for folder in [path, *named]:
        if (folder / "params.yaml").is_file():
            return folder.resolve()
    raise NotFound(f"no run folder {shown(wanted)}, neither as a path nor in {home(runs)} ({len(there)} runs there)")
