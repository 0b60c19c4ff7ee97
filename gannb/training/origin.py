"""Where a run starts from: its own newest checkpoint, another run's checkpoint, or a log to replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gannb.control.commands import Command
from gannb.control.parameter import Move
from gannb.runs import environment, interventions
from gannb.runs.checks import RunError, checkpoint_at, difference
from gannb.runs.folder import Run, settings_of
from gannb.training.checkpoint import Checkpoint
from gannb.training.state import TrainingState


def header(state: TrainingState) -> dict[str, Any]:
    """What a replay must have in common with this run."""
    return {
        "experiment": state.run.params.name,
        "settings": state.run.params.settings(),
        "data": state.batches.digest(),
        "weights": state.weights(),
        "environment": environment.describe(state.device),
    }


def newest(
    state: TrainingState, log: interventions.Interventions | None, here: dict[str, Any]
) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint of a resumed run (None: it was killed before its first), and faults of newer ones.

    Args:
        state: of the resumed run.
        log: the run's log, on the rank that has one.
        here: this run's header.

    Raises:
        RunError: no whole checkpoint is left, or the data were others.
    """
    run = state.run
    checkpoint, faults = state.checkpoints.newest()
    for fault in faults:
        print(f"{fault}; {'going on from the one before' if checkpoint else 'there is none before'}")
    if checkpoint is None and faults:
        raise RunError(f"no whole checkpoint is left in {run.folder.name}: {'; '.join(faults)}")
    if log is not None:
        _log_differences(run, log.header, here)
        if log.header["data"] != here["data"]:
            raise RunError(f"resume: the data of {run.folder.name} were others: {difference('data', log.header, here)}")
    return checkpoint, faults


def commands_to_replay(run: Run, path: Path, here: dict[str, Any]) -> list[Command]:
    """The commands of a log to give again; says first what forbids bit-equality.

    Args:
        run: the replaying run.
        path: the log, an `interventions.yaml`.
        here: the replaying run's header.

    Raises:
        RunError: the log belongs to another run.
    """
    there, commands = interventions.read(path)
    _log_differences(run, there, here)
    changed = [
        name for name in ("experiment", "settings", "data", "weights") if there.get(name, here[name]) != here[name]
    ]
    if changed:
        raise RunError(f"replay: {path.name} belongs to another run: {difference(changed[0], there, here)}")
    went_on = max((i for i, c in enumerate(commands) if c.do == "resume"), default=-1)
    ends = [c.do == "stop" and i > went_on for i, c in enumerate(commands)]
    return [c for c, end in zip(commands, ends) if c.do not in ("pause", "step", "stop") or end]


def _log_differences(run: Run, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Say what forbids bit-equality before anything else is said of it."""
    for fault in environment.differences(there.get("environment", {}), here["environment"]):
        run.event("not comparable", says=fault)
        print(f"not comparable bit for bit: {fault}")


def branch(state: TrainingState, where: str) -> None:
    """Start from another run's checkpoint; numbers that are configured otherwise here take their new value.

    Args:
        state: of the run that starts.
        where: a checkpoint's file, or a run folder (its newest checkpoint).

    Raises:
        RunError: no checkpoint there, or one that lies in no run folder.
    """
    path = checkpoint_at(where, state.run.folder.parent)
    parent = path.parent.parent
    if not (parent / "params.yaml").is_file():
        raise RunError(f"branch: {path.name} lies in no run folder, so nothing says what it was run with")
    configured = state.numbers.values()
    state.load(Checkpoint.read(path), strict=False)
    before, here = settings_of(parent), state.run.params.settings()
    changed = {k: [before.get(k), v] for k, v in here.items() if before.get(k) != v}
    state.seconds, state.best = 0.0, {}
    source = f"{parent.parent.name}/{parent.name}"
    state.run.event("branched", state.step, parent=source, checkpoint=path.name, changed=changed)
    state.numbers.put({name: value for name, value in configured.items() if name in changed})
    for name, value in state.numbers.values().items():
        if value != configured[name]:
            state.log_move(Move(state.step, name, configured[name], value, "branch", "applied"))
