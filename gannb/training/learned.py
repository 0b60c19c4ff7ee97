"""Learned schedules: a controller moves numbers, and a teacher says how its weights should change.

Hypergradients and evolution take steps that are not taken and ask a held-out objective about them (schedules.md §3.3;
contradictions S1): a Fréchet distance has no gradient that reaches a controller, a look-ahead has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from gannb import ranks
from gannb.draws import generator
from gannb.dynamics.controller import Range, State
from gannb.dynamics.numbers import Now
from gannb.models.controller import LIMIT
from gannb.training.lookahead import LookAhead, Weights

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer

BATCH_NORMS = nn.modules.batchnorm._BatchNorm
Objective = Callable[[LookAhead, Weights, Now], Mapping[str, Tensor]]
"""Parts of what is wanted small, by name, from the players' weights as they would be."""
Answer = Callable[[], dict[str, Tensor]]
"""The controller's numbers, with their gradient in its weights."""


class Teacher(Protocol):
    """Gradients of the controller's weights, and what it found on the way."""

    def check(self, trainer: Trainer) -> None:
        """Raise ValueError where it cannot teach through this trainer's players."""

    def __call__(
        self, ahead: LookAhead, answer: Answer, weights: list[nn.Parameter]
    ) -> tuple[list[Tensor], dict[str, float]]: ...


class Hypergradient:
    """The gradient of a held-out objective through steps that are not taken.

    Args:
        objective: parts of what is wanted small, after those steps.
        weigh: the weight of each part; a part without one is only reported.
        unroll: steps ahead; each costs about four of training.
        batch: samples of each batch that are looked at, which bounds the memory; 0 for all.

    Raises:
        ValueError: no step ahead, or no weight.
    """

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

    def __call__(
        self, ahead: LookAhead, answer: Answer, weights: list[nn.Parameter]
    ) -> tuple[list[Tensor], dict[str, float]]:
        loss, found = self.loss(ahead, answer())
        return ahead.gradients(loss, weights), found

    def loss(self, ahead: LookAhead, numbers: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """The weighted objective after steps with these numbers, and its parts."""
        trainer = ahead.trainer
        now = trainer.numbers.now(trainer.device).replace(**numbers)
        players = unrolled(ahead, now, self.unroll, self.batch)
        parts = self.objective(ahead, players, now)
        if lost := self.weigh.keys() - parts.keys():
            raise ValueError(f"the objective has no part {', '.join(sorted(lost))}; it has {', '.join(parts)}")
        loss = sum((weight * parts[name] for name, weight in self.weigh.items()), torch.zeros(()).to(trainer.device))
        told = torch.stack([loss.detach(), *(part.detach() for part in parts.values())])
        ranks.average_([told])
        return loss, dict(zip(("loss", *parts), told.tolist()))


class Evolution(Hypergradient):
    """The same objective's slope from pairs of disturbed controllers: a check that needs no gradient (S1).

    Args:
        objective, weigh, unroll, batch: as `Hypergradient`.
        pairs: antithetic pairs (Salimans et al. 2017); the error falls with their root.
        width: standard deviation of a disturbance.
    """

    def __init__(
        self, objective: Objective, weigh: Mapping[str, float], *, pairs: int = 8, width: float = 0.02, **more: int
    ) -> None:
        super().__init__(objective, weigh, **more)
        self.pairs, self.width = pairs, width

    def check(self, trainer: Trainer) -> None:
        """It differentiates nothing but the steps themselves."""

    def __call__(
        self, ahead: LookAhead, answer: Answer, weights: list[nn.Parameter]
    ) -> tuple[list[Tensor], dict[str, float]]:
        trainer = ahead.trainer
        random = generator("evolution", trainer.seed, trainer.step)
        slopes = [torch.zeros_like(weight) for weight in weights]
        for _ in range(self.pairs):
            ways = [torch.randn(w.shape, generator=random, dtype=w.dtype) for w in weights]
            sides = [self._disturbed(ahead, answer, weights, ways, sign) for sign in (1, -1)]
            for slope, way in zip(slopes, ways):
                slope += (sides[0] - sides[1]) / (2 * self.width * self.pairs) * way
        with torch.no_grad():
            numbers = answer()
        return slopes, self.loss(ahead, numbers)[1]

    def _disturbed(
        self, ahead: LookAhead, answer: Answer, weights: list[nn.Parameter], ways: list[Tensor], sign: int
    ) -> float:
        before = [weight.detach().clone() for weight in weights]
        with torch.no_grad():
            for weight, way in zip(weights, ways):
                weight += sign * self.width * way
            numbers = answer()
            for weight, was in zip(weights, before):
                weight.copy_(was)
        return self.loss(ahead, numbers)[1]["loss"]


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


class Learned:
    """A driver: a controller that moves numbers every epoch and learns every few.

    Its first move follows the first evidence (S7); until then the numbers stay where every arm starts. Without a
    teacher it is frozen: a controller learned on other data, for transfer.

    Args:
        controller: state → logits of shares and a memory (`gannb.models.controller`); on the CPU.
        ranges: the numbers, in the order of the controller's answers.
        state: what it sees.
        steps_per_epoch: steps between moves.
        teacher: how it learns; None where it does not.
        every: epochs between its lessons.
        rate: Adam's rate; adaptive a weight, as Adam is.
        decay: decoupled weight decay, against learning one data set by heart.
        clip: largest gradient norm.
        floor: Adam's ε: slopes far below it count as none, where Adam would follow their noise at full rate.

    Attributes:
        told: what the last lesson found, as "meta/<part>"; a recorder's row, and evidence for the state.
    """

    reads = True
    label = "learned"

    def __init__(
        self,
        controller: nn.Module,
        ranges: Sequence[Range],
        state: State,
        *,
        steps_per_epoch: int,
        teacher: Teacher | None = None,
        every: int = 5,
        rate: float = 1e-3,
        decay: float = 1e-4,
        clip: float = 1.0,
        floor: float = 1e-6,
    ) -> None:
        if steps_per_epoch < 1 or every < 1:
            raise ValueError(f"steps_per_epoch={steps_per_epoch}, every={every}; each must be at least 1")
        self.controller, self.ranges, self.state, self.teacher = controller, tuple(ranges), state, teacher
        self.names = tuple(r.name for r in ranges)
        self.move_every, self.learn_every, self.clip = steps_per_epoch, every * steps_per_epoch, clip
        self.weights = list(controller.parameters())
        self.optimiser = torch.optim.AdamW(self.weights, lr=rate, betas=(0.9, 0.99), eps=floor, weight_decay=decay)
        for weight in self.weights:  # moments from the beginning, so that there is one list to save and to load
            self.optimiser.state[weight] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }
        self.told: dict[str, float] = {}
        self.lessons = 0
        self._memory: tuple[Tensor, ...] | None = None
        self._ahead: LookAhead | None = None

    def attend(self, trainer: Trainer) -> Learned:
        """Let it look ahead through a trainer's players; once, when there is one. ValueError where it could not."""
        if self.teacher:
            self.teacher.check(trainer)
        self._ahead = LookAhead(trainer)
        return self

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        self.state.see({**self.told, **seen})
        if step == 0 or step % self.move_every or not self.state.evidence:
            return {}
        state = torch.tensor(self.state.look(step, values), dtype=self.weights[0].dtype)
        if self.teacher and step % self.learn_every == 0:
            self._learn(state)
        with torch.no_grad():
            logits, self._memory = self.controller(state, self._memory)
        return {r.name: r.clip(float(r.at(share))) for r, share in zip(self.ranges, logits.sigmoid())}

    def answer(self, state: Tensor) -> dict[str, Tensor]:
        """Its numbers for a state, with their gradient in its weights; those that a person holds are left out."""
        numbers = self._ahead.trainer.numbers
        logits, _ = self.controller(state, self._memory)
        shares = logits.sigmoid().to(self._ahead.trainer.device)
        return {r.name: r.at(share) for r, share in zip(self.ranges, shares) if not numbers[r.name].held}

    def _learn(self, state: Tensor) -> None:
        if self._ahead is None:
            raise RuntimeError("a controller learns by looking ahead: call learned.attend(trainer) before training")
        if all(self._ahead.trainer.numbers[name].held for name in self.names):
            return  # a person has all of it in hand: nothing of the controller's own was tried
        slopes, found = self.teacher(self._ahead, lambda: self.answer(state), self.weights)
        slopes = [slope + wall for slope, wall in zip(slopes, self._wall(state))]
        norm = nn.utils.get_total_norm(slopes)
        self.told = {f"meta/{name}": value for name, value in found.items() if math.isfinite(value)}
        self.told |= {"meta/skipped": float(not norm.isfinite()), "meta/lessons": self.lessons + 1.0}
        self.lessons += 1
        if not norm.isfinite():  # a lesson from a step that blew up; it is told, and none is taken
            return
        for weight, slope in zip(self.weights, slopes):
            weight.grad = slope * (self.clip / (norm + 1e-6)).clamp(max=1.0)
        self.optimiser.step()
        self.told["meta/grad_norm"] = float(norm)

    def _wall(self, state: Tensor) -> Sequence[Tensor]:
        """The slope of a wall around logits beyond ±LIMIT: a sigmoid that saturates never learns again."""
        logits, _ = self.controller(state, self._memory)
        return torch.autograd.grad((logits.abs() - LIMIT).relu().square().sum(), self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Weights, moments, memory and what was seen, as lists: a checkpoint's state is JSON."""
        return {
            "weights": [weight.tolist() for weight in self.weights],
            "moments": [{k: v.tolist() for k, v in self.optimiser.state[w].items()} for w in self.weights],
            "memory": None if self._memory is None else [part.tolist() for part in self._memory],
            "state": self.state.state_dict(),
            "told": self.told,
            "lessons": self.lessons,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; another controller's weights are an error.

        Raises:
            ValueError: weights of other shapes.
        """
        given = [torch.tensor(values, dtype=w.dtype) for values, w in zip(state["weights"], self.weights)]
        if [w.shape for w in given] != [w.shape for w in self.weights] or len(state["weights"]) != len(self.weights):
            shapes = [tuple(torch.tensor(values).shape) for values in state["weights"]]
            raise ValueError(
                f"weights {shapes} are of another controller than {[tuple(w.shape) for w in self.weights]}"
            )
        with torch.no_grad():
            for weight, values, moments in zip(self.weights, given, state["moments"]):
                weight.copy_(values)
                for name, mine in self.optimiser.state[weight].items():
                    mine.copy_(torch.tensor(moments[name], dtype=mine.dtype))
        memory = state["memory"]
        self._memory = None if memory is None else tuple(torch.tensor(m, dtype=given[0].dtype) for m in memory)
        self.state.load_state_dict(state["state"])
        self.told, self.lessons = dict(state["told"]), int(state["lessons"])
