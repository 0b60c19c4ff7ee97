"""How a committed notebook must look, so that it stays small, readable, injectable and compared."""

import ast
import io
import re
import statistics
import tokenize
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

LARGEST = 300_000  # bytes
LONGEST_CELL, LONGEST_HIDDEN, MEDIAN_CELL = 15, 30, 8  # lines
WORDS = 9  # of prose per line of code that a reader sees, as in d2l and the UvA notebooks
ANNOTATIONS = {"int", "float", "bool", "str", "list[int]", "list[float]", "list[str]", "dict"}  # papermill names these
REASONS = {"reason:timing", "reason:device", "reason:widget", "reason:external"}
TAGS = {"parameters", "raises-exception", "nbval-ignore-output", "large"} | REASONS


def faults(notebook: NotebookNode) -> list[str]:
    """Everything that is wrong with a notebook, in words."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        *_metadata_faults(notebook),
        *(fault for cell in notebook.cells for fault in _tag_faults(cell)),
        *(fault for cell in code for fault in _output_faults(cell)),
        *_length_faults(code),
        *_prose_faults(notebook),
        *_word_faults(notebook),
        *_parameter_faults(code),
    ]


def _metadata_faults(notebook: NotebookNode) -> list[str]:
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    found = [] if kernel == "python3" else [f"the kernel is called {kernel!r}, not 'python3'"]
    language = notebook.metadata.get("language_info", {}).get("name")
    found += [] if language == "python" else [f"its language is {language!r}: papermill asks for it"]
    found += ["it stores widget state"] if "widgets" in notebook.metadata else []
    size = len(nbformat.writes(notebook).encode())
    return found + ([f"{size} bytes, more than {LARGEST}"] if size > LARGEST else [])


def _tag_faults(cell: NotebookNode) -> list[str]:
    tags = set(cell.metadata.get("tags", []))
    found = [f"unknown tag {tag!r}" for tag in sorted(tags - TAGS)]
    if bool(tags & REASONS) != ("nbval-ignore-output" in tags):
        found.append(f"nbval-ignore-output and its reason stand together, found {sorted(tags)}")
    if re.search(r"#\s*(NBVAL_|PYTEST_VALIDATE)", cell.source):
        found.append("an nbval marker in a comment: use a tag, with a reason")
    return found


def _output_faults(cell: NotebookNode) -> list[str]:
    found = [f"an error stored as output: {out.ename}" for out in cell.outputs if out.output_type == "error"]
    if "raises-exception" in cell.metadata.get("tags", []):
        found = []
    return found + ["it embeds plotly.js" for out in cell.outputs if "plotly.js v" in str(out.get("data", ""))]


def _length_faults(code: list[NotebookNode]) -> list[str]:
    """The parameters cell is left out: it has a line for each parameter, however many there are."""
    cells = [cell for cell in code if "parameters" not in cell.metadata.get("tags", [])]
    shown = [len(cell.source.splitlines()) for cell in cells if not is_hidden(cell)]
    hidden = [len(cell.source.splitlines()) for cell in cells if is_hidden(cell)]
    found = [f"a cell of {lines} lines, more than {LONGEST_CELL}" for lines in shown if lines > LONGEST_CELL]
    found += [
        f"a hidden cell of {lines} lines, more than {LONGEST_HIDDEN}" for lines in hidden if lines > LONGEST_HIDDEN
    ]
    median = statistics.median(shown) if shown else 0
    return found + ([f"the median cell has {median} lines, more than {MEDIAN_CELL}"] if median > MEDIAN_CELL else [])


def is_hidden(cell: NotebookNode) -> bool:
    """Whether JupyterLab and the report fold the source of a cell: plumbing, of which a reader sees the output."""
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def _prose_faults(notebook: NotebookNode) -> list[str]:
    """A hidden cell needs no word: it only shows what the text around it speaks of."""
    before = [None, *notebook.cells]
    return [
        f"no word of why before the cell {cell.source.splitlines()[0]!r}"
        for previous, cell in zip(before, notebook.cells)
        if cell.cell_type == "code" and cell.source and not is_hidden(cell)
        if previous is None or not (previous.cell_type == "markdown" or is_hidden(previous))
    ]


def _word_faults(notebook: NotebookNode) -> list[str]:
    """Too little prose for the code that a reader sees; parameters carry their own help."""
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and not is_hidden(cell)]
    shown = [cell.source for cell in code if "parameters" not in cell.metadata.get("tags", [])]
    lines = sum(1 for source in shown for line in source.splitlines() if line.strip())
    return [f"{words} words for {lines} lines of code, less than {WORDS} per line"] if words < WORDS * lines else []


def _parameter_faults(code: list[NotebookNode]) -> list[str]:
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells tagged parameters, not one"]
    source = tagged[0].source
    helped = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    return [
        f"parameters, line {statement.lineno}: {fault}"
        for statement in ast.parse(source).body
        for fault in _statement_faults(statement, helped)
    ]


def _statement_faults(statement: ast.stmt, helped: set[int]) -> list[str]:
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name) or not statement.value:
        return ["not of the form `name: type = literal  # meaning`"]
    found = []
    if ast.unparse(statement.annotation) not in ANNOTATIONS:
        found.append(f"papermill cannot name the type {ast.unparse(statement.annotation)}")
    try:
        ast.literal_eval(statement.value)
    except ValueError:
        found.append(f"{ast.unparse(statement.value)} is no literal")
    if statement.lineno != statement.end_lineno:
        found.append("more than one line")
    if statement.end_lineno not in helped:
        found.append("no meaning behind it")
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_keeps_the_conventions(path: Path) -> None:
    assert faults(nbformat.read(path, as_version=4)) == []


# ---------------------------------------------------------------------------------------------- planted faults


def sound() -> NotebookNode:
    """A notebook without a fault."""
    parameters = new_code_cell(
        "# --- data\nseed: int = 0  # the seed\nlr: float = 1e-3  # rate", metadata={"tags": ["parameters"]}
    )
    then = new_markdown_cell("Then one sentence on what the sum of the next cell shows and why.")
    cells = [new_markdown_cell("Why"), parameters, then, new_code_cell("1 + 1")]
    kernel = {"name": "python3", "display_name": "Python 3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def test_a_sound_notebook_has_no_fault() -> None:
    assert faults(sound()) == []


def test_a_hidden_cell_needs_no_word() -> None:
    notebook = sound()
    notebook.cells.append(new_code_cell("2 + 2", metadata={"jupyter": {"source_hidden": True}}))
    assert faults(notebook) == []


@pytest.mark.parametrize(
    "source, expected",
    [
        ("seed = 0  # no type", "not of the form"),
        ("seed: int = 0", "no meaning"),
        ("seed: int = 2 * 3  # derived", "no literal"),
        ("seed: int | None = None  # union", "cannot name the type"),
        ("rates: list[float] = [\n  1.0]  # two lines", "more than one line"),
        ("import os", "not of the form"),
    ],
)
def test_a_fault_in_the_parameters_is_found(source: str, expected: str) -> None:
    notebook = sound()
    notebook.cells[1].source = source
    assert len(faults(notebook)) == 1 and expected in faults(notebook)[0]


@pytest.mark.parametrize(
    "spoil, expected",
    [
        (lambda nb: nb.metadata.kernelspec.update(name="gannb"), "kernel"),
        (lambda nb: nb.metadata.pop("language_info"), "language"),
        (lambda nb: nb.metadata.update(widgets={}), "widget state"),
        (lambda nb: nb.cells[3].update(source="#" * LARGEST), "bytes"),
        (lambda nb: nb.cells[3].metadata.update(tags=["nbval-skip"]), "unknown tag"),
        (lambda nb: nb.cells[3].metadata.update(tags=["nbval-ignore-output"]), "reason"),
        (lambda nb: nb.cells[3].update(source="# NBVAL_IGNORE_OUTPUT\n1"), "marker"),
        (lambda nb: nb.cells[3].update(source="\n".join("1" * 16)), "16 lines"),
        (lambda nb: nb.cells[3].update(source="1\n" * 31, metadata={"jupyter": {"source_hidden": True}}), "31 lines"),
        (lambda nb: nb.cells[3].update(source="1\n2"), "less than 9 per line"),
        (lambda nb: nb.cells[3].outputs.append(new_output("error", ename="ValueError")), "ValueError"),
        (lambda nb: nb.cells.pop(2), "no word of why"),
        (lambda nb: nb.cells[1].metadata.update(tags=[]), "0 cells tagged parameters"),
    ],
)
def test_a_fault_elsewhere_is_found(spoil, expected: str) -> None:
    notebook = sound()
    spoil(notebook)
    assert any(expected in fault for fault in faults(notebook))
