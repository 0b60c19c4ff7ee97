"""The gradient of a held-out objective through steps that are not taken (schedules §3.3; claim S1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from gannb import distributed
from gannb.control.numbers import Now
from gannb.experiments.schedules.learned import Learned, Lesson
from gannb.experiments.schedules.lookahead import LookAhead, Weights
from gannb.training.trainer import Trainer

BATCH_NORMS = nn.modules.batchnorm._BatchNorm
Objective = Callable[[LookAhead, Weights, Now], Mapping[str, Tensor]]
"""Parts of what is wanted small, by name, from the players' weights as they would be."""


class Hypergradient:
    """Teaches by the gradient of a held-out objective through steps that are not taken.

    Args:
        objective: parts of what is wanted small, after those steps.
        weigh: the weight of each part; a part without one is only reported.
        unroll: steps ahead; each costs about four of training.
        batch: samples of each batch that are looked at, which bounds the memory; 0 for all.

    Raises:
        ValueError: no step ahead, or no weight.
    """

    width = 0.0

    def __init__(self, objective: Objective, weigh: Mapping[str, float], *, unroll: int = 1, batch: int = 0) -> None:
        if unroll < 1 or batch < 0 or not any(weigh.values()):
            raise ValueError(f"unroll={unroll}, batch={batch}, weigh={dict(weigh)}; allowed: ≥ 1, ≥ 0, some weight")
        self.objective, self.weigh, self.unroll, self.batch = objective, dict(weigh), unroll, batch

    def check(self, trainer: Trainer) -> None:
        """Two steps need third derivatives, which PyTorch's BatchNorm has not."""
        norms = [n for n, p in trainer.players.items() if any(isinstance(m, BATCH_NORMS) for m in p.module.modules())]
        if self.unroll > 1 and norms:
            raise ValueError(
                f"unroll={self.unroll}: {' and '.join(norms)} with BatchNorm, which PyTorch differentiates twice "
                f"and no further; allowed: unroll=1, players without BatchNorm, or evolution"
            )

    def __call__(self, lesson: Lesson) -> tuple[list[Tensor], dict[str, float]]:
        loss, found = self.loss(lesson.ahead, lesson.answer())
        return lesson.ahead.gradients(loss, lesson.weights), found

    def loss(self, ahead: LookAhead, numbers: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The weighted objective after steps with these numbers, and its parts."""
        now = ahead.trainer.numbers.now(ahead.trainer.device).replace(**numbers)
        return weighed(self.objective(ahead, unrolled(ahead, now, self.unroll, self.batch), now), self.weigh)

    def state_dict(self) -> dict[str, float]:
        """Nothing: each lesson stands alone."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Nothing to take back."""


def reach(teacher: Hypergradient, learned: Learned) -> tuple[float, float]:
    """How steep a held-out objective is in a controller's weights: as the networks stand, and after a look-ahead.

    The document's `meta_controller.backward(validation_metric)` is the first. What the networks are now does not depend
    on what the controller answers now, so it is 0 (claim S1).
    """
    lesson = learned.lesson(torch.zeros(learned.state.size))
    ahead = lesson.ahead
    now = ahead.trainer.numbers.now(ahead.trainer.device).replace(**lesson.answer())
    standing, _ = weighed(teacher.objective(ahead, ahead.weights(), now), teacher.weigh)
    found = torch.autograd.grad(standing, lesson.weights, allow_unused=True) if standing.requires_grad else []
    written = [slope for slope in found if slope is not None]
    slopes, _ = teacher(lesson)
    norm = nn.utils.get_total_norm
    return (float(norm(written)) if written else 0.0), float(norm(slopes))


def weighed(parts: Mapping[str, Tensor], weigh: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum of an objective's parts (0-d, with its gradient), and all of them as floats, "loss" too.

    Raises:
        ValueError: a weight without its part.
    """
    if lost := weigh.keys() - parts.keys():
        raise ValueError(f"the objective has no part {', '.join(sorted(lost))}; it has {', '.join(parts)}")
    loss = torch.stack([weight * parts[name] for name, weight in weigh.items()]).sum()
    told = torch.stack([loss.detach(), *(part.detach() for part in parts.values())])
    distributed.average_([told])
    return loss, dict(zip(("loss", *parts), told.tolist()))


def unrolled(ahead: LookAhead, now: Now, steps: int = 1, batch: int = 0) -> Weights:
    """The players' weights after steps with these numbers; who plays is as in training.

    Each step reads Adam's moments where they stand. Over several steps that is an approximation; over one it is exact.
    """
    trainer, weights = ahead.trainer, ahead.weights()
    for ahead_by in range(steps):
        samples = trainer.batches[trainer.step + ahead_by]
        samples = samples[:batch] if batch else samples
        for index, who in enumerate(trainer.turns(now, trainer.step + ahead_by)):
            weights = ahead.step(who, weights, now, samples, f"look {ahead_by} {index}")
    return weights
