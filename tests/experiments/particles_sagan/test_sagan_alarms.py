"""A gate: alarms on the SAGAN at a small size, on healthy runs and on four injected collapses.

`pytest -m gate tests/experiments/particles_sagan/test_sagan_alarms.py` runs 50 healthy runs
and 20 trials a collapse (hours on two cores);
`ALARM_RUNS=12,6` fewer of each. What was measured goes to `results/sagan_alarms.json`.
"""

from __future__ import annotations

import math
import os
import time

import pytest
import torch

from gannb.comparison.results import hardware, keep, numbers
from gannb.control.alarms import gan_alarms
from gannb.control.numbers import Numbers
from gannb.data import particles
from gannb.data.batches import Batches
from gannb.losses.adversarial import bce
from gannb.networks import sagan
from gannb.random import generator, seeded
from gannb.training.diversity import Diversity
from gannb.training.interrupt import Paused
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from tests.control.ensemble import INJURIES
from tests.training.regimes import number, open_run

AT, WITHIN = 400, 500
"""The step of the injury, and the steps within which it has to be noticed."""


def build(run, images):
    """The SAGAN at 16×16 and width 16; `latent_scale` 0 is one of the injuries."""
    size, seed = 16, run.params.seed
    with seeded(seed, "G"):
        G = sagan.Generator(width=16, size=size, attention_at=(8,))
    with seeded(seed, "D"):
        D = sagan.Discriminator(width=16, size=size, attention_at=(8,))

    def fake(turn):
        return turn.G(turn.now.latent_scale * turn.draws.randn("z", len(turn.batch), 128))

    def d_loss(turn):
        real, made = turn.D(turn.batch), turn.D(fake(turn))
        turn.log(real=real.sigmoid().mean(), fake=made.sigmoid().mean())
        return bce(real, 0.9) + bce(made, 0.0)

    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr_d, ema=0.0),
        Player("G", G, lambda turn: bce(turn.D(fake(turn)), 1.0), lr=lambda now: now.lr_g, ema=0.99),
    ]
    numbers = [number("lr_g", 4e-4, 0, 1), number("lr_d", 4e-4, 0, 1), number("latent_scale", 1.0, 0, 1)]
    data = Batches(images, 16, seed=seed)
    trainer = Trainer(players, data, Numbers(numbers), run, alarms=gan_alarms("pause"), checkpoint_every=0)
    trainer.every(steps=50, do=Diversity(fake))
    return trainer


def injure(trainer, how):
    """Spoil a run at a step boundary."""
    if how == "lr x 10":
        for name in ("lr_g", "lr_d"):
            trainer.numbers[name].take(10 * trainer.numbers[name].value)
    elif how == "D frozen":
        trainer.players["D"].optimiser.step = lambda: None
    elif how == "latents zeroed":
        trainer.numbers["latent_scale"].take(0.0)
    else:
        with torch.no_grad():
            for player in trainer.players.values():
                for index, p in enumerate(player.parameters):
                    p[torch.rand(p.shape, generator=generator("half", index)) < 0.5] = math.nan


def rang(folder, seed, how, images):
    """Train, and injure; the first alarm as (step, name), or None."""
    trainer = build(open_run(folder, seed=seed), images)
    trainer.watchers.append(lambda t: injure(t, how) if how and t.step == AT else None)
    try:
        trainer.fit(steps=AT + WITHIN)
    except Paused:
        event = trainer.run.events("alarm")[0]
        return event["step"], event["name"]
    return None


@pytest.mark.gate
@pytest.mark.timeout(4 * 3600)
def test_collapses_of_the_sagan_are_caught_and_healthy_runs_left_alone(tmp_path):
    healthy, trials = map(int, os.environ.get("ALARM_RUNS", "50,20").split(","))
    images = particles.render(64, 16).pixels
    began = time.perf_counter()
    false = [r for seed in range(healthy) if (r := rang(tmp_path, seed, "", images))]
    found = {how: [rang(tmp_path, 1000 + seed, how, images) for seed in range(trials)] for how in INJURIES}
    caught = {how: [r for r in rows if r and r[0] > AT] for how, rows in found.items()}
    kept = [numbers("healthy", runs=healthy, rang=len(false))]
    for how, rows in caught.items():
        before = trials - len([r for r in found[how] if r is None or r[0] > AT])
        latest = max((step - AT for step, _ in rows), default=None)
        kept.append(numbers(how, runs=trials, rang=len(rows), latest_steps_after=latest, rang_before=before))
    head = {
        "question": "Do alarms ring when a SAGAN is injured during training, and stay silent when it is not?",
        "data": "rendered particle images",
        "command": f"ALARM_RUNS={healthy},{trials} pytest -m gate -k sagan_alarms",
        "hardware": hardware(),
        "settings": {"network": "SAGAN 16x16, width 16, batch 16, lr 4e-4", "healthy steps": AT + WITHIN},
        "seconds": round(time.perf_counter() - began),
        "by": {how: sorted({name for _, name in rows}) for how, rows in caught.items()},
    }
    print(keep("sagan_alarms", kept, **head).table(("runs", "rang"), intervals=False))
    assert len(false) <= max(1, 0.05 * healthy), false
    for how, rows in caught.items():
        assert len(rows) >= 0.95 * trials, (how, len(rows), found[how])
