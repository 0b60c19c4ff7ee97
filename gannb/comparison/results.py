"""Results that were measured apart from a notebook, with a command that anyone can run: the files in `results/`."""

from __future__ import annotations

from gannb.comparison.trials import Comparison
from gannb.config.presets import HOME

RESULTS = HOME / "results"


def result(name: str) -> Comparison:
    """The comparison in `results/<name>.json`; without trials, and saying so, where that was never measured."""
    return Comparison.read(RESULTS / f"{name}.json")
