"""Running a notebook in a process of its own: values arrive as they are, and the outcome tells what happened."""

import json
import os
import platform
import signal
import tempfile
import threading
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from gannb.batch import papermill
from gannb.batch.papermill import execute, find_folder, missing

PARAMETERS = "lr: float = 1.0  # rate\nname: str = ''  # text\nsteps: int = 0  # count"
# What a run folder needs for being found: who writes there.
OPEN = """
import json, os, pathlib
folder = pathlib.Path(base) / f"run-{steps}"
folder.mkdir(); (folder / ".lock").write_text(str(os.getpid()))
"""


def notebook(folder: Path, *cells: str) -> Path:
    """Write a notebook of a parameters cell, one that opens a run folder in `folder/runs`, and these cells."""
    tagged = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    opening = new_code_cell(f"base = {str(folder / 'runs')!r}\n{OPEN}")
    made = new_notebook(cells=[tagged, opening, *map(new_code_cell, cells)])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(made, folder / "01_toy.ipynb")
    return folder / "01_toy.ipynb"


def printed(executed: Path) -> str:
    cells = nbformat.read(executed, as_version=4).cells
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", []))


def test_values_arrive_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / f".01_toy@{platform.node()}@{2**22 + 5}.ipynb").touch()  # of a process that was killed
    values = {"lr": 1e-05, "name": "00123 'quoted' ü", "steps": 7}
    outcome = execute(notebook(tmp_path, "print([lr, name, steps])"), values, tmp_path / "runs", progress=False)
    assert outcome.failure is None and outcome.folder == tmp_path / "runs" / "run-7"
    assert outcome.executed == outcome.folder / "notebook.ipynb"
    assert printed(outcome.executed) == f"{[1e-05, values['name'], 7]}\n"
    assert not list((tmp_path / "runs").glob(".*.ipynb")), "nothing is left aside"


def test_a_failure_says_where_and_keeps_the_notebook(tmp_path: Path) -> None:
    source = notebook(tmp_path, "print('before')", "1 / 0", "print('never')")
    outcome = execute(source, {"steps": 1}, tmp_path / "runs", progress=False)
    assert outcome.failure.error == "ZeroDivisionError: division by zero" and outcome.failure.source == "1 / 0"
    assert "code cell 5" in str(outcome.failure), "parameters, injected, opening, one, and this one"
    assert printed(outcome.executed).startswith("before") and "never" not in printed(outcome.executed)
    assert outcome.folder is not None, "the folder is known although the notebook failed"


def test_a_failure_before_the_run_opened_leaves_the_notebook_beside_the_runs(tmp_path: Path) -> None:
    (tmp_path / "runs" / "run-1").mkdir(parents=True)
    outcome = execute(notebook(tmp_path), {"steps": 1}, tmp_path / "runs", progress=False)
    assert outcome.folder is None and outcome.failure.error.startswith("FileExistsError")
    assert outcome.executed.parent == tmp_path / "runs" and outcome.executed.name.startswith("failed-")


def test_started_from_a_notebook_it_is_not_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "the notebook whose cell says !gannb run")
    source = notebook(tmp_path, "from gannb.widgets.frontend import is_interactive\nprint(is_interactive('auto'))")
    outcome = execute(source, {"steps": 1}, tmp_path / "runs", progress=False)
    assert printed(outcome.executed) == "False\n"


def test_a_dead_kernel_is_a_failure(tmp_path: Path) -> None:
    outcome = execute(notebook(tmp_path, "os._exit(9)"), {"steps": 1}, tmp_path / "runs", progress=False)
    assert "kernel died" in str(outcome.failure)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_the_cell_and_no_other_cell_runs(tmp_path: Path, number: signal.Signals) -> None:
    waiting = """
import time
try:
    (folder / "ready").touch()
    time.sleep(60)
except KeyboardInterrupt:
    print("paused")
"""
    source = notebook(tmp_path, waiting, "print('never')")

    def stop_when_ready() -> None:
        while not (tmp_path / "runs" / "run-1" / "ready").exists():
            threading.Event().wait(0.05)
        os.kill(os.getpid(), number)

    threading.Thread(target=stop_when_ready, daemon=True).start()
    outcome = execute(source, {"steps": 1}, tmp_path / "runs", progress=False)
    assert outcome.interrupted and outcome.failure is None
    assert printed(outcome.executed) == "paused\n"


def test_a_bar_shows_cells_and_steps(tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr(papermill, "_tick", lambda: 0.05)
    tell = """
import time
told = pathlib.Path(os.environ["GANNB_PROGRESS"])
told.write_text(json.dumps({"step": 10, "steps": 20, "seconds_left": 75.0}))
time.sleep(0.5)
"""
    execute(notebook(tmp_path, tell), {"steps": 1}, tmp_path / "runs")
    shown = capfd.readouterr().err
    assert "01_toy" in shown and "4/4" in shown and "step 10 of 20, 01:15 left" in shown
    assert "\r" not in shown, "in a log each look is a line"
    assert "GANNB_PROGRESS" not in os.environ


def test_widget_state_is_not_stored(tmp_path: Path) -> None:
    source = notebook(tmp_path, "import ipywidgets\nipywidgets.IntSlider()")
    outcome = execute(source, {"steps": 1}, tmp_path / "runs", progress=False)
    assert "widgets" not in nbformat.read(outcome.executed, as_version=4).metadata


# ------------------------------------------------------------------------------------------------- without a kernel


def test_the_folder_is_found_by_its_writer(tmp_path: Path) -> None:
    for name, writer in (("a", 11), ("b", 12), ("c", 11)):
        (tmp_path / name).mkdir()
        (tmp_path / name / ".lock").write_text(str(writer))
        os.utime(tmp_path / name / ".lock", (ord(name), ord(name)))
    assert find_folder(12, [tmp_path]) == tmp_path / "b"
    assert find_folder(11, [tmp_path]) == tmp_path / "c", "the newer of two, as process ids are used again"
    assert find_folder(13, [tmp_path]) is None


def finished(folder: Path, **summary: object) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in papermill.FILES:
        (folder / name).write_text("{}")
    (folder / "summary.json").write_text(json.dumps(dict.fromkeys(papermill.SUMMARY, 1) | summary))
    return missing(folder)


def test_what_a_folder_should_hold(tmp_path: Path) -> None:
    assert missing(tmp_path) == [f"{name} is missing" for name in papermill.FILES]
    look = tmp_path / "compare_runs" / "20260101-a"
    assert finished(look) == [], "a notebook that neither trains nor judges owes no more"
    (look / "metrics.jsonl").touch()
    assert finished(look) == [], "a run opens that file in any case"
    assert finished(look, steps=3) == ["metrics.jsonl is empty, though it trained"]
    (look / "metrics.jsonl").write_text('{"step": 1}\n')
    assert finished(look) == [f"summary.json has no {field!r}" for field in papermill.TRAINED]
    assert finished(look, **dict.fromkeys(papermill.TRAINED, 1)) == []


def test_an_experiment_with_claims_owes_them_and_what_it_trained(tmp_path: Path) -> None:
    lacking = finished(tmp_path / "identity" / "20260101-a")
    assert lacking == ["claims.json is missing", *(f"summary.json has no {field!r}" for field in papermill.TRAINED)]


def test_the_kernel_speaks_over_files_and_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TCP port may be taken between its choice and its use, as where two ranks' kernels start at once."""
    short = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    source = notebook(tmp_path, "from ipykernel.connect import get_connection_info\nprint(get_connection_info())")
    outcome = execute(source, {}, tmp_path / "runs", progress=False)
    assert json.loads(printed(outcome.executed))["transport"] == "ipc"
    assert not list(short.iterdir())
    short.rmdir()


def test_where_paths_are_too_long_for_sockets_it_speaks_over_tcp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (long := tmp_path / ("long" * 25)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    source = notebook(tmp_path, "from ipykernel.connect import get_connection_info\nprint(get_connection_info())")
    outcome = execute(source, {}, tmp_path / "runs", progress=False)
    assert json.loads(printed(outcome.executed))["transport"] == "tcp"
