"""The first steps of `04_particles_sagan`, of which the notebook keeps a fingerprint: a changed turn changes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gannb.runs import reference
from gannb.runs.reference import Trained, store
from gannb.training.trainer import Trainer
from gannb.training.turn import Turn
from tests.notebooks.trainers import trainer_of

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(folder: Path, plant: Callable[[Trainer], object] = lambda trainer: None) -> Trained:
    """What the notebook compares, after five steps."""
    trainer = trainer_of("04_particles_sagan", runs=str(folder))
    plant(trainer)
    norms = {}
    for _ in range(5):
        trainer.advance()
        trainer.recorder.read()
        norms = norms or {f"{who}'s gradient norm": trainer.recorder.last[f"{who}/grad_norm"] for who in "DG"}
    return Trained("", trainer.run, {"weights": trainer.weights()[:16]} | norms, within=0.02)


def another_power_iteration(trainer: Trainer) -> None:
    """A look at one weight of D in training mode, where spectral normalisation iterates."""
    discriminator = trainer.players["D"].module.train()
    _ = next(module for module in discriminator.modules() if hasattr(module, "parametrizations")).weight


def generated_first(trainer: Trainer) -> None:
    """D sees generated images before real ones, so that its power iterations and gradients come in another order."""
    losses = trainer.players["D"].loss.__self__

    def d_loss(turn: Turn) -> object:
        fake = turn.D(losses.view(turn, losses.generate(turn)))
        return losses.adversarial.d(turn.D(losses.view(turn, turn.batch)), fake)

    trainer.players["D"].loss = d_loss


@pytest.mark.parametrize("plant", [another_power_iteration, generated_first])
def test_a_changed_turn_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant) -> None:
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "references")
    before = trained(tmp_path)
    store(before.run.folder, before.run.params.name, before.run.params.hash)
    assert "the reference is" not in repr(before) and repr(trained(tmp_path)) == repr(before)
    assert f"the reference is {before.values['weights']}" in repr(trained(tmp_path, plant))
