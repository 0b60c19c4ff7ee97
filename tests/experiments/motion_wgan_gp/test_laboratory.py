"""The laboratory's bench: players take turns as told, rates fall, and a short training finds all eight modes."""

from __future__ import annotations

from typing import Any

import pytest

from gannb.data.toys import toy
from gannb.experiments.motion_wgan_gp.critic_metrics import critic_state, samples
from gannb.experiments.motion_wgan_gp.laboratory import bench, networks
from gannb.experiments.motion_wgan_gp.params import Laboratory
from gannb.networks.toys import PointCritic, SequenceCritic
from gannb.runs.folder import Run
from gannb.training.trainer import Trainer


def started(tmp_path, **told: Any) -> Trainer:
    p = Laboratory(runs=str(tmp_path), threads=1, **told)
    return bench(Run.open(p), toy(p.toy, train=512, held_out=256))


def test_g_plays_at_every_nth_step_and_the_rates_fall(tmp_path) -> None:
    trainer = started(tmp_path, steps=200, n_critic=3, width=4, batch_size=8)
    trainer.fit(steps=200)
    rows = trainer.run.history
    assert len(rows["D/loss"].values) == 200 and list(rows["G/loss"].steps[:3]) == [3, 6, 9]
    scale = [move["new"] for move in trainer.run.events("move") if move["name"] == "lr_scale"]
    assert len(scale) == 99 and scale == sorted(scale, reverse=True) and scale[-1] == pytest.approx(0.01)


def test_all_modes_of_the_ring_within_seconds(tmp_path) -> None:
    trainer = started(tmp_path, steps=1500, batch_size=128, ema=0.9, width=32, lr_d=5e-3, lr_g=5e-3)
    trainer.fit(steps=1500)
    ring = toy("8 Gaussians", sigma=0.2)  # a wide ring: what a few seconds can reach
    covered = ring.coverage(samples(trainer.ema("G"), 1024), at_least=30)
    assert covered.found == 8 and covered.share > 0.5
    stands = critic_state(trainer.network("D"), trainer.network("G"), ring.train, ring.held_out)
    assert set(stands) == {"W_train", "W_held_out", "slope"} and stands["slope"] > 0


def test_networks_fit_their_toy_and_take_the_defect() -> None:
    for name in ("Swiss roll", "sequences"):
        data = toy(name, train=16, held_out=16)
        G, D = networks(Laboratory(toy=name, width=8, defect="batch_norm"), data)
        assert samples(G, 8).shape == data.train[:8].shape
        assert isinstance(D, PointCritic if name == "Swiss roll" else SequenceCritic)
        assert any("BatchNorm" in type(module).__name__ for module in D.modules())
