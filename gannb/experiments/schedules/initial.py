"""Where a controller begins: initial weights learned across tasks, so that few lessons are enough (plan C).

First-order, as in Reptile (Nichol et al. 2018): MAML's second derivatives would reach through whole runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import nn

Task = Callable[[nn.Module], object]
"""Trains something with a controller that learns on the way, in place."""


def learn_to_begin(controller: nn.Module, tasks: Sequence[Task], *, rounds: int = 1, pace: float = 1.0) -> nn.Module:
    """Move a controller's initial weights towards where each task's lessons took them; in place, and returned.

    Args:
        controller: its weights are the start of every task.
        tasks: short runs, each on data or with a seed of its own.
        rounds: passes over the tasks.
        pace: share of the way to the mean over tasks that a round goes, in (0, 1].

    Raises:
        ValueError: no task, no round, or a pace outside (0, 1].
    """
    if not tasks or rounds < 1 or not 0 < pace <= 1:
        raise ValueError(f"{len(tasks)} tasks, rounds={rounds}, pace={pace}; allowed: ≥ 1, ≥ 1, (0, 1]")
    for _ in range(rounds):
        taught = [copy.deepcopy(controller) for _ in tasks]
        for task, learner in zip(tasks, taught):
            task(learner)
        with torch.no_grad():
            for weight, *ends in zip(*(c.parameters() for c in (controller, *taught))):
                weight.lerp_(torch.stack(ends).mean(0), pace)
    return controller
