"""The training of the tour: players as declared, and clusters that are found."""

from pathlib import Path

import torch

from gannb.data.toys import toy
from gannb.experiments.tour.params import Tour
from gannb.experiments.tour.training import latents, ring_trainer
from gannb.losses.adversarial import bce
from gannb.runs.folder import Run


def d_loss(turn):
    noise = turn.now.noise * turn.draws.randn("noise", len(turn.batch), 2)
    made = turn.G(turn.draws.randn("z", len(turn.batch), 8))
    return bce(turn.D(turn.batch + noise), turn.now.real_label) + bce(turn.D(made + noise), 0.0)


def g_loss(turn):
    return bce(turn.D(turn.G(turn.draws.randn("z", len(turn.batch), 8))), 1.0)


def trainer_of(tmp_path: Path, **given: object):
    p = Tour(runs=str(tmp_path), **given)
    return ring_trainer(p, Run.open(p), toy(p.toy, seed=p.seed), d_loss, g_loss)


def test_turns_and_rates_are_the_numbers(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, steps=8, d_steps=2, g_steps=0)
    before = [p.clone() for p in trainer.players["G"].parameters]
    trainer.fit(steps=3, quiet=True)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.players["G"].parameters)), "G never played"
    assert trainer.turns(trainer.numbers.now().replace(d_steps=2, g_steps=1), 0) == ["D", "D", "G"]


def test_it_spreads_over_the_clusters(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, steps=300, batch_size=64)
    z = latents(0, 500)
    start = trainer.ema("G")(z).norm(dim=1).mean()
    trainer.fit(steps=300, quiet=True)
    radius = trainer.ema("G")(z).norm(dim=1)
    assert start < 0.5 and 1.5 < radius.mean() < 2.5, "the clusters lie on a ring of radius 2"


def test_latents_are_an_address() -> None:
    assert torch.equal(latents(3, 10), latents(3, 10)) and not torch.equal(latents(3, 10), latents(4, 10))
