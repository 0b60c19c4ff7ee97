"""Trained numbers beside a stored reference: how nbval compares an executed notebook without comparing noise.

Training is not bit-equal on another machine's instruction set. So trained results are shown in full as HTML; their
plain text, which nbval compares, says only whether they are as in the reference, within a tolerance. Fingerprints of
weights are compared exactly, on the kind of machine that the reference comes from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gannb.config.presets import HOME
from gannb.config.yaml_files import read_yaml
from gannb.runs import environment
from gannb.runs.files import write_yaml
from gannb.runs.folder import Run

FOLDER = HOME / "tests" / "notebooks" / "references"
KIND = (*environment.COMPARED, "processor", "family")
"""What must be equal for a fingerprint to be equal."""


class Trained:
    """A trained result, shown in full as HTML and as a comparison as text.

    Args:
        shown: the object to show as HTML.
        run: its parameters select the reference.
        values: trained numbers by name; by default those of `shown` itself, where it is a `Scores`. A text is a
            fingerprint.
        within: relative tolerance of the numbers.
    """

    def __init__(self, shown: Any, run: Run, values: Mapping[str, Any] | None = None, *, within: float = 0.5) -> None:
        self.shown, self.run, self.within = shown, run, within
        source = values if values is not None else shown if isinstance(shown, Mapping) else {}
        found = {name: v for name, v in source.items() if getattr(v, "available", True)}
        self.values = {name: v if isinstance(v, str) else float(v) for name, v in found.items()}
        self.measured = run.path("trained.yaml")
        if run.writes:
            before = read_yaml(self.measured) if self.measured.exists() else {}
            write_yaml(self.measured, before | {n: _kept(v) for n, v in self.values.items()})

    def __repr__(self) -> str:
        reference = references(self.run)
        if reference is None:
            return f"{type(self.shown).__name__.lower()}: no reference for parameters {self.run.params.hash}"
        here = environment.describe(self.run.device)
        same = {key: here[key] for key in KIND} == reference.get("machine")
        return "\n".join(self._compare(name, value, reference["values"], same) for name, value in self.values.items())

    def _repr_html_(self) -> str:
        show = getattr(self.shown, "_repr_html_", None)
        return show() if show else f"<pre>{self.shown}</pre>"

    def _compare(self, name: str, value: float | str, stored: Mapping[str, Any], same_machine: bool) -> str:
        if name not in stored:
            return f"{name}: not in the reference"
        target = stored[name]
        if isinstance(value, str):
            if same_machine and value != target:
                return f"{name}: {value}, the reference is {target}, from the same kind of machine"
            return f"{name}: as in the reference, exactly on its kind of machine"
        if math.isfinite(value) and abs(value - target) <= self.within * abs(target):
            return f"{name}: as in the reference, within {self.within:.0%}"
        return f"{name}: {value:.4g}, the reference is {target:.4g} (within {self.within:.0%} is allowed)"


def _kept(value: float | str) -> float | str:
    return value if isinstance(value, str) else float(f"{value:.4g}")


def references(run: Run) -> dict[str, Any] | None:
    """What is stored of a run with the same parameters: `values`, and its `machine`; None where there is nothing."""
    path = FOLDER / f"{run.params.name}.yaml"
    if not path.is_file():
        return None
    stored = read_yaml(path)
    return stored if stored["params_hash"] == run.params.hash else None


def store(run_folder: Path, name: str, params_hash: str) -> Path:
    """Make a finished run's trained numbers the reference of its experiment.

    Args:
        run_folder: of the finished run.
        name: of the experiment.
        params_hash: the hash of its parameters.
    """
    values = read_yaml(run_folder / "trained.yaml")
    there = json.loads((run_folder / "environment.json").read_text(encoding="utf-8"))
    machine = {"machine": {key: there[key] for key in KIND}} if any(isinstance(v, str) for v in values.values()) else {}
    return write_yaml(FOLDER / f"{name}.yaml", {"params_hash": params_hash} | machine | {"values": values})
