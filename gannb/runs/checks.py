"""Where a run is to start from: checked before anything heavy is loaded, so that a bad value ends at once."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from gannb.config import presets
from gannb.config.experiment import Experiment
from gannb.config.faults import BadInput, NotFound
from gannb.config.yaml_files import read_yaml
from gannb.control.echo import shown
from gannb.runs import files, interventions, locations

CLASSES = "classes.json"


class RunError(BadInput):
    """A run folder that cannot be used as requested, and what to do."""


def check_start(params: Experiment) -> None:
    """Check what a run resumes, branches from and replays.

    Raises:
        RunError: there is none, or it belongs to another run.
    """
    if params.resume:
        resumable(params)
        return
    if params.init_from:
        initial_weights(params)
    if params.branch:
        file = checkpoint_at(params.branch, locations.home(params.runs) / params.name)
        if not (file.parent.parent / "params.yaml").is_file():
            raise RunError(f"branch: {file.name} lies in no run folder, so nothing says what it was run with")
    if params.replay:
        _replayable(params)


def writable_folder(path: Path, flag: str) -> Path:
    """Make a folder where it is missing, and try whether files can be written to it.

    Args:
        path: the folder.
        flag: what named it, for the message.

    Raises:
        BadInput: it cannot be made, or nothing can be written to it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise BadInput(f"{flag}: cannot write to {shown(str(path))} ({error.strerror}); name another folder") from error


def resumable(params: Experiment) -> Path:
    """The folder to resume, after a check that it is complete and of these parameters.

    Raises:
        RunError: it is not.
    """
    folder = Path(params.resume).expanduser()
    if not folder.is_dir():
        try:
            folder = locations.find(params.resume, params.runs, params.name)
        except NotFound as error:
            raise RunError(f"resume: {error}; it was moved or deleted") from error
    lost = [name for name in ("params.yaml", "events.jsonl", "metrics.jsonl") if not (folder / name).is_file()]
    left = any((folder / "checkpoints").glob("step-*.safetensors"))
    if left or (not lost and any(e["kind"] == "checkpoint" for e in files.read_lines(folder / "events.jsonl"))):
        lost += ["interventions.yaml"] * (not (folder / "interventions.yaml").is_file()) + ["checkpoints/"] * (not left)
    if lost:
        raise RunError(
            f"resume: {folder.name} is not a complete run folder, it has no {', '.join(lost)}; nothing was changed"
        )
    _same_settings(params, read_yaml(folder / "params.yaml"), folder)
    return folder.resolve()


def _same_settings(params: Experiment, there: dict[str, Any], folder: Path) -> None:
    """Refuse to resume with other parameters; larger values of those that grow (epochs) are allowed."""
    experiment = there.pop("experiment", None)
    if experiment != params.name:
        raise RunError(f"resume: {folder.name} is a run of {shown(experiment)}, not of {params.name}")
    declared, here = params.declarations(), params.settings()
    faults = []
    for name in {**there, **here}:
        old, new = there.get(name), here.get(name)
        grown = isinstance(old, int | float) and isinstance(new, int | float) and new > old
        if old != new and not (grown and name in here and declared[name].grows):
            faults.append((name, old, new))
    if faults:
        lines = "\n".join(f"  {n}: {shown(old)} in the run, {shown(new)} given" for n, old, new in faults)
        flags = " ".join(f"-p {n}={shown(new)}" for n, _, new in faults)
        raise RunError(
            f"resume: {folder.name} was run with other parameters\n{lines}\n"
            f"start a branch of it instead: gannb run {params.name} --branch {folder.name} {flags}"
        )


def params_of(folder: Path) -> Experiment:
    """The configuration of a run folder.

    Raises:
        RunError: of no experiment here, or with values that are not allowed (any more).
    """
    settings = read_yaml(folder / "params.yaml")
    try:
        return presets.declaration(settings.pop("experiment", ""))(**settings)
    except BadInput as error:
        raise RunError(f"{folder.name} was run with parameters that this gannb does not read: {error}") from error


def classes_of(folder: Path) -> dict[str, int]:
    """The classes of a conditional run, in order: by name, how many training images each has.

    Raises:
        RunError: they were not kept.
    """
    if not (folder / CLASSES).is_file():
        raise RunError(f"{folder.name} has no {CLASSES}, which a conditional run writes as it starts")
    return json.loads((folder / CLASSES).read_text(encoding="utf-8"))


def initial_weights(params: Experiment) -> Path:
    """The file that `init_from` names: of a run its best checkpoint, or else its newest.

    Raises:
        RunError: there is none, or a safetensors file that is damaged.
    """
    path = Path(params.init_from).expanduser()
    best = path / "checkpoints" / "best.safetensors"
    path = best if best.is_file() else path
    if path.is_dir() or path.suffix == ".safetensors":
        return checkpoint_at(str(path), path.parent, "init_from")
    return path


def checkpoint_at(where: str, runs: Path, given_by: str = "branch") -> Path:
    """A checkpoint named by its file, by a run folder (its newest), or by both ("RUN/NAME").

    Args:
        where: a path, the name of a run folder, or one of these and the name of a checkpoint in it.
        runs: the experiment's run folders.
        given_by: the parameter, for the message.

    Raises:
        RunError: there is no checkpoint.
    """
    for path in (Path(where).expanduser(), runs / where):
        checkpoints = sorted(path.glob("checkpoints/step-*.safetensors"))
        if path.is_file() or checkpoints:
            return _safetensors(path if path.is_file() else checkpoints[-1], given_by)
        if (named := path.parent / "checkpoints" / f"{path.name}.safetensors").is_file():
            return _safetensors(named, given_by)
    raise RunError(f"{given_by}: no checkpoint and no run folder at {shown(where)}")


def _safetensors(path: Path, given_by: str) -> Path:
    """The file itself, after a look at its head."""
    try:
        with safe_open(path, "np"):
            return path
    except SafetensorError as error:
        raise RunError(f"{given_by}: {path.name} is no checkpoint, or a damaged one") from error


def _replayable(params: Experiment) -> None:
    path = Path(params.replay).expanduser()
    try:
        there, _ = interventions.read(path)
    except (OSError, ValueError) as error:
        raise RunError(f"replay: {error}") from error
    for name, here in (("experiment", params.name), ("settings", params.settings())):
        if there.get(name, here) != here:
            raise RunError(f"replay: {path.name} belongs to another run: {difference(name, there, {name: here})}")


def difference(name: str, there: dict[str, Any], here: dict[str, Any]) -> str:
    """In what two headers of logs differ, in words.

    Args:
        name: an entry that is not the same in both.
        there: one header.
        here: the other.
    """
    if name != "settings":
        return f"{name} is {shown(there[name])} there, {shown(here[name])} here"
    keys = [k for k in {**there[name], **here[name]} if there[name].get(k) != here[name].get(k)]
    return "; ".join(f"{k} is {shown(there[name].get(k))} there, {shown(here[name].get(k))} here" for k in keys)
