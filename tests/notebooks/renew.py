"""Run the notebooks again, store their outputs as what nbval compares, and print what changed.

`python -m tests.notebooks.renew [NAME…]` (`make refs`). Trained numbers have a reference of their own
(`gannb.runs.reference`): where it does not fit any more it is stored anew, and the notebook is run once more.
"""

from __future__ import annotations

import base64
import copy
import difflib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbformat import NotebookNode

from gannb.batch.connection import own_connection
from gannb.batch.html_export import WIDGET
from gannb.config import presets

OF_THE_MACHINE = {"reason:device", "reason:external"}
"""Tags of cells whose outputs say what this machine is, or what lies on it: they are not stored."""
LARGE = "large"
"""Tag of a cell whose pictures and figures are left out of what is committed; they are in every run's folder."""
LONGEST_PAGE = 30_000
"""Characters of HTML from which an output (a player) is left out of what is committed; it is in every run's folder."""
FIGURE = "application/vnd.plotly.v1+json"
STALE = ("no reference for parameters", "not in the reference", "the reference is ")


def main(names: list[str]) -> int:
    """Renew the named notebooks' outputs, or all; returns 0."""
    for name in names or presets.experiments():
        path = presets.notebook(name)
        before = nbformat.read(path, as_version=4)
        after = renewed(before, path.parent, name)
        nbformat.write(after, path)
        print("\n".join([f"== {path.name}", *(changes(before, after) or ["as it was"])]), flush=True)
    return 0


def renewed(notebook: NotebookNode, folder: Path, name: str) -> NotebookNode:
    """The notebook with the outputs of a run of its own defaults; twice, where trained numbers got a new reference."""
    with tempfile.TemporaryDirectory() as runs:
        after = run(notebook, folder, Path(runs))
        if any(stale in text for texts in text_outputs(after) for text in texts for stale in STALE):
            _store_references(Path(runs), name)
            after = run(notebook, folder, Path(runs))
    return after


def run(notebook: NotebookNode, folder: Path, runs: Path) -> NotebookNode:
    """Run a copy of a notebook as nbval does: in its own folder, nothing injected, its runs kept in `runs`."""
    fresh = copy.deepcopy(notebook)
    with own_connection() as config:
        client = NotebookClient(
            fresh,
            kernel_name="python3",
            timeout=None,
            config=config,
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env=os.environ | {"GANNB_RUNS": str(runs)})
    return tidied(fresh)


def tidied(notebook: NotebookNode) -> NotebookNode:
    """What is committed of an executed notebook: no widget views, no stderr, nothing of this machine."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        }
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            own = OF_THE_MACHINE & set(cell.metadata.get("tags", []))
            cell.outputs = [output for output in cell.outputs if not own and output.get("name") != "stderr"]
            for output in cell.outputs:
                data = output.get("data", {})
                data.pop(WIDGET, None)
                if len(data.get("text/html", "")) > LONGEST_PAGE:
                    del data["text/html"]
                if LARGE in cell.metadata.get("tags", []):
                    for kind in ("image/png", FIGURE):
                        data.pop(kind, None)
                if FIGURE in data:
                    data[FIGURE]["data"] = packed(data[FIGURE]["data"])
    return notebook


def packed(value: Any) -> Any:
    """A figure's traces with their numbers in plotly's typed arrays, four bytes each instead of a line of JSON."""
    if isinstance(value, dict) and {"dtype", "bdata"} <= value.keys():
        numbers = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
        return value if numbers.dtype != np.float64 else value | _typed(numbers)
    if isinstance(value, dict):
        return {key: packed(part) for key, part in value.items()}
    if isinstance(value, list) and len(value) > 4 and all(type(part) in (int, float) for part in value):
        return _typed(np.asarray(value))
    return [packed(part) for part in value] if isinstance(value, list) else value


def _typed(numbers: np.ndarray) -> dict[str, str]:
    kind = "i4" if numbers.dtype.kind == "i" else "f4"
    return {"dtype": kind, "bdata": base64.b64encode(numbers.astype(f"<{kind}").tobytes()).decode()}


def text_outputs(notebook: NotebookNode) -> list[list[str]]:
    """What nbval compares, a list of texts for each code cell."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = ([out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.outputs] for cell in code)
    return [[text for text in texts if text] for texts in shown]


def changes(before: NotebookNode, after: NotebookNode) -> list[str]:
    """A diff of the text outputs, cell by cell; empty where nothing changed."""
    lines = []
    for number, (old, new) in enumerate(zip(text_outputs(before), text_outputs(after)), 1):
        diff = difflib.unified_diff("\n".join(old).splitlines(), "\n".join(new).splitlines(), lineterm="", n=0)
        changed = [line for line in diff if not line.startswith(("---", "+++", "@@"))]
        lines += [f"code cell {number}", *(f"  {line}" for line in changed)] if changed else []
    return lines


def _store_references(runs: Path, name: str) -> None:
    from gannb.runs.reference import store

    for measured in sorted(runs.glob(f"{name}/*/trained.yaml")):
        summary = json.loads((measured.parent / "summary.json").read_text(encoding="utf-8"))
        store(measured.parent, name, summary["params_hash"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
