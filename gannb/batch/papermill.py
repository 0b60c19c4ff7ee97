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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from tqdm import tqdm

EXECUTED = "notebook.ipynb"
FILES = ("params.yaml", "environment.json", "events.jsonl", "claims.json", "summary.json", EXECUTED)
SUMMARY = (
    *("notebook", "preset", "params_hash", "seed", "device", "threads", "epochs", "steps", "seconds"),
    *("steps_per_second", "peak_memory_bytes", "weights_sha256", "metrics"),
)


@dataclass(frozen=True)
class Failure:
    """Where a notebook failed, and with what.

    Attributes:
        cell: the number of the code cell, from 1, as it was run.
        error: the exception's class and message.
        source: the cell.
        traceback: as the kernel gave it, without colours.
    """

    cell: int
    error: str
    source: str
    traceback: str

    def __str__(self) -> str:
        where = f"code cell {self.cell}: {self.error}" if self.cell else self.error
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
    writes = os.environ.get("RANK", "0") == "0"
    _Client.reset()
    with _steps_shown(progress and writes):
        failure = _run(notebook, target if writes else None, values, progress and writes)
    folder = find_folder(_Client.kernel, [base, Path(values.get("resume") or base).parent]) if writes else None
    if writes and target.exists():
        target = target.replace(
            folder / EXECUTED if folder else base / f"failed-{time.strftime('%Y%m%d-%H%M%S')}.ipynb"
        )
    return Outcome(target, folder, failure, _Client.interrupted)


def find_folder(writer: int | None, bases: list[Path]) -> Path | None:
    """The newest run folder that a process writes, or wrote, to."""
    locks = {lock for base in bases for lock in base.glob("*/.lock")}
    mine = [lock for lock in locks if lock.read_text().strip() == str(writer)]
    return max(mine, key=lambda lock: lock.stat().st_mtime).parent if mine else None


def missing(folder: Path) -> list[str]:
    """What a finished run's folder should hold and does not, in words."""
    found = [f"{name} is missing" for name in FILES if not (folder / name).is_file()]
    if "summary.json is missing" not in found:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        found += [f"summary.json has no {field!r}" for field in SUMMARY if field not in summary]
        if summary.get("steps") and not (folder / "metrics.jsonl").is_file():
            found.append("metrics.jsonl is missing, though it trained")
    return found


# ------------------------------------------------------------------------------------------- papermill, from within


class _Client(PapermillNotebookClient):
    """Papermill's client that knows its kernel's process and pauses on an interrupt."""

    kernel: int | None = None
    bar: Any = None
    interrupted = False

    @classmethod
    def reset(cls) -> None:
        cls.kernel, cls.bar, cls.interrupted = None, None, False

    def papermill_execute_cells(self) -> None:
        type(self).kernel = getattr(self.km.provisioner, "pid", None)
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
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=None,
            store_widget_state=options["store_widget_state"],
            extra_arguments=["--IPKernelApp.log_level=ERROR"],  # its warnings of transport are not about the run
        )
        return client.execute()


papermill_engines.register("gannb", _Engine)


def _run(notebook: Path, target: Path | None, values: Mapping[str, Any], progress: bool) -> Failure | None:
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
    with tempfile.TemporaryDirectory() as aside:
        job, result = Path(aside) / "job.json", Path(aside) / "result.json"
        told = {"notebook": str(notebook), "values": dict(values), "base": str(base), "progress": progress}
        job.write_text(json.dumps({**told, "result": str(result)}))
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        done = subprocess.run([*torchrun, "-m", "gannb.batch.papermill", str(job)], check=False)
        if not result.exists():
            return Outcome(notebook, None, Failure(0, f"a rank failed (torchrun ended with {done.returncode})", "", ""))
        told = json.loads(result.read_text())
    failure = Failure(**told["failure"]) if told["failure"] else None
    return Outcome(
        Path(told["executed"]), Path(told["folder"]) if told["folder"] else None, failure, told["interrupted"]
    )


def _one_rank(job: Path) -> int:
    """What each rank does: run its own copy of the notebook; rank 0 tells how it went."""
    told = json.loads(job.read_text())
    outcome = execute(Path(told["notebook"]), told["values"], Path(told["base"]), progress=told["progress"])
    if os.environ.get("RANK", "0") == "0":
        Path(told["result"]).write_text(json.dumps(asdict(outcome), default=str))
    elif outcome.failure:
        print(f"rank {os.environ['RANK']}: {outcome.failure}", file=sys.stderr)
    return 1 if outcome.failure else 0


def read_executed(folder: Path) -> nbformat.NotebookNode | None:
    """The executed notebook of a run folder, if it has one."""
    path = folder / EXECUTED
    return nbformat.read(path, as_version=4) if path.is_file() else None


if __name__ == "__main__":
    sys.exit(_one_rank(Path(sys.argv[1])))
