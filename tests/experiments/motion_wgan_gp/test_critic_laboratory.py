"""The laboratory's parts in the real trainer: moving critic turns, growing clips, early stopping, exact resume."""

from __future__ import annotations

import numpy as np
import torch

from gannb.control.numbers import Numbers
from gannb.data import toys
from gannb.data.batches import Batches
from gannb.experiments.motion_wgan_gp.critic_control import CriticTurns, HeldOutStalled, growing
from gannb.experiments.motion_wgan_gp.critic_metrics import distances
from gannb.experiments.motion_wgan_gp.penalties import penalty_with
from gannb.losses import adversarial as L
from gannb.networks.toys import SequenceCritic, SequenceGenerator
from gannb.random import generator, seeded
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from gannb.training.turn import Turn
from tests.training.regimes import number, open_run

TOY = toys.sequences(train=64, held_out=64)


def laboratory(run: Run, defect: str = "none", precision: str = "fp32", patience: int = 10_000) -> Trainer:
    """WGAN-GP on growing sequences."""
    with seeded(0, "networks"):
        G, D = SequenceGenerator(width=8), SequenceCritic(width=8, patches=True)
    penalise = penalty_with(defect)

    def fake(turn: Turn) -> torch.Tensor:
        return turn.G(turn.draws.randn("z", len(turn.batch), G.latent), turn.now.frames)

    def d_loss(turn: Turn) -> torch.Tensor:
        real, generated = turn.batch[:, : turn.now.frames], fake(turn)
        penalty, norms = penalise(turn.D, real, generated.float(), turn.draws.rand("mix", len(real)))
        w = L.wasserstein(turn.D(real), turn.D(generated))
        turn.log(W=w, slope=norms.mean())
        return turn.now.gp_weight * penalty - w

    def watch(trainer: Trainer) -> dict[str, float]:
        z = torch.randn(64, G.latent, generator=generator("watch"))
        return distances(trainer.network("D"), TOY.train, TOY.held_out, trainer.network("G")(z))

    moving = [number("gp_weight", 10.0, 0, 100), number("lr", 1e-3, 1e-9, 1), number("n_critic", 5, 1, 25)]
    numbers = Numbers([*moving, number("frames", 16, 16, 32)])
    numbers.drive(
        CriticTurns(check_every=4, margin=0.0),
        growing("frames", (16, 32), epochs_each=2, steps_per_epoch=4),
    )
    trainer = Trainer(
        [
            Player("D", D, d_loss, lr=lambda now: now.lr),
            Player("G", G, lambda turn: L.wasserstein_g(turn.D(fake(turn))), lr=lambda now: now.lr, ema=0.9),
        ],
        Batches(TOY.train, 16, seed=0),
        numbers,
        run,
        turns=lambda now, step: ["D"] + ["G"] * ((step + 1) % now.n_critic == 0),
        precision=precision,
        alarms=[HeldOutStalled(after=8, patience=patience, scores=2)],
        checkpoint_every=5,
        record_every=2,
    )
    trainer.every(steps=2, do=watch)
    return trainer


def test_turns_move_and_clips_grow(tmp_path) -> None:
    run = open_run(tmp_path)
    trainer = laboratory(run)
    trainer.fit(steps=20)
    moves = run.events("move")
    assert {move["by"] for move in moves} == {"critic turns", "growing"}
    assert [(move["step"], move["new"]) for move in moves if move["name"] == "frames"] == [(8, 32)]


def test_a_resumed_run_is_the_same_run(tmp_path) -> None:
    whole = laboratory(open_run(tmp_path / "a"))
    whole.fit(steps=20)
    first = open_run(tmp_path / "b")
    laboratory(first).fit(steps=10)
    second = laboratory(open_run(tmp_path / "b", resume=first.folder.name))
    second.fit(steps=20)
    assert second.weights() == whole.weights()


def test_early_stopping_stops_the_run(tmp_path) -> None:
    run = open_run(tmp_path)
    trainer = laboratory(run, patience=4)
    trainer.numbers["lr"].take(1e-9)  # nothing is learnt, so nothing becomes better
    trainer.fit(steps=200)
    assert trainer.session.stopped and trainer.step < 60


def test_gradients_under_a_scaler_are_those_of_full_precision(tmp_path) -> None:
    """The player unscales before it measures the norm and steps (W5)."""
    rows = {}
    for precision in ("fp32", "fp16"):
        run = open_run(tmp_path / precision)
        laboratory(run, precision=precision).fit(steps=4)
        rows[precision] = run.history
    for name in ("D/slope", "D/grad_norm", "D/W"):
        np.testing.assert_allclose(rows["fp16"][name].values, rows["fp32"][name].values, rtol=0.03, atol=3e-3)
    assert not rows["fp16"]["D/skipped"].values.any()
