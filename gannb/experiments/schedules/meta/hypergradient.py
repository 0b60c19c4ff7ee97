"""The gradient of a validation objective through steps that are not taken (schedules §3.3; claim S1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from gannb import distributed
from gannb.control.numbers import Now
from gannb.experiments.schedules.meta.lookahead import LookAhead, Weights
from gannb.experiments.schedules.meta.schedule import GradientEstimator, LearnedSchedule
from gannb.training.trainer import Trainer

BATCH_NORMS = nn.modules.batchnorm._BatchNorm
Objective = Callable[[LookAhead, Weights, Now], Mapping[str, Tensor]]
"""Parts to minimise, by name, from the players' weights after a look-ahead and its numbers."""


class Hypergradient(GradientEstimator):
    """The gradient of a validation objective through steps that are not taken.

    Args:
        objective: its parts after those steps.
        weighting: the weight of each part; a part without one is only logged.
        unroll: steps ahead; each costs about four of training.
        batch: samples of each batch, which bounds the memory; 0 for all.

    Raises:
        ValueError: no step ahead, or no weight.
    """

    def __init__(
        self, objective: Objective, weighting: Mapping[str, float], *, unroll: int = 1, batch: int = 0
    ) -> None:
        if unroll < 1 or batch < 0 or not any(weighting.values()):
            raise ValueError(
                f"unroll={unroll}, batch={batch}, weighting={dict(weighting)}; allowed: ≥ 1, ≥ 0, some weight"
            )
        self.objective, self.weighting, self.unroll, self.batch = objective, dict(weighting), unroll, batch

    def check(self, trainer: Trainer) -> None:
        """Raises ValueError for two steps through BatchNorm, whose third derivative PyTorch lacks."""
        norms = [n for n, p in trainer.players.items() if any(isinstance(m, BATCH_NORMS) for m in p.module.modules())]
        if self.unroll > 1 and norms:
            raise ValueError(
                f"unroll={self.unroll}: {' and '.join(norms)} with BatchNorm, which PyTorch differentiates twice "
                f"and no further; allowed: unroll=1, players without BatchNorm, or evolution"
            )

    def __call__(self, learned: LearnedSchedule, state: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Gradients in the shapes of the weights at a state `[features]`, and the parts of the objective."""
        loss, found = self.loss(learned.ahead, learned.answer(state))
        return learned.ahead.gradients(loss, learned.weights), found

    def loss(self, ahead: LookAhead, numbers: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The weighted objective after steps with these numbers (all 0-d), and its parts."""
        now = ahead.trainer.numbers.now(ahead.trainer.device).replace(**numbers)
        return weighted(self.objective(ahead, unrolled(ahead, now, self.unroll, self.batch), now), self.weighting)


def reach(estimator: Hypergradient, learned: LearnedSchedule) -> tuple[float, float]:
    """Norms of the gradient of the objective in a controller's weights: without a look-ahead, and with one.

    The document's `meta_controller.backward(validation_metric)` is the first. The networks as they are do not depend on
    the controller's present output, so it is 0 (claim S1).
    """
    ahead, state = learned.ahead, torch.zeros(learned.state.size)
    now = ahead.trainer.numbers.now(ahead.trainer.device).replace(**learned.answer(state))
    standing, _ = weighted(estimator.objective(ahead, ahead.weights(), now), estimator.weighting)
    written = ()
    if standing.requires_grad:
        written = torch.autograd.grad(standing, learned.weights, materialize_grads=True)
    slopes, _ = estimator(learned, state)
    return float(nn.utils.get_total_norm(written)), float(nn.utils.get_total_norm(slopes))


def weighted(parts: Mapping[str, Tensor], weighting: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum of an objective's parts (0-d, with its gradient), and all of them as floats, "loss" too.

    Raises:
        ValueError: a weight without its part.
    """
    if lost := weighting.keys() - parts.keys():
        raise ValueError(f"the objective has no part {', '.join(sorted(lost))}; it has {', '.join(parts)}")
    loss = torch.stack([weight * parts[name] for name, weight in weighting.items()]).sum()
    values = torch.stack([loss.detach(), *(part.detach() for part in parts.values())])
    distributed.average_([values])
    return loss, dict(zip(("loss", *parts), values.tolist()))


def unrolled(ahead: LookAhead, now: Now, steps: int = 1, batch: int = 0) -> Weights:
    """The players' weights after steps with these numbers; who plays is as in training.

    Args:
        ahead: the players.
        now: the numbers.
        steps: how many.
        batch: samples of each batch; 0 for all.

    Each step reads Adam's moments where they stand. Over several steps that is an approximation; over one it is exact.
    """
    trainer, weights = ahead.trainer, ahead.weights()
    for ahead_by in range(steps):
        samples = trainer.batches[trainer.step + ahead_by]
        samples = tree_map(lambda part: part[:batch], samples) if batch else samples
        for index, who in enumerate(trainer.turns(now, trainer.step + ahead_by)):
            weights = ahead.step(who, weights, now, samples, f"look {ahead_by} {index}")
    return weights
