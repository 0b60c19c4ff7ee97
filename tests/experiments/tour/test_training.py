"""The training of the tour: players as declared, and clusters that are found."""

from pathlib import Path

import torch

from gannb.data.toys import toy
from gannb.experiments.tour.params import Tour
from gannb.experiments.tour.training import fixed_latents, point_trainer
from gannb.runs.folder import Run


def trainer_of(tmp_path: Path, **given: object):
    p = Tour(runs=str(tmp_path), **given)
    return point_trainer(p, Run.open(p), toy(p.toy, seed=p.seed))


def test_turns_and_rates_are_the_numbers(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, steps=8, d_steps=2)
    assert trainer.numbers.move(0, "g_steps", 0, "person").applied
    before = [p.clone() for p in trainer.players["G"].parameters]
    trainer.fit(steps=3, quiet=True)
    assert all(torch.equal(a, b) for a, b in zip(before, trainer.players["G"].parameters)), "G never played"
    assert trainer.turns(trainer.numbers.now().replace(d_steps=2, g_steps=1), 0) == ["D", "D", "G"]


def test_it_spreads_over_the_clusters(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, steps=300, batch_size=64)
    z = fixed_latents(0, 500)
    start = trainer.ema("G")(z).norm(dim=1).mean()
    trainer.fit(steps=300, quiet=True)
    radius = trainer.ema("G")(z).norm(dim=1)
    assert start < 0.5 and 1.5 < radius.mean() < 2.5, "the clusters lie on a ring of radius 2"


def test_latents_are_an_address() -> None:
    assert torch.equal(fixed_latents(3, 10), fixed_latents(3, 10)) and not torch.equal(
        fixed_latents(3, 10), fixed_latents(4, 10)
    )
