"""How a run begins: fresh, resumed at its newest whole checkpoint, branched from another's, or replaying a log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gannb.control.commands import Command
from gannb.control.parameter import Move
from gannb.runs import environment, interventions
from gannb.runs.folder import Run, RunError, settings_of
from gannb.training.checkpoint import Checkpoint, Checkpoints
from gannb.training.steering import Helm

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer


def begin(trainer: Trainer) -> Helm:
    """Bring a trainer to where its parameters say, and give it its helm.

    Raises:
        RunError: no whole checkpoint, other data, a log of another run, nothing to branch from.
    """
    run, params = trainer.run, trainer.run.params
    if params.branch and not run.resumed:
        _branch(trainer, params.branch)
    header = _header(trainer)
    replayed = []
    if params.replay and not run.resumed:  # a resumed replay goes on by itself
        replayed = _replayed(run, Path(params.replay).expanduser(), header)
    log = interventions.Interventions(run.path("interventions.yaml"), header) if run.writes else None
    trainer.helm = Helm(trainer, log)
    checkpoint, faults = _newest(trainer, log, header) if run.resumed else (None, [])
    if checkpoint:
        trainer.load(checkpoint)
        run.cut(trainer.step, checkpoint.state["seq"])
        trainer.helm.load_state_dict(checkpoint.state["helm"])
        run.event("resumed", trainer.step, faults=faults)
    else:  # from the first step on there is something to resume, to roll back to, to branch from
        trainer.helm.plan(replayed=replayed)
        trainer.checkpoint()
    return trainer.helm


def _newest(
    trainer: Trainer, log: interventions.Interventions | None, here: dict[str, Any]
) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint, None where a run was killed before its first; and what is wrong with newer ones."""
    run = trainer.run
    checkpoint, faults = trainer.checkpoints.newest()
    for fault in faults:
        print(f"{fault}; {'going on from the one before' if checkpoint else 'there is none before'}")
    if checkpoint is None and faults:
        raise RunError(f"no whole checkpoint is left in {run.folder.name}: {'; '.join(faults)}")
    if log is not None:
        _tell_differences(run, log.header, here)
        if log.header["data"] != here["data"]:
            raise RunError(
                f"resume: the data of {run.folder.name} were others: {_difference('data', log.header, here)}"
            )
    return checkpoint, faults


def _replayed(run: Run, path: Path, here: dict[str, Any]) -> list[Command]:
    """The commands of a log to make again; says first what forbids bit-equality."""
    there, commands = interventions.read(path)
    _tell_differences(run, there, here)
    changed = [
        name for name in ("experiment", "settings", "data", "weights") if there.get(name, here[name]) != here[name]
    ]
    if changed:
        raise RunError(f"replay: {path.name} belongs to another run: {_difference(changed[0], there, here)}")
    went_on = max((i for i, c in enumerate(commands) if c.do == "resume"), default=-1)
    ends = [c.do == "stop" and i > went_on for i, c in enumerate(commands)]
    return [c for c, end in zip(commands, ends) if c.do not in ("pause", "step", "stop") or end]


def _tell_differences(run: Run, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Say what forbids bit-equality before anything else is said of it."""
    for difference in environment.differences(there.get("environment", {}), here["environment"]):
        run.event("not comparable", says=difference)
        print(f"not comparable bit for bit: {difference}")


def _difference(name: str, there: dict[str, Any], here: dict[str, Any]) -> str:
    if name != "settings":
        return f"{name} is {there[name]} there, {here[name]} here"
    keys = [k for k in {**there[name], **here[name]} if there[name].get(k) != here[name].get(k)]
    return "; ".join(f"{k} is {there[name].get(k)!r} there, {here[name].get(k)!r} here" for k in keys)


def _branch(trainer: Trainer, where: str) -> None:
    """Start from another run's checkpoint; numbers that this run was told otherwise take their new value."""
    path = _checkpoint_at(where, trainer.run)
    parent = path.parent.parent
    if not (parent / "params.yaml").is_file():
        raise RunError(f"branch: {path.name} lies in no run folder, so nothing says what it was run with")
    told = trainer.numbers.values()
    trainer.load(Checkpoint.read(path), strict=False)
    before, here = settings_of(parent), trainer.run.params.settings()
    changed = {k: [before.get(k), v] for k, v in here.items() if before.get(k) != v}
    trainer.seconds, trainer.best = 0.0, {}
    source = f"{parent.parent.name}/{parent.name}"
    trainer.run.event("branched", trainer.step, parent=source, checkpoint=path.name, changed=changed)
    trainer.numbers.put({name: value for name, value in told.items() if name in changed})
    for name, value in trainer.numbers.values().items():
        if value != told[name]:
            trainer.tell(Move(trainer.step, name, told[name], value, "branch", "applied"))


def _checkpoint_at(where: str, run: Run) -> Path:
    """A checkpoint named by its file, or by a run folder (its newest)."""
    for path in (Path(where).expanduser(), run.folder.parent / where):
        if path.is_file():
            return path
        if path.is_dir():
            return Checkpoints(path / "checkpoints").find("last")
    raise RunError(f"branch: no checkpoint and no run folder at {where!r}")


def _header(trainer: Trainer) -> dict[str, Any]:
    """What a replay must have in common with this run."""
    return {
        "experiment": trainer.run.params.name,
        "settings": trainer.run.params.settings(),
        "data": trainer.batches.digest(),
        "weights": trainer.weights(),
        "environment": environment.describe(trainer.device),
    }
