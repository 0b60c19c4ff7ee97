"""Run one notebook in a kernel of its own by papermill, with progress over cells and steps, and a checked outcome.

The kernel's process id leads to the run folder, because the folder's `.lock` names the process that writes there. So a
run is found when it fails, is interrupted, or runs beside others of the same name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from gannb.batch.connection import own_connection
from gannb.runs import leftovers
from gannb.runs.locations import claims_file

EXECUTED = "notebook.ipynb"
FILES = ("params.yaml", "environment.json", "events.jsonl", "summary.json", EXECUTED)
SUMMARY = ("notebook", "preset", "params_hash", "seed", "device", "threads", "metrics")
TRAINED = ("epochs", "steps", "seconds", "steps_per_second", "peak_memory_bytes", "weights_sha256")


@dataclass(frozen=True)
class Failure:
    """Where a notebook failed, and with which error.

    Attributes:
        cell: the number of the code cell, from 1, as it was run; 0 where no cell raised the error.
        error: the exception's class and message.
        source: the cell.
        traceback: as the kernel gave it, without colours.
    """

    cell: int
    error: str
    source: str = ""
    traceback: str = ""

    def __str__(self) -> str:
        where = f"in code cell {self.cell}: {self.error}" if self.cell else f"because {self.error}"
        return f"{where}\n\n{self.traceback}" if "\n" in self.traceback else where


@dataclass(frozen=True)
class Outcome:
    """The outcome of running a notebook.

    Attributes:
        executed: the notebook with its outputs; in the run folder where there is one.
        folder: the run folder, or None where the notebook ended before it opened one.
        failure: None where every cell ran.
        interrupted: whether it was stopped by a signal.
    """

    executed: Path
    folder: Path | None
    failure: Failure | None = None
    interrupted: bool = False


@dataclass
class Execution:
    """One execution of a notebook.

    Attributes:
        progress: whether to show a bar over cells and, within the cell that trains, over steps.
        note: a file for the kernel's process id.
        kernel: the kernel's process id, once it runs.
        bar: the bar over cells.
        interrupted: whether it was stopped by a signal.
    """

    progress: bool = True
    note: Path | None = None
    kernel: int | None = None
    bar: tqdm | None = None
    interrupted: bool = False


def execute(notebook: Path, values: Mapping[str, Any], base: Path, *, progress: bool = True) -> Outcome:
    """Run a notebook with these parameters.

    Args:
        notebook: the notebook to run; it is not changed.
        values: parameters as plain Python values, already validated; floats stay floats.
        base: where the experiment's run folders are (`runs/<name>`).
        progress: show a bar over cells and, within the one that trains, over steps.
    """
    base.mkdir(parents=True, exist_ok=True)
    leftovers.clean(base)
    target = leftovers.hidden(base, notebook.stem, ".ipynb")
    execution = Execution(progress)
    failure = run(notebook, target, values, execution)
    folder = find_folder(execution.kernel, [base, Path(values.get("resume") or base).parent])
    if target.exists():
        target = target.replace(folder / EXECUTED if folder else failed_path(base))
    return Outcome(target, folder, failure, execution.interrupted)


def run(notebook: Path, target: Path, values: Mapping[str, Any], execution: Execution) -> Failure | None:
    """Run a notebook and write it with its outputs; returns its failure, if any.

    Args:
        notebook: the notebook to run.
        target: where the notebook with its outputs goes.
        values: parameters as plain Python values.
        execution: options, and what becomes known of the kernel.
    """
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of every name that the tagged cell leaves out
    bar = _bar_options(notebook.stem) if execution.progress else False
    try:
        with _progress_of_steps(execution) as environment:
            papermill.execute_notebook(
                notebook, target, dict(values), engine_name="gannb", language="python", progress_bar=bar,
                store_widget_state=False, execution=execution, environment=environment,
            )  # fmt: skip
    except PapermillExecutionError as error:
        if execution.interrupted or (error.ename == "Paused" and error.evalue.startswith("interrupted")):
            execution.interrupted = True  # by us, or by a signal to the kernel itself
            return None
        plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        number = error.exec_count or error.cell_index
        return Failure(number, f"{error.ename}: {error.evalue}", error.source, plain)
    except DeadKernelError:
        return None if execution.interrupted else Failure(0, "the kernel died (out of memory?)")
    except OSError as error:
        return Failure(0, f"the notebook could not be written to {target} ({error.strerror or error})")
    return None


def find_folder(writer: int | None, bases: list[Path]) -> Path | None:
    """The newest run folder that a process writes, or wrote, to."""
    locks = {lock for base in bases for lock in base.glob("*/.lock")}
    mine = [lock for lock in locks if lock.read_bytes().strip() == str(writer).encode()]
    return max(mine, key=lambda lock: lock.stat().st_mtime).parent if mine else None


def failed_path(base: Path) -> Path:
    """Where a notebook goes that ended before it opened a run."""
    return base / f"failed-{time.strftime('%Y%m%d-%H%M%S')}.ipynb"


def missing(folder: Path) -> list[str]:
    """What a finished run's folder should hold and does not, in words.

    Claims are expected of an experiment that has some, and training results of one that trained or has claims: a tour
    and a comparison have none.
    """
    has_claims = claims_file(folder.parent.name).is_file()
    rows = folder / "metrics.jsonl"
    found = [f"{name} is missing" for name in (*FILES, *["claims.json"] * has_claims) if not (folder / name).is_file()]
    if "summary.json is missing" in found:
        return found
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    measured = rows.is_file() and rows.stat().st_size > 0
    if summary.get("steps") and not measured:
        found.append("metrics.jsonl is empty, though it trained")
    fields = [*SUMMARY, *(TRAINED if has_claims or measured else [])]
    return found + [f"summary.json has no {field!r}" for field in fields if field not in summary]


# ------------------------------------------------------------------------------------------- papermill, from within


class _Client(PapermillNotebookClient):
    """Papermill's client that notes its kernel's process, and pauses on a signal."""

    def __init__(self, nb_man: Any, execution: Execution, **options: Any) -> None:
        super().__init__(nb_man, **options)
        self.execution = execution

    def papermill_execute_cells(self) -> None:
        kernel: Any = self.km
        self.execution.kernel = getattr(kernel.provisioner, "pid", None)
        self.execution.bar = self.nb_man.pbar
        if self.execution.note:
            self.execution.note.write_text(str(self.execution.kernel))
        if sys.platform != "win32":
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_event_loop().add_signal_handler(number, self._pause)
        for index, cell in enumerate(self.nb.cells):
            if self.execution.interrupted:
                break
            try:
                self.nb_man.cell_start(cell, index)
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                break
            finally:
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)

    def _pause(self) -> None:
        """Interrupt the kernel: the trainer stops after its current step, and no further cell is run."""
        kernel: Any = self.km
        self.execution.interrupted = True
        self._pausing = asyncio.ensure_future(kernel.interrupt_kernel())


class _Engine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: Any, *_args: Any, **options: Any) -> Any:
        with own_connection() as config:
            client = _Client(
                nb_man,
                options["execution"],
                kernel_name=kernel_name,
                startup_timeout=options["start_timeout"],
                timeout=None,
                store_widget_state=options["store_widget_state"],
                config=config,
                extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its warnings of transport are not about the run
            )
            return client.execute(env=options["environment"])


papermill_engines.register("gannb", _Engine)


def _tick() -> float:
    """Seconds between two updates of the bar: few where it goes to a log."""
    return 0.5 if sys.stderr.isatty() else 15


def _bar_options(title: str) -> dict[str, Any]:
    """Options of tqdm; in a log each update is one line."""
    options = {"desc": title, "mininterval": _tick(), "maxinterval": _tick()}
    return options if sys.stderr.isatty() else options | {"file": _Lines(), "ncols": 100}


class _Lines:
    """Standard error with line feeds in place of carriage returns."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text.replace("\r", "\n"))

    def flush(self) -> None:
        sys.stderr.flush()


@contextmanager
def _progress_of_steps(execution: Execution) -> Iterator[dict[str, str]]:
    """The kernel's environment; its trainer reports steps in the file $GANNB_PROGRESS, which are shown on the bar."""
    environment = {k: v for k, v in os.environ.items() if k != "JPY_SESSION_NAME"}  # nobody watches this kernel
    if not execution.progress:
        yield environment
        return
    with tempfile.TemporaryDirectory() as folder:
        report, ended = Path(folder, "progress"), threading.Event()
        watch = threading.Thread(target=_watch, args=(report, execution, ended), daemon=True)
        watch.start()
        try:
            yield environment | {"GANNB_PROGRESS": str(report)}
        finally:
            ended.set()
            watch.join()


def _watch(report: Path, execution: Execution, ended: threading.Event) -> None:
    while not ended.wait(_tick()):
        if execution.bar is not None and report.is_file():
            at = json.loads(report.read_text())
            left = tqdm.format_interval(at["seconds_left"])
            execution.bar.set_postfix_str(f"step {at['step']} of {at['steps']}, {left} left")
