"""How a run begins: fresh, resumed at its newest whole checkpoint, branched from another's, or replaying a log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gannb import ranks
from gannb.dynamics.steering import Command
from gannb.runs import environment, interventions
from gannb.runs.folder import Run, RunError, settings_of
from gannb.training.checkpoint import Checkpoint, Checkpoints
from gannb.training.helm import Helm

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer


def begin(trainer: Trainer) -> Helm:
    """Bring a trainer to where its parameters say, and give it its helm.

    Raises:
        RunError: no whole checkpoint, a log of another run, nothing to branch from.
    """
    params = trainer.run.params
    if params.branch and not trainer.run.resumed:
        _branch(trainer, params.branch)
    header = _header(trainer)
    replayed = _replayed(trainer.run, Path(params.replay).expanduser(), header) if params.replay else []
    log = interventions.Interventions(trainer.run.path("interventions.yaml"), header) if trainer.run.writes else None
    helm = Helm(trainer, log)
    if trainer.run.resumed:
        helm.applied = _resume(trainer)
        mine = ranks.share(log.commands[helm.applied :] if log else [])
        helm.set_out([c for c in mine if c.do not in ("pause", "stop")], relog=False)
    else:
        helm.set_out(replayed, relog=True)
    return helm


def _resume(trainer: Trainer) -> int:
    """Load the newest whole checkpoint; returns how many logged commands it had seen."""
    run = trainer.run
    checkpoint, faults = trainer.checkpoints.newest()
    for fault in faults:
        run.event("damaged", says=fault)
        print(f"{fault}; {'going on from the one before' if checkpoint else 'there is none before'}")
    if checkpoint is None and faults:
        raise RunError(f"no whole checkpoint is left in {run.folder.name}: {'; '.join(faults)}")
    if checkpoint is None:  # killed before the first one: from the start
        run.cut(0, 0)
        return 0
    trainer.load(checkpoint)
    run.cut(trainer.step, checkpoint.state["seq"])
    run.event("resumed", trainer.step, faults=faults)
    return checkpoint.state["commands"]


def _replayed(run: Run, path: Path, here: dict[str, Any]) -> list[Command]:
    """The commands of a log to make again; says first what forbids bit-equality."""
    there, commands = interventions.read(path)
    changed = [
        name for name in ("experiment", "settings", "data", "weights") if there.get(name, here[name]) != here[name]
    ]
    if changed:
        raise RunError(f"replay: {path.name} belongs to another run: {_difference(changed[0], there, here)}")
    for difference in environment.differences(there.get("environment", {}), here["environment"]):
        run.event("not comparable", says=difference)
        print(f"not comparable bit for bit: {difference}")
    went_on = max((i for i, c in enumerate(commands) if c.do == "resume"), default=-1)
    ends = [c.do == "stop" and i > went_on for i, c in enumerate(commands)]
    acts = ("move", "hold", "release", "checkpoint", "rollback")
    return [c for c, end in zip(commands, ends) if c.do in acts or end]


def _difference(name: str, there: dict[str, Any], here: dict[str, Any]) -> str:
    if name != "settings":
        return f"{name} is {there[name]} there, {here[name]} here"
    keys = [k for k in {**there[name], **here[name]} if there[name].get(k) != here[name].get(k)]
    return "; ".join(f"{k} is {there[name].get(k)!r} there, {here[name].get(k)!r} here" for k in keys)


def _branch(trainer: Trainer, where: str) -> None:
    """Start from another run's checkpoint; numbers that this run was told otherwise take their new value."""
    path = _checkpoint_at(where, trainer.run)
    trainer.load(Checkpoint.read(path), strict=False)
    parent = path.parent.parent
    before, here = settings_of(parent), trainer.run.params.settings()
    changed = {k: [before.get(k), v] for k, v in here.items() if before.get(k) != v}
    for name in changed.keys() & trainer.numbers.parameters.keys():
        trainer.numbers[name].held = False
        trainer.tell(trainer.numbers.move(trainer.step, name, here[name], "branch"))
    trainer.seconds, trainer.best = 0.0, {}
    source = f"{parent.parent.name}/{parent.name}"
    trainer.run.event("branched", trainer.step, parent=source, checkpoint=path.name, changed=changed)


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
