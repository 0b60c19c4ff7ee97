"""A training step of every experiment, and what it does between steps, with nothing left on the host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gannb.experiments.motion_wgan_gp import checklist
from gannb.experiments.motion_wgan_gp.penalties import correct, drawing_mix
from gannb.random import generator
from gannb.runs.folder import Run
from tests.card import card  # noqa: F401 - a fixture
from tests.notebooks.trainers import trainer_of

NOTEBOOKS = ("00_tour", "01_motion_balance", "02_motion_wgan_gp", "03_schedules", "04_particles_sagan", "05_identity")


ON_CARD = "GANNB_TESTS_ON_CARD"
alone = pytest.mark.skipif(ON_CARD not in os.environ, reason="run by test_on_a_card_in_a_process_of_its_own")


@pytest.mark.skipif(ON_CARD in os.environ, reason="it is that process")
def test_on_a_card_in_a_process_of_its_own() -> None:
    """Autograd counts the devices at its first backward pass, so the card has to be there before it."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "not captured"]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=os.environ | {ON_CARD: "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0 and " 1 skipped" in done.stdout, done.stdout[-3000:]


pytestmark = pytest.mark.usefixtures("one_thread")


@alone
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_step_and_all_that_is_due_stay_on_the_device(name, card, tmp_path, monkeypatch):  # noqa: F811
    opened = Run.open.__func__

    def on_card(cls, params):
        run = opened(cls, params)
        run.device = card
        return run

    monkeypatch.setattr(Run, "open", classmethod(on_card))
    trainer = trainer_of(name, runs=str(tmp_path))
    assert {p.device for player in trainer.players.values() for p in player.parameters} == {card}
    for _ in range(2):
        trainer.advance()
    for _, do in trainer._due:
        do(trainer)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_captured_step_is_the_eager_one(name, tmp_path):
    ends = {}
    for how in ("off", "on"):
        trainer = trainer_of(name, runs=str(tmp_path), capture=how)
        trainer._due.clear()
        for _ in range(5):
            trainer.advance()
        ends[how] = trainer.weights()
    states = {player: str(captured) for player, captured in trainer.captured.items()}
    assert ends["on"] == ends["off"]
    assert all("graph" in state or "too few turns" in state for state in states.values()), states
    assert any("graph" in state for state in states.values()), states


@alone
def test_the_checklist_takes_a_batch_of_the_host(card):  # noqa: F811
    """It was the fault on CUDA: Input type (torch.FloatTensor) and weight type (torch.cuda.FloatTensor)."""
    critic = nn.Sequential(nn.Conv1d(6, 4, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv1d(4, 1, 3)).to(card)
    real, fake = (torch.randn(8, 6, 8, generator=generator(name)) for name in ("real", "fake"))
    assert checklist.check(critic, drawing_mix(correct), real, fake).rows


def host_input(network, x):
    return network(torch.from_numpy(np.zeros((4, 3), np.float32)))


def host_constant(network, x):
    return network(x) * torch.arange(4.0)[:, None]


def host_part(network, x):
    return torch.cat([network(x), torch.zeros(4, 2)])


def host_index(network, x):
    return torch.zeros(9)[network(x).argmax(1)]


@alone
@pytest.mark.parametrize("fault", [host_input, host_constant, host_part, host_index])
def test_a_planted_tensor_of_the_host_is_found(fault, card):  # noqa: F811
    network, x = nn.Linear(3, 2).to(card), torch.zeros(4, 3, device=card)
    assert network(x).device == card and float(network(x).sum()) == pytest.approx(4 * float(network.bias.sum()))
    with pytest.raises(RuntimeError, match=r"same device: .* of the host"):
        fault(network, x)


@alone
def test_numbers_indices_and_moves_may_meet_it(card):  # noqa: F811
    x = torch.zeros(4, 3, device=card)
    assert (x + 1).device == (x * torch.tensor(2.0)).device == x[torch.tensor([0, 2])].device == card
    assert x.cpu().device.type == "cpu" and x.copy_(torch.ones(4, 3)).sum().item() == 12.0
