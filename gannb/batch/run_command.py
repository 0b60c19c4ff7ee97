"""`gannb run`: check everything a run is given, run its notebook, and say where it is."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gannb.config import presets
from gannb.config.faults import BadInput, NotFound
from gannb.config.yaml_files import YamlError, parse_yaml, read_yaml
from gannb.control.echo import shown
from gannb.runs import locations
from gannb.runs.checks import check_start, writable_folder

DONE, FAILED, INTERRUPTED = 0, 1, 130


def add_parser(commands: Any) -> None:
    """Add `run` to the command line."""
    run = commands.add_parser("run", help="run an experiment's notebook")
    run.add_argument("name", metavar="NAME", help="the experiment (see `gannb list`)")
    run.add_argument("--preset", metavar="P", help="a preset of its parameters (default: quick)")
    run.add_argument("-p", "--param", metavar="KEY=VALUE", action="append", default=[], help="one parameter; repeat it")
    run.add_argument("--runs", metavar="DIR", help="where run folders go (default: $GANNB_RUNS, else runs/)")
    run.add_argument("--resume", metavar="RUN", help="go on with a run folder, or with `last`")
    run.add_argument("--branch", metavar="CHECKPOINT", help="start from a checkpoint of another run")
    run.add_argument("--replay", metavar="FILE", help="make the moves of an interventions.yaml again")
    run.add_argument("--ranks", metavar="N", type=int, default=1, help="processes that share the run (torchrun)")


def main(args: argparse.Namespace) -> int:
    """Run the notebook and return the exit code.

    Raises:
        BadInput: something that the run is given cannot be used; nothing was started.
    """
    values, base = checked(args)
    from gannb.batch.ranks import execute

    outcome = execute(presets.notebook(args.name), values, base, ranks=args.ranks)
    complaint, code = verdict(outcome, args.name)
    if complaint:
        print(f"gannb: {complaint}", file=sys.stderr)
    if outcome.folder:
        print(f"run: {outcome.folder}")
    return code


def checked(args: argparse.Namespace) -> tuple[dict[str, Any], Path]:
    """The parameters to inject, all valid, and where the experiment's run folders are.

    Raises:
        BadInput: something that the run is given cannot be used.
    """
    for flag in ("preset", "runs", "resume", "branch", "replay"):
        if getattr(args, flag) == "":
            raise BadInput(f"--{flag}: given an empty text; leave it out, or name something")
    if args.ranks < 1:
        raise BadInput(f"--ranks: given {args.ranks}; allowed: 1 or more")
    declared = presets.declaration(args.name)
    values = _resumed(args) if args.resume else {}
    if args.preset or not args.resume:
        values |= {"preset": args.preset or "quick"} | presets.preset(args.name, args.preset or "quick")
    values |= _execution(args) | {name: _read(declared, name, text) for name, text in map(_pair, args.param)}
    for name, value in values.items():
        if isinstance(value, str) and value != value.encode("utf-8", "replace").decode():
            raise BadInput(f"{name}: given {shown(value)}; it is no UTF-8, so no notebook can store it")
    params = declared(**values).on_this_machine()
    check_start(params)
    base = writable_folder(locations.home(params.runs) / args.name, "--runs")
    return {name: getattr(params, name) for name in values}, base


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise BadInput(f"-p: given {shown(text)}; write it as name=value")
    return name.strip(), value


def _read(declared: Any, name: str, text: str) -> Any:
    """A value as the declaration reads it: strings untouched, lists and truth values as YAML, numbers left to it."""
    kind = declared.model_fields[name].annotation if name in declared.model_fields else str
    if kind in (str, int, float):
        return text
    try:
        return parse_yaml(text)
    except YamlError as error:
        raise BadInput(f"-p {name}: given {shown(text)}; {error}") from error


def _execution(args: argparse.Namespace) -> dict[str, str]:
    """Execution options with absolute paths, because a kernel may have another working directory."""
    given = {"runs": args.runs, "replay": args.replay, "branch": args.branch}
    paths = {name: locations.path_of(text, f"--{name}") for name, text in given.items() if text}
    return {name: str(path.resolve() if path.exists() or name == "runs" else path) for name, path in paths.items()}


def _resumed(args: argparse.Namespace) -> dict[str, Any]:
    """The parameters of the run to resume."""
    try:
        folder = locations.find(args.resume, args.runs or "", args.name)
    except NotFound as error:
        raise NotFound(f"--resume: {error}") from error
    settings = read_yaml(folder / "params.yaml")
    settings.pop("experiment", None)
    return settings | {"resume": str(folder)}


def verdict(outcome: Any, name: str) -> tuple[str, int]:
    """The complaint, if any, and the exit code."""
    from gannb.batch.papermill import missing

    if outcome.interrupted:
        if outcome.folder is None:
            return "interrupted; no run was opened", INTERRUPTED
        steps = [int(path.stem.removeprefix("step-")) for path in outcome.folder.glob("checkpoints/step-*.safetensors")]
        saved = f", saved at step {max(steps)}" if steps else ""
        return f"interrupted{saved}; go on with `gannb run {name} --resume {outcome.folder}`", INTERRUPTED
    if outcome.failure and outcome.failure.error.startswith("RunError: "):  # it says what to do
        return f"{name} failed: {outcome.failure.error.removeprefix('RunError: ')}", FAILED
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
