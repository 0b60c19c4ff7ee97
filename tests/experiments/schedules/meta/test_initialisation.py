"""An initial controller learned across tasks does better on a new one where there is time for few updates."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from gannb.experiments.schedules.meta.controller import MetaController
from gannb.experiments.schedules.meta.initialisation import reptile
from gannb.random import seeded
from tests.experiments.schedules.meta.regressions import EPOCH, Problem, build
from tests.training.regimes import open_run

SPAN, EPOCHS = (1.0, 0.01), 10


def run(folder, seed, controller, epochs=EPOCHS):
    problem = Problem(400, 0.3, seed)
    trainer = build(open_run(folder, seed=seed), problem, "learned", SPAN, epochs=epochs, begin=controller)
    trainer.checkpoint_every = 0
    trainer.fit(steps=EPOCH * epochs)
    return problem.risk(trainer.players["model"].module.weight)


@pytest.fixture(scope="module")
def began(tmp_path_factory):
    """A controller as it is made, and one that begins where tasks of 40 epochs led, twice."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tasks")
    with seeded("begin"):
        plain = MetaController(3, 1, start=[1.0])
    tasks = [lambda c, seed=seed: run(folder, seed, c, 40) for seed in (10, 11)]
    return plain, reptile(copy.deepcopy(plain), tasks, iterations=2, step_size=1.0)


@pytest.mark.parametrize("seed", (0, 1, 2))
def test_a_new_task_is_begun_better(seed, began, tmp_path):
    plain, learned = (run(tmp_path, seed, copy.deepcopy(controller)) for controller in began)
    assert learned < 0.5 * plain


def test_it_goes_its_share_of_the_way_to_the_mean_of_the_tasks():
    controller = nn.Linear(2, 1)
    nn.init.zeros_(controller.weight)

    def to(value):
        return lambda learner: nn.init.constant_(learner.weight, value)

    reptile(controller, [to(1.0), to(3.0)], step_size=0.5)
    assert torch.equal(controller.weight.detach(), torch.full((1, 2), 1.0))
    with pytest.raises(ValueError, match="0 tasks"):
        reptile(controller, [])


def test_tasks_begin_alike_and_leave_each_other_alone():
    controller, seen = nn.Linear(1, 1), []

    def task(learner):
        seen.append(float(learner.weight.detach()))
        nn.init.constant_(learner.weight, 9.0)

    before = float(controller.weight.detach())
    reptile(controller, [task, task], step_size=1.0)
    assert seen == [before, before] and float(controller.weight.detach()) == 9.0
