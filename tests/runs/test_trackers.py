"""Trackers follow a run live; after a resume each step is there once; a fault of theirs is said once, and no more."""

import sys
import types
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gannb import cli
from gannb.config.faults import ParameterError
from gannb.control.commands import Command
from gannb.data.toys import toy as toy_of
from gannb.experiments.tour.params import Tour
from gannb.experiments.tour.training import point_trainer
from gannb.metrics.score import Score, Scores
from gannb.runs import trackers
from gannb.runs.folder import Run
from gannb.training.interrupt import Paused
from gannb.training.trainer import Trainer


def tour(runs: Path, **given: object) -> Trainer:
    p = Tour(runs=str(runs), **{"width": 8, "batch_size": 16, "steps": 40} | given)
    return point_trainer(p, Run.open(p), toy_of(p.toy, seed=p.seed))


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard itself reads from a log."""
    log = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {name: [(event.step, event.value) for event in log.Scalars(name)] for name in log.Tags()["scalars"]}


def measured(run: Run, name: str) -> list[tuple[int, float]]:
    series = run.history[name]
    return [(int(step), pytest.approx(value, rel=1e-6)) for step, value in zip(series.steps, series.values)]


def test_tensorboard_follows_live_and_holds_everything(tmp_path: Path) -> None:
    trainer, seen = tour(tmp_path, track=["tensorboard"]), {}
    trainer.session.inbox.put(Command("move", "lr_d", 1e-3))

    def look(trainer: Trainer) -> None:
        if trainer.step == 25:
            seen.update(scalars(trainer.run.folder / "tensorboard"))

    trainer.watchers.append(look)
    trainer.fit(steps=40, quiet=True)
    trainer.finish(Scores([Score("modes", 7.0), Score.missing("fid", "no weights")]))
    assert len(seen["D/loss"]) >= 20, "seen while it trains"
    found = scalars(trainer.run.folder / "tensorboard")
    assert found["D/loss"] == measured(trainer.run, "D/loss") and len(found["D/loss"]) == 40
    assert found["numbers/lr_d"] == [(0, pytest.approx(1e-3))] and found["score/modes"] == [(40, 7.0)]
    assert "score/fid" not in found
    assert cli.main(["export", "--tensorboard", str(trainer.run.folder), str(tmp_path / "later")]) == 0
    later = scalars(tmp_path / "later" / "tensorboard")
    assert later == {name: values for name, values in found.items() if not name.startswith("score/")}


def test_after_a_kill_and_a_resume_each_step_is_there_once(tmp_path: Path) -> None:
    first = tour(tmp_path, track=["tensorboard"])
    first.fit(steps=25, quiet=True)
    for _, path in first.checkpoints.by_step()[:1]:
        path.unlink()  # as if it was killed before its last checkpoint
    again = tour(tmp_path, track=["tensorboard"], resume=str(first.run.folder))
    again.fit(steps=40, quiet=True)
    found = scalars(again.run.folder / "tensorboard")["G/loss"]
    assert [step for step, _ in found] == list(range(1, 41)) and found == measured(again.run, "G/loss")


def test_a_pause_ends_the_trackers_session_after_its_last_row(tmp_path: Path, monkeypatch) -> None:
    told: list[object] = []

    class Listening:
        def __init__(self, folder: Path, settings: object, step: int) -> None:
            told.append("opened")

        def log(self, step: int, values: object) -> None:
            told.append(step)

        def close(self) -> None:
            told.append("closed")

    monkeypatch.setitem(trackers.TRACKERS, "wandb", Listening)
    trainer = tour(tmp_path, track=["wandb"])
    trainer.watchers.append(lambda t: t.step == 17 and t.session.inbox.put(Command("pause")))
    with pytest.raises(Paused):
        trainer.fit(steps=40, quiet=True)
    assert told == ["opened", *range(1, trainer.step + 1), "closed"]


class Failing:
    """Fails at its third row, and would say so again."""

    def __init__(self, *given: object) -> None:
        self.rows = 0

    def log(self, step: int, values: object) -> None:
        self.rows += 1
        if self.rows >= 3:
            raise ConnectionError("the server is gone")


def test_a_failing_tracker_is_said_once_and_costs_nothing(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(trackers.TRACKERS, "wandb", Failing)
    monkeypatch.setitem(trackers.TRACKERS, "mlflow", lambda *given: sys.exit("no such experiment"))
    plain, tracked = tour(tmp_path / "a"), tour(tmp_path / "b", track=["wandb", "mlflow", "tensorboard"])
    for trainer in (plain, tracked):
        trainer.fit(steps=40, quiet=True)
        trainer.finish()
    assert tracked.weights() == plain.weights()
    said = capsys.readouterr().err
    assert said.count("wandb gets nothing from here on: ConnectionError: the server is gone") == 1
    assert said.count("mlflow gets nothing from here on: SystemExit: no such experiment") == 1
    assert len(scalars(tracked.run.folder / "tensorboard")["D/loss"]) == 40, "the others go on"


def test_weights_and_biases_gets_one_run_per_folder_in_the_order_of_steps(tmp_path: Path, monkeypatch) -> None:
    opened, logged = [], []

    class Opened:
        def log(self, values: dict, step: int) -> None:
            logged.append((step, values))

        def finish(self) -> None:
            logged.append("finished")

    stand_in = types.SimpleNamespace(init=lambda **given: opened.append(given) or Opened())
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    trainer = tour(tmp_path, track=["wandb"])
    trainer.watchers.append(lambda t: t.step == 13 and t.session.inbox.put(Command("move", "lr_d", 1e-3)))
    trainer.fit(steps=40, quiet=True)
    trainer.finish()
    assert [given["id"] for given in opened] == [trainer.run.folder.name] and opened[0]["config"]["width"] == 8
    assert logged.pop() == "finished"
    steps = [step for step, _ in logged]
    assert steps == sorted(steps), "W&B drops what comes late"
    assert {"numbers/lr_d": 1e-3} in [values for step, values in logged if step in (13, 14)]


def test_what_is_not_installed_or_unknown_is_named_before_anything_starts(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(ParameterError, match=r"track.*allowed: tensorboard \| wandb \| mlflow"):
        Tour(track=["wanbd"])
    monkeypatch.setattr("gannb.config.experiment.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match="'mlflow'; the package is not installed: pip install mlflow"):
        Tour(track=["mlflow"]).on_this_machine()


def test_tracking_does_not_make_a_run_another() -> None:
    assert Tour(track=["tensorboard"]).hash == Tour().hash
