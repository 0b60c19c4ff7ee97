"""LeCam regularisation and dropout in D on the notebook's own trainer: captured, resumed, and what the means follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from gannb.training.trainer import Trainer
from tests.notebooks.trainers import trainer_of

GIVEN = {"lecam_weight": 0.1, "network_options": {"dropout": 0.2}, "image_size": 16, "ngf": 8, "ndf": 8}

pytestmark = pytest.mark.usefixtures("one_thread")


def trainer(folder: Path, **given: object) -> Trainer:
    found = trainer_of("04_particles_sagan", **GIVEN, runs=str(folder), **given)
    found._due.clear()
    return found


def test_captured_steps_and_a_resumed_run_are_those_of_a_whole_eager_one(tmp_path: Path) -> None:
    whole = trainer(tmp_path, capture="off")
    whole.fit(steps=12, quiet=True)
    captured = trainer(tmp_path, capture="on")
    captured.fit(steps=6, quiet=True)
    assert str(captured.captured["D"]) == "1 graph"
    captured.checkpoint()
    again = trainer(tmp_path, resume=str(captured.run.folder))
    again.fit(steps=12, quiet=True)
    assert again.weights() == whole.weights() and again.numbers.values() == whole.numbers.values()


def test_both_means_are_those_of_what_was_logged(tmp_path: Path) -> None:
    found = trainer(tmp_path)
    found.fit(steps=8, quiet=True)
    for kind in ("real", "fake"):  # the plain mean at first
        logged = found.run.history[f"D/logit_{kind}"].values[:-1]
        assert found.numbers.values()[f"lecam_{kind}"] == pytest.approx(logged.mean(), rel=1e-4)


def test_each_of_them_changes_the_run(tmp_path: Path) -> None:
    ends = set()
    for given in (GIVEN, GIVEN | {"lecam_weight": 0.0}, GIVEN | {"network_options": {}}):
        found = trainer_of("04_particles_sagan", **given, runs=str(tmp_path))
        found.fit(steps=3, quiet=True)
        ends.add(found.weights())
    assert len(ends) == 3
