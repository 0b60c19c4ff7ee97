"""fp32, bf16, fp16, auto: from a stated epoch, a scaler per player, overflows skipped, state to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from gannb.control.numbers import Numbers
from gannb.control.schedules import Schedule
from gannb.data.batches import Batches
from gannb.losses.adversarial import bce
from gannb.random import seeded
from gannb.runs.environment import multiplies_bf16
from gannb.training.checkpoint import Checkpoint
from gannb.training.player import Player
from gannb.training.precision import Precision
from gannb.training.trainer import Trainer
from tests.training.regimes import POINTS, number, open_run


def build(run, kind="fp16", from_epoch=0, overflow_at=()):
    """A small GAN; G's loss is multiplied beyond what its scaler can hold at some steps."""
    with seeded(1, "networks"):
        G = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        D = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    D, G = D.to(run.device), G.to(run.device)

    def fake(turn):
        return turn.G(turn.draws.randn("z", len(turn.batch), 4))

    def d_loss(turn):
        scores = turn.D(turn.batch)
        turn.log(bits=scores.element_size() * 8)
        return bce(scores.float(), 0.9) + bce(turn.D(fake(turn)).float(), 0.0)

    def g_loss(turn):
        return bce(turn.D(fake(turn)).float(), 1.0) * turn.now.factor

    players = [Player("D", D, d_loss, lr=lambda now: now.lr), Player("G", G, g_loss, lr=lambda now: now.lr, ema=0.9)]
    data = Batches(POINTS, 16, seed=0, device=run.device)
    numbers = Numbers([number("lr", 1e-2, 0, 1), number("factor", 1.0, 0, 1e38)])
    numbers.drive(Schedule("factor", lambda step: 1e38 if step in overflow_at else 1.0))
    return Trainer(players, data, numbers, run, precision=Precision(kind, from_epoch), checkpoint_every=5)


@pytest.mark.parametrize(("kind", "bits"), [("fp32", 32), ("bf16", 16), ("fp16", 16)])
def test_the_forward_pass_is_held_in(kind, bits, tmp_path):
    trainer = build(open_run(tmp_path, device="cpu"), kind)
    trainer.fit(steps=2)
    assert set(trainer.run.history["D/bits"].values) == {bits}
    assert all(p.dtype == torch.float32 for player in trainer.players.values() for p in player.parameters)
    assert ("G/skipped" in trainer.run.history) == (kind == "fp16")


@pytest.mark.parametrize(("in_hardware", "bits"), [(True, 16), (False, 32)])
def test_auto_is_bf16_only_where_the_device_multiplies_it(in_hardware, bits, tmp_path, monkeypatch):
    monkeypatch.setattr("gannb.training.precision.multiplies_bf16", lambda device: in_hardware)
    trainer = build(open_run(tmp_path, device="cpu"), "auto", from_epoch=1)
    trainer.fit(epochs=2)
    per = trainer.batches.per_epoch
    assert list(trainer.run.history["D/bits"].values) == [32] * per + [bits] * per


def test_bf16_is_in_hardware_where_the_processor_says_so():
    flags = Path("/proc/cpuinfo")
    if not flags.is_file() or "flags" not in (said := flags.read_text()):
        pytest.skip("no flags of the processor")
    assert multiplies_bf16(torch.device("cpu")) == bool({"avx512_bf16", "amx_tile"} & set(said.split()))


def test_reduced_from_its_epoch_on(tmp_path):
    trainer = build(open_run(tmp_path, device="cpu"), "bf16", from_epoch=1)
    trainer.fit(epochs=2)
    per = trainer.batches.per_epoch
    assert list(trainer.run.history["D/bits"].values) == [32] * per + [16] * per


@pytest.mark.parametrize("capture", ["off", "on"])
def test_an_overflow_skips_that_players_update_and_is_recorded(capture, tmp_path):
    trainer = build(open_run(tmp_path, device="cpu", capture=capture), overflow_at=(5,))
    trainer.fit(steps=5)
    G, D = trainer.players["G"], trainer.players["D"]
    before, count = [p.detach().clone() for p in G.parameters], float(G.optimiser.state[G.parameters[0]]["step"])
    d_before, scale = D.parameters[0].detach().clone(), G.scaler.get_scale()
    trainer.fit(steps=6)
    assert all(torch.equal(p, q) for p, q in zip(G.parameters, before))
    assert float(G.optimiser.state[G.parameters[0]]["step"]) == count, "Adam does not count a skipped step"
    assert not torch.equal(D.parameters[0], d_before), "a scaler a player: D is not held up"
    assert G.scaler.get_scale() == scale / 2 and D.scaler.get_scale() == scale
    trainer.fit(steps=8)
    assert list(trainer.run.history["G/skipped"].values) == [0, 0, 0, 0, 0, 1, 0, 0]
    assert all(p.isfinite().all() for p in G.parameters)
    assert str(trainer.captured["G"]) == ("1 graph" if capture == "on" else "eager: capture is off")


def test_scaled_steps_are_unscaled_before_clipping(tmp_path):
    plain, scaled = (build(open_run(tmp_path, device="cpu"), kind) for kind in ("fp32", "fp16"))
    plain.fit(steps=1)
    scaled.fit(steps=1)
    norms = [t.run.history["D/grad_norm"].values[0] for t in (plain, scaled)]
    assert norms[1] == pytest.approx(norms[0], rel=0.02)


def test_the_scalers_state_is_saved_and_resumed_to_the_bit(tmp_path):
    whole = build(open_run(tmp_path, device="cpu"), overflow_at=(2, 3))
    for player in whole.players.values():
        player.scaler.set_growth_interval(4)  # so that the scale grows in this test
    whole.fit(steps=5)
    state = Checkpoint.read(whole.checkpoints.find("5")).state["players"]["G"]["scaler"]
    assert state["scale"] == 2.0**12 and state["_growth_tracker"] == 1
    again = build(open_run(tmp_path, device="cpu", resume=_copy(whole, tmp_path)), overflow_at=(2, 3))
    whole.fit(steps=14)
    again.fit(steps=14)
    assert again.weights() == whole.weights()
    assert again.players["G"].scaler.state_dict() == whole.players["G"].scaler.state_dict()
    assert whole.players["G"].scaler.get_scale() > 2.0**12


def _copy(trainer, tmp_path):
    import shutil

    return str(shutil.copytree(trainer.run.folder, tmp_path / "copy"))


def test_a_scaler_not_in_use_yet_has_a_state_to_save(tmp_path):
    trainer = build(open_run(tmp_path, device="cpu"), from_epoch=3)
    trainer.fit(steps=5)
    assert Checkpoint.read(trainer.checkpoints.find("5")).state["players"]["D"]["scaler"]["scale"] == 2.0**14


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match=r"given 'fp8'; allowed: auto \| fp32"):
        Precision("fp8")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["fp32", "bf16", "fp16"])
def test_cuda_is_bit_equal_in_deterministic_mode(kind, tmp_path):
    given = {"device": "cuda", "deterministic": True}
    whole, second = (build(open_run(tmp_path, **given), kind, overflow_at=(3,)) for _ in range(2))
    whole.fit(steps=12)
    second.fit(steps=7)
    again = build(open_run(tmp_path, resume=_copy(second, tmp_path), **given), kind, overflow_at=(3,))
    assert again.step == 7
    again.fit(steps=12)
    assert again.weights() == whole.weights()
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
