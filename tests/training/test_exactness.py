"""The trainer's promises, each on seven regimes: same twice, exact resume, exact replay, looking changes nothing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gannb.control.commands import Command
from gannb.runs.interventions import AlteredLog
from gannb.training.interrupt import Paused
from tests.training.regimes import REGIMES, open_run

STEPS = 22


@pytest.fixture(params=["eager", "captured"], autouse=True)
def how(request, monkeypatch):
    """Every promise holds for captured turns too: on a CPU a tape of operations stands in for the graph."""
    monkeypatch.setenv("TOY_CAPTURE", "on" if request.param == "captured" else "off")


pytestmark = pytest.mark.usefixtures("one_thread")


def steer(trainer, moves):
    """Hand moves that arrive while training: (step, name, value)."""
    waiting = list(moves)

    def watch(trainer):
        while waiting and waiting[0][0] <= trainer.step:
            _, name, value = waiting.pop(0)
            trainer.session.inbox.put(Command("move", name, value))

    trainer.watchers.append(watch)


def hand(trainer):
    """Two moves of the first number, one refused move, one release."""
    name = next(iter(trainer.numbers.parameters))
    value = trainer.numbers[name].value
    factor = (lambda v, f: v * f) if isinstance(value, float) else (lambda v, f: v)
    return [(4, name, factor(value, 0.5)), (9, name, 1e9), (13, name, factor(value, 0.7))]


@pytest.mark.parametrize("regime", REGIMES)
def test_same_seed_twice_is_bit_equal(regime, tmp_path):
    hashes = set()
    for _ in range(2):
        torch.rand(random.randrange(1, 9))  # the global generator's past must not matter
        trainer = REGIMES[regime](open_run(tmp_path))
        trainer.fit(steps=STEPS)
        hashes.add(trainer.weights())
    assert len(hashes) == 1


@pytest.mark.parametrize("regime", REGIMES)
def test_another_seed_is_another_run(regime, tmp_path):
    hashes = set()
    for seed in (0, 1):
        trainer = REGIMES[regime](open_run(tmp_path, seed=seed))
        trainer.fit(steps=3)
        hashes.add(trainer.weights())
    assert len(hashes) == (1 if regime in ("single", "growing") else 2)  # those two draw nothing but the data's order


@pytest.mark.parametrize("regime", REGIMES)
def test_resume_at_every_step_is_bit_equal(regime, tmp_path):
    whole = REGIMES[regime](open_run(tmp_path))
    steer(whole, hand(whole))
    whole.checkpoint_every = 0
    copies = {}

    def keep(trainer):
        if trainer.step not in copies:
            trainer.checkpoint()
            copies[trainer.step] = shutil.copytree(trainer.run.folder, tmp_path / "cut" / str(trainer.step))

    whole.watchers.insert(0, keep)
    whole.fit(steps=STEPS)
    log = (whole.run.folder / "interventions.yaml").read_bytes()
    for step in range(STEPS):
        (copies[step] / "interventions.yaml").write_bytes(log)  # a kill loses none of them: they are written ahead
        again = REGIMES[regime](open_run(tmp_path, resume=str(copies[step]))).start()
        assert again.step == step
        again.fit(steps=STEPS)
        assert again.weights() == whole.weights(), f"resumed at {step}"
        assert again.numbers.values() == whole.numbers.values()
        assert again.run.history.rows() == whole.run.history.rows()


@pytest.mark.parametrize("regime", REGIMES)
def test_a_steered_run_is_replayed_bit_for_bit(regime, tmp_path):
    steered = REGIMES[regime](open_run(tmp_path))
    steer(steered, hand(steered))
    steered.fit(steps=STEPS)
    plain = REGIMES[regime](open_run(tmp_path))
    plain.fit(steps=STEPS)
    replayed = REGIMES[regime](open_run(tmp_path, replay=str(steered.run.folder / "interventions.yaml"))).start()
    replayed.fit(steps=STEPS)
    assert replayed.weights() == steered.weights()
    if isinstance(steered.numbers[next(iter(steered.numbers.parameters))].value, float):
        assert plain.weights() != steered.weights(), "the moves must matter, or the replay shows nothing"
    moves = [(m["step"], m["name"], m["new"], m["outcome"][:7]) for m in steered.run.events("move")]
    assert moves == [(m["step"], m["name"], m["new"], m["outcome"][:7]) for m in replayed.run.events("move")]
    assert any(outcome == "refused" for *_, outcome in moves)


def test_a_log_altered_by_one_digit_is_noticed(tmp_path):
    steered = REGIMES["sagan"](open_run(tmp_path))
    steer(steered, hand(steered))
    steered.fit(steps=STEPS)
    log = steered.run.folder / "interventions.yaml"
    altered = tmp_path / "altered.yaml"
    altered.write_text(log.read_text().replace("0.45", "0.46", 1))
    with pytest.raises(AlteredLog, match="command 1"):
        REGIMES["sagan"](open_run(tmp_path, replay=str(altered))).start()


@pytest.mark.parametrize("regime", REGIMES)
def test_looking_leaves_the_weights_alone(regime, tmp_path):
    trainer = REGIMES[regime](open_run(tmp_path))
    trainer.fit(steps=3)
    before = trainer.weights()
    for name in trainer.players:
        for network in (trainer.network(name), trainer.ema(name)):
            repr(network)
            if regime != "growing":
                network(torch.randn(8, 4 if name == "G" else 2))
    repr(trainer)
    assert trainer.weights() == before


@pytest.mark.parametrize("regime", REGIMES)
def test_an_interrupt_pauses_between_steps_and_the_same_call_goes_on(regime, tmp_path):
    whole = REGIMES[regime](open_run(tmp_path))
    whole.fit(steps=STEPS)
    trainer = REGIMES[regime](open_run(tmp_path))
    player = next(iter(trainer.players.values()))
    loss, calls = player.loss, []

    def interrupted_loss(turn):
        calls.append(turn.step)
        if len(calls) == 6:
            os.kill(os.getpid(), signal.SIGINT)  # in the middle of a step
        return loss(turn)

    player.loss = interrupted_loss
    with pytest.raises(Paused, match="go on"):
        trainer.fit(steps=STEPS)
    assert 0 < trainer.step < STEPS
    trainer.fit(steps=STEPS)
    assert trainer.weights() == whole.weights()


KILLED = """
import os, signal, sys, torch
torch.set_num_threads(1)
from tests.training.regimes import REGIMES, open_run
from gannb.control.commands import Command
trainer = REGIMES[sys.argv[1]](open_run(sys.argv[2]))
name = next(iter(trainer.numbers.parameters))
def watch(trainer):
    if trainer.step == 8:
        trainer.session.inbox.put(Command("move", name, trainer.numbers[name].value))
    if trainer.step == 11 and "again" not in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
trainer.watchers.append(watch)
trainer.fit(steps=int(sys.argv[3]))
print(trainer.weights())
"""


@pytest.mark.parametrize("regime", ["balance", "schedules"])
def test_kill_9_loses_nothing(regime, tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, regime, str(tmp_path), str(STEPS)]
    killed = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = next((tmp_path / "toy").iterdir())
    again = REGIMES[regime](open_run(tmp_path, resume=str(folder))).start()
    assert again.step == 10
    again.fit(steps=STEPS)
    whole = subprocess.run([*command, "again"], cwd=root, capture_output=True, text=True)
    assert whole.returncode == 0, whole.stderr
    assert again.weights() == whole.stdout.split()[-1]


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_checkpoint_falls_back_and_says_so(damage, tmp_path, capsys):
    whole = REGIMES["sagan"](open_run(tmp_path))
    whole.fit(steps=STEPS)
    part = REGIMES["sagan"](open_run(tmp_path))
    part.fit(steps=10)
    newest = part.checkpoints.by_step()[0][1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 4
    newest.write_bytes({"truncate": bytes(content[:-100]), "flip": bytes(content), "empty": b""}[damage])
    again = REGIMES["sagan"](open_run(tmp_path, resume=str(part.run.folder))).start()
    assert again.step == 5
    assert "going on from the one before" in capsys.readouterr().out
    assert again.run.events("resumed")[-1]["faults"]
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()
