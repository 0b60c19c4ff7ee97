"""Renewing what nbval compares: what is stored, and what is said of it."""

import base64
import json
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.notebooks import renew
from tests.notebooks.renew import changes, run, tidied


def with_output(text: str, **data: object) -> NotebookNode:
    outputs = [new_output("stream", name="stdout", text=text)]
    outputs += [new_output("display_data", data={key.replace("__", "/"): value for key, value in data.items()})]
    return new_notebook(cells=[new_markdown_cell("Why"), new_code_cell("x", outputs=outputs if text or data else [])])


def test_changes_name_the_cell_and_show_both() -> None:
    assert changes(with_output("a\nb\n"), with_output("a\nb\n")) == []
    assert changes(with_output("a\nb\n"), with_output("a\nc\n")) == ["code cell 1", "  -b", "  +c"]
    assert changes(with_output(""), with_output("new\n")) == ["code cell 1", "  +new"]


def test_only_what_compares_is_kept() -> None:
    notebook = with_output("kept\n", **{renew.WIDGET: {"model_id": "random"}, "text__plain": "IntSlider()"})
    notebook.metadata.update(widgets={"state": 1}, papermill={"duration": 2})
    notebook.cells[1].outputs.append(new_output("stream", name="stderr", text="7.3 it/s"))
    stored = tidied(notebook)
    assert set(stored.metadata) == {"kernelspec", "language_info"}
    assert [output.get("name", "") for output in stored.cells[1].outputs] == ["stdout", ""]
    assert stored.cells[1].outputs[1].data == {"text/plain": "IntSlider()"}


def test_of_a_page_in_an_output_only_its_text_is_kept() -> None:
    page, table = "<iframe>" + "x" * renew.LONGEST_PAGE, "<table></table>"
    notebook = with_output("", text__html=page, text__plain="SkeletonPlayer(real, made)")
    kept = tidied(notebook).cells[1].outputs[-1].data
    assert kept == {"text/plain": "SkeletonPlayer(real, made)"}
    small = tidied(with_output("", text__html=table, text__plain="Table")).cells[1].outputs[-1].data
    assert small["text/html"] == table


def test_what_a_machine_says_of_itself_is_not_kept() -> None:
    notebook = with_output("2 cores, in a folder of mine\n")
    notebook.cells[1].metadata.tags = ["nbval-ignore-output", "reason:device"]
    assert tidied(notebook).cells[1].outputs == []


def test_a_run_stands_in_its_folder_and_leaves_the_given_notebook_alone(tmp_path: Path) -> None:
    source = new_notebook(cells=[new_code_cell("import os; print(os.getcwd()); print(os.environ['GANNB_RUNS'])")])
    done = run(source, tmp_path, tmp_path / "runs")
    assert renew.text_outputs(done) == [[f"{tmp_path}\n{tmp_path / 'runs'}\n"]]
    assert renew.text_outputs(source) == [[]]


def test_a_failing_notebook_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "01_toy.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), path)
    monkeypatch.setattr(renew.presets, "notebook", lambda name: path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        renew.main(["toy"])
    assert path.read_bytes() == before


def test_trained_numbers_without_a_reference_are_stored_and_the_notebook_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = iter(["scores: no reference for parameters ab\n", "faed: as in the reference, within 50%\n"])
    stored = []
    monkeypatch.setattr(renew, "run", lambda notebook, folder, runs: with_output(next(texts)))
    monkeypatch.setattr(renew, "_store_references", lambda runs, name: stored.append(name))
    after = renew.renewed(with_output("old\n"), tmp_path, "toy")
    assert stored == ["toy"] and "as in the reference" in str(renew.text_outputs(after))


def test_numbers_of_figures_are_packed_and_nothing_else() -> None:
    import numpy as np
    import plotly.graph_objects as go

    x, y = [0, 1, 2, 3, 4], [0.5, 1.5, 2.5, 3.5, 4.25]
    figure = go.Figure(
        go.Scatter(x=x, y=np.array(y), text=list("abcde"), marker={"size": [1, 2]}), layout={"title": "t"}
    )
    trace = renew.packed(json.loads(figure.to_json())["data"])[0]
    assert trace["x"]["dtype"] == "i4" and trace["y"]["dtype"] == "f4"
    assert trace["text"] == list("abcde") and trace["marker"]["size"] == [1, 2]
    again = go.Figure(trace).data[0]
    assert list(np.frombuffer(base64.b64decode(again.y["bdata"]), "<f4")) == y
    assert list(np.frombuffer(base64.b64decode(again.x["bdata"]), "<i4")) == x


def test_what_is_large_is_left_out_where_the_cell_says_so() -> None:
    made = with_output("", image__png="cG5n", text__plain="7 images")
    assert tidied(made).cells[1].outputs[1]["data"].keys() == {"image/png", "text/plain"}
    made.cells[1].metadata["tags"] = [renew.LARGE]
    assert tidied(made).cells[1].outputs[1]["data"].keys() == {"text/plain"}
