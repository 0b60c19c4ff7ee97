"""A notebook's parameters cell, its declaration and its presets say the same; papermill reads all three."""

from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from nbformat import NotebookNode

from gannb.config import presets

NAMES = presets.experiments()
PRESETS = [(name, which) for name in NAMES for which in presets.presets(name)]


def assigned(notebook: NotebookNode, tag: str) -> dict:
    """What the cell with this tag assigns; empty where there is none."""
    found: dict = {}
    for cell in notebook.cells:
        if tag in cell.metadata.get("tags", []):
            exec(cell.source, {}, found)
    found.pop("__annotations__", None)
    return found


def parameters(name: str) -> dict:
    return assigned(nbformat.read(presets.notebook(name), as_version=4), "parameters")


@pytest.mark.parametrize("name", NAMES)
def test_the_cell_holds_the_declared_defaults(name: str) -> None:
    declared, given = presets.declaration(name), parameters(name)
    defaults = {field: getattr(declared(), field) for field in given if field in declared.model_fields}
    assert given == defaults
    types = {field: type(value) for field, value in given.items()}
    assert types == {field: type(value) for field, value in defaults.items()}, "1 and 1.0 are not the same"


@pytest.mark.parametrize("name", NAMES)
def test_the_cell_leaves_out_nothing_that_makes_a_run_another(name: str) -> None:
    declared = presets.declaration(name)
    assert set(declared().settings()) - set(declared.filled) == set(parameters(name)) & set(declared().settings())


@pytest.mark.parametrize("name", NAMES)
def test_quick_is_the_default(name: str) -> None:
    declared = presets.declaration(name)
    assert declared(**presets.preset(name, "quick")).settings() == declared().settings()


@pytest.mark.parametrize("name", NAMES)
def test_papermill_knows_every_type_and_meaning(name: str) -> None:
    known = papermill.inspect_notebook(str(presets.notebook(name)))
    assert set(known) == set(parameters(name))
    assert [field for field, said in known.items() if said["inferred_type_name"] == "None" or not said["help"]] == []


@pytest.mark.parametrize("name, which", PRESETS)
def test_a_preset_through_papermill_is_the_preset_itself(name: str, which: str, tmp_path: Path) -> None:
    file = presets.HOME / "params" / name / f"{which}.yaml"
    values = yaml.safe_load(file.read_text())
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(presets.notebook(name), out, values, prepare_only=True, progress_bar=False)
    injected = assigned(nbformat.read(out, as_version=4), "injected-parameters")
    declared = presets.declaration(name)
    assert declared(**injected) == declared(**presets.preset(name, which))
    assert declared(**injected).preset == which, "a preset carries its name as a label"
