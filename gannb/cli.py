"""The command line: `gannb run | list | params | doctor | report | sweep | score | diagnose | export`.

Parameters are checked before anything heavy is imported, so a bad value ends within two seconds.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gannb import __version__

DONE, FAILED, BAD_PARAMETERS, INTERRUPTED = 0, 1, 2, 130

# Commands that live with what they command: each module has `add_parser(subparsers)` and `main(args)`.
ELSEWHERE = {
    "sweep": ("gannb.batch.sweep.command", "run many trials of a notebook on a cluster"),
    "score": ("gannb.metrics.score_folders", "score a folder of generated images against a folder of real ones"),
    "diagnose": (
        "gannb.experiments.identity.diagnostics",
        "diagnose face features, raw or cleaned by a trained identity run",
    ),
}


class BadInput(ValueError):
    """A request that cannot be carried out; the message says what is allowed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 bad parameters, 130 interrupted."""
    argv = list(sys.argv[1:] if argv is None else argv)
    args = _parser(argv).parse_args(argv)
    try:
        with _signals_interrupt():
            return args.command(args) or DONE
    except BadInput as error:
        complaint, code = str(error), BAD_PARAMETERS
    except KeyboardInterrupt:
        complaint, code = "interrupted", INTERRUPTED
    except OSError as error:  # a full disk, a folder that is gone or cannot be written to
        complaint, code = str(error), FAILED
    except Exception as error:  # unforeseen: one line here, the traceback in a file
        complaint, code = f"{type(error).__name__}: {error}\nthe traceback is in {_traceback()}", FAILED
    print(f"gannb: {complaint}", file=sys.stderr)
    return code


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


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gannb", description="Notebooks for people who train GANs.")
    parser.add_argument("--version", action="version", version=f"gannb {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="run an experiment's notebook")
    run.set_defaults(command=_run)
    run.add_argument("name", metavar="NAME", help="the experiment (see `gannb list`)")
    run.add_argument("--preset", metavar="P", help="a preset of its parameters (default: quick)")
    run.add_argument("-p", "--param", metavar="KEY=VALUE", action="append", default=[], help="one parameter; repeat it")
    run.add_argument("--runs", metavar="DIR", help="where run folders go (default: $GANNB_RUNS, else runs/)")
    run.add_argument("--resume", metavar="RUN", help="go on with a run folder, or with `last`")
    run.add_argument("--branch", metavar="CHECKPOINT", help="start from a checkpoint of another run")
    run.add_argument("--replay", metavar="FILE", help="make the moves of an interventions.yaml again")
    run.add_argument("--ranks", metavar="N", type=int, default=1, help="processes that share the run (torchrun)")

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

    export = commands.add_parser("export", help="write a run's measurements for another tool")
    export.set_defaults(command=_export)
    export.add_argument("--tensorboard", metavar="RUN", required=True, help="a run folder")
    export.add_argument("--out", metavar="DIR", help="where the log goes (default: RUN/tensorboard)")

    for name, (module, meaning) in ELSEWHERE.items():
        if argv and argv[0] == name:
            found = importlib.import_module(module)
            found.add_parser(commands)
            commands.choices[name].set_defaults(command=found.main)
        else:
            commands.add_parser(name, help=meaning)
    return parser


# ------------------------------------------------------------------------------------------------------------- run


def _run(args: argparse.Namespace) -> int:
    values, base = _checked(args)
    from gannb.batch.ranks import execute
    from gannb.config.presets import notebook

    outcome = execute(notebook(args.name), values, base, ranks=args.ranks)
    complaint, code = _verdict(outcome, args.name)
    if complaint:
        print(f"gannb: {complaint}", file=sys.stderr)
    if outcome.folder:
        print(f"run: {outcome.folder}")
    return code


def _checked(args: argparse.Namespace) -> tuple[dict[str, Any], Path]:
    """The parameters to inject, all valid, and where the experiment's run folders are."""
    from gannb.config import presets
    from gannb.config.faults import ParameterError
    from gannb.runs import locations

    try:
        declared = presets.declaration(args.name)
        values = _resumed(args) if args.resume else {"preset": args.preset or "quick"}
        if args.preset or not args.resume:
            values |= presets.preset(args.name, args.preset or "quick")
        values |= _execution(args) | {name: _read(declared, name, text) for name, text in map(_pair, args.param)}
        checked = declared(**values)
    except (LookupError, ParameterError, FileNotFoundError) as error:
        raise BadInput(str(error)) from error
    if args.ranks < 1:
        raise BadInput(f"--ranks: given {args.ranks}; allowed: 1 or more")
    if args.resume:
        _same_run(checked)
    base = locations.home(checked.runs) / args.name
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"cannot write to {base} ({error.strerror}); name another folder by --runs") from error
    if not os.access(base, os.W_OK):
        raise BadInput(f"cannot write to {base} (it is read-only); name another folder by --runs")
    return {name: getattr(checked, name) for name in values}, base


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadInput(f"-p: given {text!r}; write it as name=value")
    return name.strip(), value


def _read(declared: Any, name: str, text: str) -> Any:
    """A value as the declaration reads it: strings untouched, lists and truth values as YAML, numbers left to it."""
    kind = declared.model_fields[name].annotation if name in declared.model_fields else str
    if kind in (str, int, float):
        return text
    from gannb.config.yaml_files import parse_yaml

    return parse_yaml(text)


def _execution(args: argparse.Namespace) -> dict[str, str]:
    """Execution options with absolute paths, because a kernel may have another working directory."""
    for flag, path in (("--replay", args.replay), ("--branch", args.branch)):
        if path and flag == "--replay" and not Path(path).expanduser().is_file():
            raise FileNotFoundError(f"{flag}: no file {path}")
    given = {"runs": args.runs, "replay": args.replay, "branch": args.branch}
    paths = {name: Path(path).expanduser() for name, path in given.items() if path}
    return {name: str(path.resolve() if path.exists() or name == "runs" else path) for name, path in paths.items()}


def _resumed(args: argparse.Namespace) -> dict[str, Any]:
    """The parameters of the run to resume."""
    from gannb.config.yaml_files import read_yaml
    from gannb.runs import locations

    folder = locations.find(args.resume, args.runs or "", args.name)
    settings = read_yaml(folder / "params.yaml")
    settings.pop("experiment", None)
    return settings | {"resume": str(folder)}


def _same_run(params: Any) -> None:
    from gannb.runs import folder

    try:
        folder._resumable(params)
    except folder.RunError as error:
        raise BadInput(str(error)) from error


def _verdict(outcome: Any, name: str) -> tuple[str, int]:
    """The complaint, if any, and the exit code."""
    from gannb.batch.papermill import missing

    if outcome.interrupted:
        if outcome.folder is None:
            return "interrupted; no run was opened", INTERRUPTED
        steps = [int(path.stem.removeprefix("step-")) for path in outcome.folder.glob("checkpoints/step-*.safetensors")]
        saved = f", saved at step {max(steps)}" if steps else ""
        return f"interrupted{saved}; go on with `gannb run {name} --resume {outcome.folder}`", INTERRUPTED
    if outcome.failure:
        return f"{name} failed {outcome.failure}\nsee {outcome.executed}{_way_on(outcome.folder, name)}", FAILED
    if outcome.folder is None:
        return f"{name} ran to its end but opened no run folder", FAILED
    if lacking := missing(outcome.folder):
        return "\n  ".join(["the run folder does not hold what it should:", *lacking]), FAILED
    return "", DONE


def _way_on(folder: Path | None, name: str) -> str:
    """How to go on after a failure, where there is a checkpoint."""
    if folder is None or not any(folder.glob("checkpoints/step-*")):
        return ""
    return f"\ngo on from its newest checkpoint with `gannb run {name} --resume {folder}`"


# -------------------------------------------------------------------------------------------------- the other ones


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

    try:
        declared = presets.declaration(args.name)
        print(declared(**presets.preset(args.name, args.preset or "quick")).table())
    except LookupError as error:
        raise BadInput(str(error)) from error
    return DONE


def _doctor(args: argparse.Namespace) -> int:
    from gannb.doctor import examine

    print(examine())
    return DONE


def _report(args: argparse.Namespace) -> int:
    from gannb.batch import report
    from gannb.runs import locations

    try:
        folders = [locations.find(one, args.runs or "") for one in args.folders] or locations.folders(args.runs or "")
    except FileNotFoundError as error:
        raise BadInput(str(error)) from error
    if not folders:
        raise BadInput(f"no runs in {locations.home(args.runs or '')}: make one with `gannb run NAME`")
    out = Path(args.out).expanduser() if args.out else locations.home(args.runs or "").parent / "report"
    print(f"report: {report.write(folders, out)}")
    return DONE


def _export(args: argparse.Namespace) -> int:
    from gannb.batch import tensorboard
    from gannb.runs import locations

    try:
        folder = locations.find(args.tensorboard)
        written = tensorboard.export(folder, Path(args.out).expanduser() if args.out else folder / "tensorboard")
    except (FileNotFoundError, tensorboard.NotInstalled) as error:
        raise BadInput(str(error)) from error
    print(f"tensorboard: {written}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
