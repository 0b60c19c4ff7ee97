"""One notebook in one process: papermill, with progress over cells and steps, and an outcome that is checked.

The kernel's process id leads to the run folder (its `.lock` names who writes there), so a run is found again when it
fails, is interrupted, or has neighbours of the same name.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

from gannb.batch.connection import own_connection
from gannb.runs.locations import claims_file

EXECUTED = "notebook.ipynb"
FILES = ("params.yaml", "environment.json", "events.jsonl", "summary.json", EXECUTED)
SUMMARY = ("notebook", "preset", "params_hash", "seed", "device", "threads", "metrics")
TRAINED = ("epochs", "steps", "seconds", "steps_per_second", "peak_memory_bytes", "weights_sha256")


@dataclass(frozen=True)
class Failure:
    """Where a notebook failed, and with what.

    Attributes:
        cell: the number of the code cell, from 1, as it was run; 0 where no cell could say it.
        error: the exception's class and message.
        source: the cell.
        traceback: as the kernel gave it, without colours.
    """

    cell: int
    error: str
    source: str
    traceback: str

    def __str__(self) -> str:
        where = f"in code cell {self.cell}: {self.error}" if self.cell else f"because {self.error}"
        return f"{where}\n\n{self.traceback}" if self.traceback else where


@dataclass(frozen=True)
class Outcome:
    """What running a notebook came to.

    Attributes:
        executed: the notebook with its outputs; in the run folder where there is one.
        folder: the run folder, or None where the notebook ended before it opened one.
        failure: None where every cell ran.
        interrupted: whether a person stopped it.
    """

    executed: Path
    folder: Path | None
    failure: Failure | None = None
    interrupted: bool = False


def execute(notebook: Path, values: Mapping[str, Any], base: Path, *, progress: bool = True, ranks: int = 1) -> Outcome:
    """Run a notebook with these parameters, in this process or, over ranks, in one process a rank.

    Args:
        notebook: the notebook to run; it is not changed.
        values: parameters as plain Python values, already validated; floats stay floats.
        base: where the experiment's run folders lie (`runs/<name>`).
        progress: show a bar over cells and, within the one that trains, over steps.
        ranks: processes of one run, started by torchrun.
    """
    base.mkdir(parents=True, exist_ok=True)
    if ranks > 1:
        return _over_ranks(notebook, values, base, progress, ranks)
    target = base / f".{notebook.stem}-{os.getpid()}.ipynb"
    _Client.reset()
    with _steps_shown(progress):
        failure = _run(notebook, target, values, progress)
    folder = find_folder(_Client.kernel, [base, Path(values.get("resume") or base).parent])
    if target.exists():
        target = target.replace(folder / EXECUTED if folder else _failed(base))
    return Outcome(target, folder, failure, _Client.interrupted)


def find_folder(writer: int | None, bases: list[Path]) -> Path | None:
    """The newest run folder that a process writes, or wrote, to."""
    locks = {lock for base in bases for lock in base.glob("*/.lock")}
    mine = [lock for lock in locks if lock.read_text().strip() == str(writer)]
    return max(mine, key=lambda lock: lock.stat().st_mtime).parent if mine else None


def _failed(base: Path) -> Path:
    """Where a notebook goes that ended before it opened a run."""
    return base / f"failed-{time.strftime('%Y%m%d-%H%M%S')}.ipynb"


def missing(folder: Path) -> list[str]:
    """What a finished run's folder should hold and does not, in words.

    Claims are owed by an experiment that has some, and what training leaves by one that trained or has claims: a
    tour and a comparison have none.
    """
    owed = claims_file(folder.parent.name).is_file()
    rows = folder / "metrics.jsonl"
    found = [f"{name} is missing" for name in (*FILES, *["claims.json"] * owed) if not (folder / name).is_file()]
    if "summary.json is missing" in found:
        return found
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    measured = rows.is_file() and rows.stat().st_size > 0
    if summary.get("steps") and not measured:
        found.append("metrics.jsonl holds nothing, though it trained")
    fields = [*SUMMARY, *(TRAINED if owed or measured else [])]
    return found + [f"summary.json has no {field!r}" for field in fields if field not in summary]


# ------------------------------------------------------------------------------------------- papermill, from within


class _Client(PapermillNotebookClient):
    """Papermill's client that knows its kernel's process, leaves its number where told, and pauses on an interrupt."""

    kernel: int | None = None
    note: Path | None = None
    bar: Any = None
    interrupted = False

    @classmethod
    def reset(cls, note: Path | None = None) -> None:
        cls.kernel, cls.note, cls.bar, cls.interrupted = None, note, None, False

    def papermill_execute_cells(self) -> None:
        type(self).kernel = getattr(self.km.provisioner, "pid", None)
        if self.note:
            self.note.write_text(str(self.kernel))
        type(self).bar = self.nb_man.pbar
        if sys.platform != "win32":
            asyncio.get_event_loop().add_signal_handler(signal.SIGINT, self._pause)
        for index, cell in enumerate(self.nb.cells):
            if self.interrupted:
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
        """Interrupt the kernel: the trainer stops at its next step's end, and no further cell is run."""
        type(self).interrupted = True
        self._pausing = asyncio.ensure_future(self.km.interrupt_kernel())


class _Engine(NBClientEngine):
    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, start_timeout: int = 60, **options: Any) -> Any:
        with own_connection() as config:
            client = _Client(
                nb_man,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                timeout=None,
                store_widget_state=options["store_widget_state"],
                config=config,
                extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its warnings of transport are not about the run
            )
            return client.execute()


papermill_engines.register("gannb", _Engine)


def _run(notebook: Path, target: Path, values: Mapping[str, Any], progress: bool) -> Failure | None:
    os.environ.pop("JPY_SESSION_NAME", None)  # of the notebook that started this process: nobody watches this one
    logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of every name that the tagged cell leaves out
    try:
        papermill.execute_notebook(
            notebook,
            target,
            dict(values),
            engine_name="gannb",
            language="python",
            progress_bar=_bar(notebook.stem) if progress else False,
            store_widget_state=False,
        )
    except PapermillExecutionError as error:
        if _Client.interrupted:
            return None
        plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        number = error.exec_count or error.cell_index
        return Failure(number, f"{error.ename}: {error.evalue}", error.source, plain)
    except DeadKernelError:
        return None if _Client.interrupted else Failure(0, "the kernel died (out of memory?)", "", "")
    return None


def _tick() -> float:
    """Seconds between two looks of the bar: seldom where it goes to a log."""
    return 0.5 if sys.stderr.isatty() else 15


def _bar(title: str) -> dict[str, Any]:
    """What tqdm is told; in a log each look is a line of its own."""
    options = {"desc": title, "mininterval": _tick(), "maxinterval": _tick()}
    return options if sys.stderr.isatty() else options | {"file": _Lines(), "ncols": 100}


class _Lines:
    """Standard error with a line's end where a bar would return to its start."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text.replace("\r", "\n"))

    def flush(self) -> None:
        sys.stderr.flush()


@contextmanager
def _steps_shown(wanted: bool) -> Iterator[None]:
    """Show on the bar what the trainer tells of its steps, through the file that $GANNB_PROGRESS names."""
    if not wanted:
        yield
        return
    with tempfile.TemporaryDirectory() as aside, _environment(GANNB_PROGRESS=f"{aside}/progress"):
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(Path(aside, "progress"), ended), daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()


def _watch(told: Path, ended: threading.Event) -> None:
    while not ended.wait(_tick()):
        if _Client.bar is not None and told.is_file():
            at = json.loads(told.read_text())
            left = tqdm.format_interval(at["seconds_left"])
            _Client.bar.set_postfix_str(f"step {at['step']} of {at['steps']}, {left} left")


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# ------------------------------------------------------------------------------------------------------- over ranks


def _over_ranks(notebook: Path, values: Mapping[str, Any], base: Path, progress: bool, ranks: int) -> Outcome:
    with tempfile.TemporaryDirectory(dir=base, prefix=".ranks-") as name:
        aside = Path(name)
        told = {"notebook": str(notebook), "values": dict(values), "progress": progress}
        (aside / "job.json").write_text(json.dumps(told))
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        code = _wait([*torchrun, "-m", "gannb.batch.papermill", name])
        ends = [json.loads(path.read_text()) for path in sorted(aside.glob("end-*.json"))]
        interrupted = any(end["interrupted"] for end in ends)
        failures = [Failure(**end["failure"]) for end in ends if end["failure"]]  # of ranks that could still tell
        if code and not failures and not interrupted:
            failures = [Failure(0, f"a rank died (torchrun ended with {code})", "", "")]
        writer = aside / "kernel-0"  # it is there even where torchrun has ended rank 0 for another's fault
        kernel = int(writer.read_text()) if writer.is_file() else None
        folder = find_folder(kernel, [base, Path(values.get("resume") or base).parent])
        kept = _keep_notebooks(aside, folder / EXECUTED if folder else _failed(base))
    return Outcome(kept or notebook, folder, failures[0] if failures else None, interrupted)


def _wait(command: list[str]) -> int:
    """Run torchrun to its end. Ctrl+C is for the ranks, which pause and store; both wait for them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # torchrun inherits it
    try:
        with _environment(TORCHELASTIC_SIGNALS_TO_HANDLE="SIGTERM,SIGHUP,SIGQUIT"):
            return subprocess.Popen(command).wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _keep_notebooks(aside: Path, result: Path) -> Path | None:
    """Move each rank's executed notebook beside the run: rank 0's is the result."""
    for path in sorted(aside.glob("rank-*.ipynb")):
        path.replace(result if path.stem == "rank-0" else result.with_stem(f"{result.stem}-{path.stem}"))
    return result if result.is_file() else None


def _one_rank(aside: Path) -> int:
    """What each rank does: run its own copy of the notebook, and leave it and its end for the one who started it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    told, rank = json.loads((aside / "job.json").read_text()), os.environ["RANK"]
    _Client.reset(note=aside / f"kernel-{rank}")
    with _steps_shown(told["progress"] and rank == "0"):
        target = aside / f"rank-{rank}.ipynb"
        failure = _run(Path(told["notebook"]), target, told["values"], told["progress"] and rank == "0")
    if failure and rank != "0":
        failure = replace(failure, error=f"rank {rank}: {failure.error}")
    end = {"failure": asdict(failure) if failure else None, "interrupted": _Client.interrupted}
    (aside / f"end-{rank}.json").write_text(json.dumps(end))
    return 1 if failure else 0


def read_executed(folder: Path) -> nbformat.NotebookNode | None:
    """The executed notebook of a run folder, if it has one."""
    path = folder / EXECUTED
    return nbformat.read(path, as_version=4) if path.is_file() else None


if __name__ == "__main__":
    sys.exit(_one_rank(Path(sys.argv[1])))
