"""What only a card can show: captured turns are bit-equal to eager ones there, faster, and resume and replay exactly.

On a machine without one these are skipped; the same code runs on a CPU in `test_capture.py` and `test_exactness.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

import pytest
import torch
from torch import nn

from gannb.config import presets
from gannb.control.numbers import Numbers
from gannb.data.batches import Batches, StreamedBatches
from gannb.experiments.schedules.meta.lookahead import LookAhead
from gannb.random import seeded
from gannb.training.player import Player
from gannb.training.precision import Precision
from gannb.training.trainer import Trainer
from tests.notebooks.test_devices import PRESETS, captured_preset
from tests.training import on_ranks
from tests.training.regimes import POINTS, REGIMES, graphs_of, number, open_run
from tests.training.test_ranks import furthest, state, tensors, torchrun

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(autouse=True)
def deterministic():
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    yield
    torch.backends.cudnn.deterministic = before


def build(folder, capture, kind="fp32", width=32, penalty=False, **given):
    """A GAN with dropout, batch norm, an average, draws, and a penalty with a second derivative where asked."""
    run = open_run(folder, device="cuda", capture=capture, **given)
    with seeded(1, "networks"):
        G = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 2)).to(run.device)
        D = nn.Sequential(nn.Linear(2, width), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(width, 1), nn.Flatten(0))
        D = D.to(run.device)

    def fake(turn):
        return turn.G(turn.draws.randn("z", len(turn.batch), 4))

    def d_loss(turn):
        loss = (turn.D(turn.batch) - turn.now.real_label).square().mean() + turn.D(fake(turn)).square().mean()
        if penalty and turn.due(4):
            points = turn.batch.clone().requires_grad_()
            (slope,) = torch.autograd.grad(turn.D(points).sum(), points, create_graph=True)
            loss = loss + slope.square().sum(1).mean()
        return loss

    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr, clip_norm=1.0),
        Player("G", G, lambda turn: (turn.D(fake(turn)) - 1).square().mean(), lr=lambda now: now.lr, ema=0.99),
    ]
    numbers = Numbers([number("real_label", 0.9, 0, 1), number("lr", 1e-3, 1e-9, 1)])
    data = Batches(POINTS, 16, seed=0, device=run.device)
    return Trainer(players, data, numbers, run, precision=Precision(kind), checkpoint_every=5)


@pytest.mark.parametrize("penalty", [False, True])
@pytest.mark.parametrize("kind", ["fp32", "bf16", "fp16"])
def test_captured_turns_are_bit_equal(kind, penalty, tmp_path):
    ends, rows = [], []
    for capture in ("off", "on"):
        trainer = build(tmp_path, capture, kind, penalty=penalty)
        trainer.fit(steps=60, quiet=True)
        ends.append(trainer.weights())
        rows.append((trainer.run.folder / "metrics.jsonl").read_text())
    assert ends[0] == ends[1] and rows[0] == rows[1]
    assert {name: str(c) for name, c in trainer.captured.items()} == {
        "D": "2 graphs" if penalty else "1 graph",
        "G": "1 graph",
    }
    assert 0 < trainer.finish()["captured_memory_bytes"] <= torch.cuda.memory_reserved()


@pytest.mark.parametrize("regime", REGIMES)
def test_captured_regimes_are_bit_equal(regime, tmp_path):
    runs = []
    for capture in ("off", "on"):
        trainer = REGIMES[regime](open_run(tmp_path, device="cuda", capture=capture))
        trainer.fit(steps=60, quiet=True)
        runs.append((trainer.weights(), (trainer.run.folder / "metrics.jsonl").read_text()))
    assert runs[0] == runs[1]
    assert {name: str(captured) for name, captured in trainer.captured.items()} == graphs_of(regime, trainer)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_a_captured_step_of_a_preset_is_the_eager_one(name, preset, tmp_path):
    """In deterministic mode, which a preset's networks and augmentations have to bear."""
    captured_preset(name, preset, tmp_path, device="cuda", deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)


def test_auto_captures_on_a_card(tmp_path):
    trainer = build(tmp_path, "auto")
    trainer.fit(steps=10, quiet=True)
    assert str(trainer.captured["D"]) == "1 graph"


@pytest.mark.parametrize("penalty", [False, True])
@pytest.mark.parametrize("kind", ["fp32", "fp16"])
def test_a_resumed_run_and_a_replay_are_bit_equal(kind, penalty, tmp_path):
    whole = build(tmp_path, "on", kind, penalty=penalty)
    whole.fit(steps=40, quiet=True)
    part = build(tmp_path, "on", kind, penalty=penalty)
    part.fit(steps=20, quiet=True)
    again = build(tmp_path, "off", kind, penalty=penalty, resume=str(part.run.folder))  # captured there, eager here
    again.fit(steps=40, quiet=True)
    replay = build(tmp_path, "on", kind, penalty=penalty, replay=str(whole.run.folder / "interventions.yaml"))
    replay.fit(steps=40, quiet=True)
    assert again.weights() == replay.weights() == whole.weights()


def test_a_loss_that_waits_for_the_device_stays_eager(tmp_path):
    trainer = build(tmp_path, "on")
    loss = trainer.players["G"].loss
    trainer.players["G"].loss = lambda turn: loss(turn) * (2.0 if float(turn.batch.mean()) > 0 else 1.0)
    trainer.fit(steps=12, quiet=True)
    assert str(trainer.captured["G"]).startswith("eager: it reads a number back")
    assert str(trainer.captured["D"]) == "1 graph"


@pytest.mark.parametrize("kind", ["fp32", "fp16"])
@pytest.mark.parametrize("where", ["loss", "update"])
def test_a_capture_that_fails_leaves_a_whole_run(where, kind, tmp_path):
    """D waits for the device where CUDA lets no capture wait: D plays eagerly, G and later runs are captured."""
    ends = []
    for capture in ("off", "on"):
        trainer = build(tmp_path, capture, kind)
        D = trainer.players["D"]
        if where == "loss":
            D.loss = lambda turn, loss=D.loss: (torch.cuda.synchronize(), loss(turn))[1]
        else:
            D.optimiser.register_step_pre_hook(lambda *step: torch.cuda.synchronize())
        trainer.fit(steps=12, quiet=True)
        ends.append(trainer.weights())
    assert ends[0] == ends[1]
    assert str(trainer.captured["D"]).startswith("eager: the capture failed: ")
    assert len(trainer.run.events("capture")) == 1 and str(trainer.captured["G"]) == "1 graph"
    later = build(tmp_path, "on", kind)
    later.fit(steps=12, quiet=True)
    plain = build(tmp_path, "off", kind)
    plain.fit(steps=12, quiet=True)
    assert later.weights() == plain.weights() and str(later.captured["D"]) == "1 graph"


def test_networks_that_outlive_their_graphs_can_be_captured_again(tmp_path):
    """Their gradients lie in a pool whose graphs are gone."""
    trainer = build(tmp_path, "on")
    trainer.fit(steps=12, quiet=True)
    for captured in trainer.captured.values():
        captured.release()
    trainer.fit(steps=24, quiet=True)
    assert {str(captured) for captured in trainer.captured.values()} == {"1 graph"}


def test_streamed_batches_are_those_of_the_host():
    here, there = (StreamedBatches(POINTS, 16, seed=0, device=device) for device in ("cpu", "cuda"))
    assert there.workers == 2
    for step in (0, 1, 2, 9):
        assert there[step].is_cuda and torch.equal(there[step].cpu(), here[step])


def test_a_look_ahead_beside_captured_turns_changes_nothing(tmp_path):
    plain, looking = build(tmp_path, "on"), build(tmp_path, "on")
    plain.fit(steps=20, quiet=True)
    ahead = LookAhead(looking)

    def look(trainer):
        now, batch = trainer.numbers.now(trainer.device), trainer.batches[trainer.step]
        ahead.step("D", ahead.weights(), now, batch, "look")

    looking.every(steps=3, do=look)
    looking.fit(steps=20, quiet=True)
    assert looking.weights() == plain.weights()


def test_captured_steps_are_faster(tmp_path):
    seconds = {}
    for capture in ("off", "on"):
        trainer = build(tmp_path, capture, width=256)
        trainer.checkpoint_every = 0
        trainer.fit(steps=50, quiet=True)
        torch.cuda.synchronize()
        began = time.perf_counter()
        trainer.fit(steps=350, quiet=True)
        torch.cuda.synchronize()
        seconds[capture] = time.perf_counter() - began
    assert seconds["on"] < 0.7 * seconds["off"], seconds


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [name for name in presets.experiments() if name != "compare_runs"])
def test_a_quick_preset_runs_to_its_end_on_the_card(name, root, tmp_path):
    given = ["-p", "device=cuda", "-p", "deterministic=true"] if name == "particles_sagan" else ["-p", "device=cuda"]
    command = [sys.executable, "-m", "gannb.cli", "run", name, *given, "--runs", str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    summaries = [json.loads(path.read_text()) for path in tmp_path.glob("*/*/summary.json")]
    states = [state for summary in summaries for state in summary.get("captured", {}).values()]
    assert any(re.match(r"\d+ graphs?", state) for state in states), states


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_ranks_over_nccl_are_one_run(root, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    on_ranks.plain(one)
    done = torchrun(root, two, "plain")
    assert done.returncode == 0, done.stderr
    assert state(two, 0)["weights"] == state(two, 1)["weights"]
    assert furthest(tensors(one, 0), tensors(two, 0)) < 1e-10
