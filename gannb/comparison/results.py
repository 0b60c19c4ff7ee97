"""Results that were measured apart from a notebook, with a command that anyone can run: the files in `results/`."""

from __future__ import annotations

from gannb.comparison.trials import Comparison
from gannb.config.presets import HOME

RESULTS = HOME / "results"


def result(name: str) -> Comparison:
    """The comparison in `results/<name>.json`; without trials, and saying so, where that was never measured.

    Scores that are computed from it name the file as their source.
    """
    found = Comparison.read(RESULTS / f"{name}.json")
    return Comparison(found, found.metric, found.better, **found.head | {"source": f"results/{name}.json"})
