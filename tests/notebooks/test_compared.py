"""Strict nbval compares what is stored, and nothing where nothing is stored: so what is compared is counted."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
FLOOR = 0.7  # share of the code cells with text output


def has_text(cell: NotebookNode) -> bool:
    """Whether a cell shows text: what it printed, or any text form of what it displayed."""
    return any(
        out.get("name") == "stdout" or any(kind.startswith("text/") for kind in out.get("data", {}))
        for out in cell.outputs
    )


def is_compared(cell: NotebookNode) -> bool:
    """Whether nbval compares a text of this cell; the bare name of an object's class says nothing."""
    if "nbval-ignore-output" in cell.metadata.get("tags", []):
        return False
    texts = [
        out.get("text") or out.get("data", {}).get("text/plain", "")
        for out in cell.outputs
        if out.get("name") != "stderr"
    ]
    return any(text and not re.fullmatch(r"<[\w.]+ object>", text) for text in texts)


def compared_share(notebook: NotebookNode) -> float:
    """The share of the code cells with text output that nbval compares; 0 where no cell has any."""
    texts = [cell for cell in notebook.cells if cell.cell_type == "code" and has_text(cell)]
    return sum(map(is_compared, texts)) / len(texts) if texts else 0.0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_enough_cells_are_compared(path: Path) -> None:
    assert compared_share(nbformat.read(path, as_version=4)) >= FLOOR


def shown(source: str, tags: list[str] | None = None, **data: object) -> NotebookNode:
    output = new_output("execute_result", data={key.replace("__", "/"): value for key, value in data.items()})
    return new_code_cell(source, outputs=[output] if data else [], metadata={"tags": tags or []})


def test_counting() -> None:
    compared, ignored = shown("1", text__plain="1"), shown("time()", ["nbval-ignore-output"], text__plain="17")
    page = shown("HTML('…')", text__html="…", text__plain="<IPython.core.display.HTML object>")
    figure, silent = shown("figure", image__png="…"), shown("x = 1")
    cells = [compared, shown("2", text__plain="2"), ignored, page, figure, silent]
    assert compared_share(new_notebook(cells=cells)) == 2 / 4
    assert compared_share(new_notebook(cells=[silent, figure])) == 0


# -------------------------------------------------------------------------- what nbval does under this project's rules


def validate(root: Path, folder: Path, *cells: NotebookNode) -> str:
    """Validate a notebook of these cells as the project's tests do, and return pytest's summary line."""
    for number, cell in enumerate(cells, 1):
        cell.execution_count = number
    notebook = new_notebook(cells=list(cells), metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    nbformat.write(notebook, folder / "planted.ipynb")
    command = [sys.executable, "-m", "pytest", "-c", root / "pyproject.toml", "-p", "conftest", "-q", "--color=no"]
    done = subprocess.run([*command, folder / "planted.ipynb"], cwd=root, capture_output=True, text=True, timeout=120)
    return done.stdout.strip().splitlines()[-1]


def test_a_changed_number_fails_and_a_changed_figure_or_progress_line_does_not(root: Path, tmp_path: Path) -> None:
    show = "from IPython.display import display\ndisplay({'application/vnd.plotly.v1+json': {'data': [2]}}, raw=True)"
    figure = new_code_cell(
        show, outputs=[new_output("display_data", {"application/vnd.plotly.v1+json": {"data": [1]}})]
    )
    progress = new_code_cell(
        "import sys; print('2 s', file=sys.stderr)", outputs=[new_output("stream", name="stderr", text="1 s\n")]
    )
    right, wrong = shown("2 + 2", text__plain="4"), shown("2 + 2", text__plain="5")
    assert validate(root, tmp_path, figure, progress, right, wrong).startswith("1 failed, 3 passed")
