"""Initial weights of a controller, learned across tasks so that few updates are enough (plan C).

First-order, as in Reptile (Nichol et al. 2018): MAML's second derivatives would reach through whole runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import nn

Task = Callable[[nn.Module], object]
"""Trains something with a controller that learns on the way, in place."""


def reptile(controller: nn.Module, tasks: Sequence[Task], *, iterations: int = 1, step_size: float = 1.0) -> nn.Module:
    """Move a controller's initial weights towards where the tasks' updates led; in place, and returned.

    Args:
        controller: its weights are the start of every task.
        tasks: short runs, each on data or with a seed of its own.
        iterations: passes over the tasks.
        step_size: share of the way to the mean over tasks, in (0, 1].

    Raises:
        ValueError: no task, no iteration, or a step size outside (0, 1].
    """
    if not tasks or iterations < 1 or not 0 < step_size <= 1:
        raise ValueError(
            f"{len(tasks)} tasks, iterations={iterations}, step_size={step_size}; allowed: ≥ 1, ≥ 1, (0, 1]"
        )
    for _ in range(iterations):
        learners = [copy.deepcopy(controller) for _ in tasks]
        for task, learner in zip(tasks, learners):
            task(learner)
        with torch.no_grad():
            for weight, *ends in zip(*(c.parameters() for c in (controller, *learners))):
                weight.lerp_(torch.stack(ends).mean(0), step_size)
    return controller
