"""Experiment trackers that follow a run while it trains: what is recorded and what moves, as scalars by step.

A tracker is a class with the three methods of `Tracker` and one entry in `TRACKERS`, under the name of its package.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from operator import methodcaller
from pathlib import Path
from typing import Any, Protocol

from gannb.runs.files import read_lines


class Tracker(Protocol):
    """Takes scalars while a run trains.

    Args:
        folder: of the run, whose name is unique.
        settings: the run's parameters.
        step: the first step of this session; what was sent of later ones, before a kill, is sent again.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None: ...

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values of a step."""
        ...

    def close(self) -> None:
        """Have everything arrive."""
        ...


class _TensorBoard:
    """A log in the run folder's `tensorboard/`: `tensorboard --logdir runs`."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step or None)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a step's values to the disk at once, so that they are seen live."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        self.writer.close()


class _WeightsAndBiases:
    """A run of Weights & Biases under the run folder's name; `WANDB_PROJECT`, `WANDB_MODE` and others hold."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None:
        import wandb

        where: Any = {"project": os.environ.get("WANDB_PROJECT", "gannb"), "dir": str(folder), "resume": "allow"}
        named = {"id": folder.name, "name": folder.name, "group": folder.parent.name}
        self.run = wandb.init(config=dict(settings), reinit="create_new", **where, **named)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Queue a step's values."""
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        """Wait until all is sent."""
        self.run.finish()


class _MLflow:
    """A run of MLflow under the run folder's name; `MLFLOW_TRACKING_URI` and others hold."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], step: int) -> None:
        import mlflow
        from mlflow.entities import Metric, Param

        self.client, self.metric = mlflow.MlflowClient(), Metric
        experiment = mlflow.set_experiment(f"gannb/{folder.parent.name}").experiment_id
        earlier = self.client.search_runs([experiment], f"attributes.run_name = '{folder.name}'")
        run = earlier[0] if earlier else self.client.create_run(experiment, run_name=folder.name)
        self.id = run.info.run_id
        self.client.update_run(self.id, status="RUNNING")
        if not earlier:
            self.client.log_batch(self.id, params=[Param(name, str(value)[:500]) for name, value in settings.items()])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Send a step's values."""
        now = round(1000 * time.time())
        named = ((re.sub(r"[^\w\-. /:]", "_", name), value) for name, value in values.items())
        self.client.log_batch(self.id, [self.metric(name, value, now, step) for name, value in named])

    def close(self) -> None:
        """Say that the run has ended."""
        self.client.set_terminated(self.id)


TRACKERS: dict[str, Callable[[Path, Mapping[str, Any], int], Tracker]] = {
    "tensorboard": _TensorBoard,
    "wandb": _WeightsAndBiases,
    "mlflow": _MLflow,
}


class Trackers:
    """The trackers of a run. One that fails is left out from then on, which is said once; the run goes on.

    Args:
        names: keys of `TRACKERS`.
        folder: of the run.
        settings: the run's parameters.
    """

    def __init__(self, names: Iterable[str], folder: Path, settings: Mapping[str, Any]) -> None:
        self.names, self.folder, self.settings = list(names), folder, settings
        self._open: dict[str, Tracker] = {}
        self._kept: list[Mapping[str, Any]] = []

    def keep(self, step: int, values: Mapping[str, Any]) -> None:
        """Keep values that came before the rows of their step were read."""
        if self.names:
            self._kept.append({"step": step, **values})

    def send(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        """Send the numbers of rows and of what was kept, in the order of their steps, which trackers insist on."""
        if not self.names:
            return
        ordered, self._kept = sorted([*self._kept, *rows], key=lambda row: row["step"]), []
        for row in ordered:
            numbers = {k: float(v) for k, v in row.items() if isinstance(v, int | float) and k not in ("step", "epoch")}
            for name in self.names:
                self._try(name, methodcaller("log", row["step"], numbers), row["step"])

    def close(self) -> None:
        """Have everything arrive; what comes later begins a new session."""
        self.send()
        for name in list(self._open):
            self._try(name, methodcaller("close"))
            self._open.pop(name, None)

    def _try(self, name: str, do: Callable[[Tracker], None], step: int = 0) -> None:
        try:
            if name not in self._open:
                self._open[name] = TRACKERS[name](self.folder, self.settings, step)
            do(self._open[name])
        except (Exception, SystemExit) as error:
            self.names = [other for other in self.names if other != name]
            self._open.pop(name, None)
            print(f"{name} gets nothing from here on: {type(error).__name__}: {error}", file=sys.stderr)


def replay(run: Path, name: str, out: Path) -> None:
    """Send a tracker all that a run folder holds, its measurements and the paths of its numbers.

    Args:
        run: the run folder.
        name: a key of `TRACKERS`.
        out: the folder that stands for the run.
    """
    moves = [e for e in read_lines(run / "events.jsonl") if e["kind"] == "move" and e.get("outcome") == "applied"]
    moved = [{"step": e["step"], f"numbers/{e['name']}": e["new"]} for e in moves]
    trackers = Trackers([name], out, {})
    trackers.send([*read_lines(run / "metrics.jsonl"), *moved])
    trackers.close()
