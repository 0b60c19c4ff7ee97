"""The paths of runs, without opening any: light enough for the command line."""

from __future__ import annotations

import os
from pathlib import Path

from gannb.config.presets import HOME

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
"""One folder per experiment; the claims of its document are its `claims.yaml`."""


def claims_file(document: str) -> Path:
    """The claims of a document; the file may not exist."""
    return EXPERIMENTS / document / "claims.yaml"


def documents() -> list[str]:
    """The names of all documents that have claims."""
    return sorted(path.parent.name for path in EXPERIMENTS.glob("*/claims.yaml"))


def home(runs: str = "") -> Path:
    """Where run folders go: as given, else $GANNB_RUNS, else `runs/` beside the notebooks."""
    given = runs or os.environ.get("GANNB_RUNS", "")
    return Path(given).expanduser().resolve() if given else HOME / "runs"


def folders(runs: str = "", name: str = "*") -> list[Path]:
    """The run folders there (of one experiment, or of all), oldest first."""
    found = [path.parent for path in home(runs).glob("*/*/params.yaml") if name in ("*", path.parent.parent.name)]
    return sorted(found, key=lambda folder: (folder.name, folder.parent.name))


def find(wanted: str, runs: str = "", name: str = "*") -> Path:
    """Find a run folder.

    Args:
        wanted: its path, its name, or `last` for the newest.
        runs: where run folders are; see `home`.
        name: of the experiment.

    Raises:
        FileNotFoundError: there is none.
    """
    there = folders(runs, name)
    if wanted == "last" and there:
        return there[-1]
    path = Path(wanted).expanduser()
    named = [folder for folder in there if folder.name == wanted]
    for folder in [path, *named]:
        if (folder / "params.yaml").is_file():
            return folder.resolve()
    raise FileNotFoundError(
        f"no run folder {wanted!r}, neither as a path nor in {home(runs)} ({len(there)} runs there)"
    )
