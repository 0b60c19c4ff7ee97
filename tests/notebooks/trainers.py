"""The trainers of the notebooks: their code cells are run up to the one that makes it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from gannb.training.trainer import Trainer

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

DATA, FIRST = {"02_motion_wgan_gp": "MotionSplit.of"}, {"02_motion_wgan_gp": "building.generator"}
"""What the cell of the data holds, and the next one that the trainer needs; between them only the imports are run."""
LEFT_OUT = {"02_motion_wgan_gp": "checklist.check"}
"""What a later cell holds that the trainer does not need."""


def trainer_of(name: str, **given: Any) -> Trainer:
    """The trainer of a notebook with its parameters' defaults, which are the quick preset, and some others."""
    cells = [c for c in json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"] if c["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    parameters = next(n for n, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", []))
    data = next((n for n, source in enumerate(sources) if DATA.get(name, "no such text") in source), parameters)
    first = next((n for n, source in enumerate(sources) if FIRST.get(name, "no such text") in source), data + 1)
    namespace: dict[str, Any] = {"__name__": "__main__", "display": lambda *shown: None}
    for number, source in enumerate(sources):
        tree = ast.parse(source)
        if data < number < first or LEFT_OUT.get(name, "no such text") in source:
            tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(tree, f"{name}, code cell {number}", "exec"), namespace)
        if number == parameters:
            namespace |= given
        if isinstance(trainer := namespace.get("trainer"), Trainer):
            return trainer
    raise AssertionError(f"{name} makes no trainer")
