"""The command line: `gannb COMMAND`; `gannb --help` lists the commands.

Parameters are checked before anything heavy is imported, so a bad value ends within two seconds.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from gannb import __version__
from gannb.config.faults import BadInput

DONE, FAILED, BAD_PARAMETERS, INTERRUPTED = 0, 1, 2, 130
WIDEST, MOST_LINES = 500, 40
"""Characters of a line and lines of a message, at most."""

# Commands that live with what they command: each module has `add_parser(subparsers)` and `main(args)`.
ELSEWHERE = {
    "run": ("gannb.batch.run_command", "run an experiment's notebook"),
    "sweep": ("gannb.batch.sweep.command", "run many trials of a notebook on a cluster"),
    "lab": ("gannb.batch.lab_command", "open the notebooks in JupyterLab, copied to a folder of yours where needed"),
    "score": ("gannb.batch.score_command", "score generated images against real ones: folders, runs, statistics"),
    "sample": ("gannb.batch.sample_command", "write images, points or gestures that a run's generator generates"),
    "clean": ("gannb.experiments.identity.clean_command", "take pose out of face features with a trained identity run"),
    "export": ("gannb.batch.export_command", "write a run's network for others: weights, model card, loader, ONNX"),
    "diagnose": (
        "gannb.experiments.identity.diagnose_command",
        "diagnose face features, raw or cleaned by a trained identity run",
    ),
}


class _Parser(argparse.ArgumentParser):
    """Ends with one line where argparse shows its usage as well."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_PARAMETERS, _bounded(f"{self.prog}: {message} (see {self.prog} --help)\n"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 bad parameters, 130 interrupted."""
    argv = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):  # names of any bytes, and terminals of few letters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        args = _parser(argv).parse_args(argv)
        with _signals_interrupt():
            return args.command(args) or DONE
    except BadInput as error:
        complaint, code = str(error), BAD_PARAMETERS
    except KeyboardInterrupt:
        complaint, code = "interrupted", INTERRUPTED
    except BrokenPipeError:  # the reader of the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:  # a full disk, a folder that is gone or cannot be written to
        complaint, code = str(error), FAILED
    except Exception as error:  # unforeseen: one line here, the traceback in a file
        said = str(error).partition("\n")[0][:200]
        complaint, code = f"{type(error).__name__}: {said}; the traceback is in {_traceback()}", FAILED
    print(_bounded(f"gannb: {complaint}"), file=sys.stderr)
    return code


def _bounded(text: str) -> str:
    """A message without what would fill a screen."""
    lines = [line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…" for line in text.split("\n")]
    return "\n".join(
        lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], f"… and {len(lines) - MOST_LINES} more"]
    )


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl+C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _traceback() -> str:
    """A new file with the traceback of the error that is handled."""
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="gannb-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(traceback.format_exc())
    return file.name


def _parser(argv: Sequence[str]) -> _Parser:
    parser = _Parser(prog="gannb", description="Notebooks for people who train GANs.")
    parser.add_argument("--version", action="version", version=f"gannb {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser("list", help="list the experiments and their presets")
    listing.set_defaults(command=_list)
    listing.add_argument("--names", action="store_true", help="names only, one a line")

    params = commands.add_parser("params", help="show an experiment's parameters")
    params.set_defaults(command=_params)
    params.add_argument("name", metavar="NAME")
    params.add_argument("--preset", metavar="P", help="with the values of a preset (default: quick)")

    doctor = commands.add_parser("doctor", help="say what this machine has, and what it lacks")
    doctor.set_defaults(command=_doctor)

    report = commands.add_parser("report", help="write an HTML report of runs that opens from disk")
    report.set_defaults(command=_report)
    report.add_argument("folders", metavar="RUN", nargs="*", help="run folders (default: all of them)")
    report.add_argument("--runs", metavar="DIR", help="where run folders are (default: $GANNB_RUNS, else runs/)")
    report.add_argument("--out", metavar="DIR", help="where the report goes (default: report/ beside the runs)")

    for name, (module, meaning) in ELSEWHERE.items():
        if argv and argv[0] == name:
            found = importlib.import_module(module)
            found.add_parser(commands)
            commands.choices[name].set_defaults(command=found.main)
        else:
            commands.add_parser(name, help=meaning)
    return parser


# -------------------------------------------------------------------------------------------------- the small ones


def _list(args: argparse.Namespace) -> int:
    from gannb.config import presets

    if args.names:
        print(*presets.experiments(), sep="\n")
        return DONE
    from gannb.tables import Table

    names = presets.experiments()
    rows = [(name, ", ".join(presets.presets(name)), _title(presets.notebook(name))) for name in names]
    print(Table(("name", "presets", "notebook"), rows))
    return DONE


def _title(notebook: Path) -> str:
    """The first heading of a notebook."""
    import json

    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    lines = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown").splitlines()
    return next((line.lstrip("# ") for line in lines if line.startswith("#")), notebook.stem)


def _params(args: argparse.Namespace) -> int:
    from gannb.config import presets

    declared = presets.declaration(args.name)
    print(declared(**presets.preset(args.name, args.preset or "quick")).table(every=True))
    return DONE


def _doctor(args: argparse.Namespace) -> int:
    from gannb.doctor import examine

    print(examine())
    return DONE


def _report(args: argparse.Namespace) -> int:
    from gannb.runs import locations
    from gannb.runs.checks import writable_folder

    folders = [locations.find(one, args.runs or "") for one in args.folders] or locations.folders(args.runs or "")
    if not folders:
        raise BadInput(f"no runs in {locations.home(args.runs or '')}: make one with `gannb run NAME`")
    out = locations.path_of(args.out, "--out") if args.out else locations.home(args.runs or "").parent / "report"
    writable_folder(out, "--out")
    from gannb.batch import report

    print(f"report: {report.write(folders, out)}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
