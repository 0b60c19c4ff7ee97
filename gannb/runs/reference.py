"""Trained numbers beside a stored reference: how nbval compares an executed notebook without comparing noise.

Training is not bit-equal on another machine's instruction set. So trained results are shown in full as HTML; their
plain text, which nbval compares, says only whether they are as in the reference, within a tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gannb.config.presets import HOME
from gannb.config.yaml_files import read_yaml
from gannb.runs.files import write_yaml
from gannb.runs.folder import Run

FOLDER = HOME / "tests" / "notebooks" / "references"


class Trained:
    """A trained result, shown in full as HTML and as a comparison as text.

    Args:
        shown: the object to show as HTML.
        run: its parameters select the reference.
        values: trained numbers by name; by default those of `shown` itself, where it is a `Scores`.
        within: relative tolerance.
    """

    def __init__(self, shown: Any, run: Run, values: Mapping[str, Any] | None = None, *, within: float = 0.5) -> None:
        self.shown, self.run, self.within = shown, run, within
        source = values if values is not None else shown if isinstance(shown, Mapping) else {}
        self.values = {name: float(v) for name, v in source.items() if getattr(v, "available", True)}
        self.measured = run.path("trained.yaml")
        if run.writes:
            before = read_yaml(self.measured) if self.measured.exists() else {}
            write_yaml(self.measured, before | {n: float(f"{v:.4g}") for n, v in self.values.items()})

    def __repr__(self) -> str:
        stored = references(self.run)
        if stored is None:
            return f"{type(self.shown).__name__.lower()}: no reference for parameters {self.run.params.hash}"
        return "\n".join(self._compare(name, value, stored) for name, value in self.values.items())

    def _repr_html_(self) -> str:
        show = getattr(self.shown, "_repr_html_", None)
        return show() if show else f"<pre>{self.shown}</pre>"

    def _compare(self, name: str, value: float, stored: Mapping[str, float]) -> str:
        if name not in stored:
            return f"{name}: not in the reference"
        target = stored[name]
        if math.isfinite(value) and abs(value - target) <= self.within * abs(target):
            return f"{name}: as in the reference, within {self.within:.0%}"
        return f"{name}: {value:.4g}, the reference is {target:.4g} (within {self.within:.0%} is allowed)"


def references(run: Run) -> dict[str, float] | None:
    """The stored numbers of a run with the same parameters; None where there are none."""
    path = FOLDER / f"{run.params.name}.yaml"
    if not path.is_file():
        return None
    stored = read_yaml(path)
    return stored["values"] if stored["params_hash"] == run.params.hash else None


def store(run_folder: Path, name: str, params_hash: str) -> Path:
    """Make a finished run's trained numbers the reference of its experiment.

    Args:
        run_folder: of the finished run.
        name: of the experiment.
        params_hash: the hash of its parameters.
    """
    values = read_yaml(run_folder / "trained.yaml")
    return write_yaml(FOLDER / f"{name}.yaml", {"params_hash": params_hash, "values": values})
