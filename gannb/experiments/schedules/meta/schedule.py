"""Learned schedules: a controller moves numbers, and an estimator of its objective's gradient updates its weights.

The estimators are `hypergradient`, `evolution` and `policy_gradient`; `initialisation` learns the initial weights.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gannb.control.stateful import Stateful
from gannb.experiments.schedules.meta.control_space import Range, State
from gannb.experiments.schedules.meta.controller import LIMIT, Memory
from gannb.experiments.schedules.meta.lookahead import LookAhead
from gannb.random import generator
from gannb.runs import files
from gannb.training.trainer import Trainer


@dataclass(frozen=True)
class Exploration:
    """A move that was made with noise: the state and memory it followed from, and the noise in its logits.

    Attributes:
        state, memory: the controller's input.
        noise: `[numbers]`, in standard deviations; 0 where a person held the number.
    """

    state: Tensor
    memory: Memory
    noise: Tensor


class GradientEstimator(Stateful, ABC):
    """Gradients of the objective in the controller's weights, and values to log.

    Attributes:
        width: standard deviation of the exploration that it wants, in logits; 0 for none.
    """

    width = 0.0

    def check(self, trainer: Trainer) -> None:
        """Raise ValueError where it cannot differentiate through this trainer's players."""

    @abstractmethod
    def __call__(self, learned: LearnedSchedule, state: Tensor) -> tuple[list[Tensor], dict[str, float]]:
        """Estimates in the shapes of `learned.weights` at a state `[features]`, and values to log."""


class LearnedSchedule:
    """A driver: a controller that moves numbers every few steps, and whose weights are updated every few moves.

    Its first move follows the first observation (S7); until then the numbers stay where all variants start. Without
    an estimator it is frozen: a controller that was learned on other data, for transfer.

    Args:
        controller: state → logits of shares and a memory, on the CPU.
        ranges: the numbers, in the order of the controller's outputs.
        state: what it observes.
        steps_per_move: steps between moves; the document moves once per epoch.
        estimator: of the gradient; None for a frozen controller.
        moves_per_update: moves between updates.
        rate: Adam's learning rate.
        decay: decoupled weight decay, against overfitting one data set.
        clip: largest gradient norm.
        eps: Adam's ε: gradients far below it count as none, where Adam would follow their noise at full rate.

    Attributes:
        logged: values of the last update, as "meta/<name>"; the state may observe them.
        updates: how many were made.
        explorations: the noisy moves since the last update, where the estimator wants any.

    Raises:
        ValueError: an interval below 1.
    """

    reads = True
    label = "learned"

    def __init__(
        self,
        controller: nn.Module,
        ranges: Sequence[Range],
        state: State,
        *,
        steps_per_move: int,
        estimator: GradientEstimator | None = None,
        moves_per_update: int = 5,
        rate: float = 1e-3,
        decay: float = 1e-4,
        clip: float = 1.0,
        eps: float = 1e-6,
    ) -> None:
        if steps_per_move < 1 or moves_per_update < 1:
            raise ValueError(f"steps_per_move={steps_per_move}, moves_per_update={moves_per_update}; at least 1 each")
        self.controller, self.ranges, self.state, self.estimator = controller, tuple(ranges), state, estimator
        self.names = tuple(r.name for r in ranges)
        self.move_every, self.update_every, self.clip = steps_per_move, moves_per_update * steps_per_move, clip
        self.weights = list(controller.parameters())
        self.optimiser = torch.optim.AdamW(self.weights, lr=rate, betas=(0.9, 0.99), eps=eps, weight_decay=decay)
        for weight in self.weights:  # moments from the beginning, so that there is one list to save and to load
            moments = {name: torch.zeros_like(weight) for name in ("exp_avg", "exp_avg_sq")}
            self.optimiser.state[weight] = {"step": torch.zeros(()), **moments}
        self.logged: dict[str, float] = {}
        self.updates = 0
        self._memory: Memory = None
        self.explorations: list[Exploration] = []
        self._ahead: LookAhead | None = None

    def attach(self, trainer: Trainer) -> LearnedSchedule:
        """Let it look ahead through a trainer's players; a ValueError where its estimator cannot."""
        if self.estimator:
            self.estimator.check(trainer)
        self._ahead = LookAhead(trainer)
        return self

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The numbers to move at this step, with their new values."""
        self.state.log({**self.logged, **seen})
        if step == 0 or step % self.move_every or not self.state.pending:
            return {}
        state = torch.tensor(self.state.observe(step, values), dtype=self.weights[0].dtype)
        if self.estimator and step % self.update_every == 0:
            self._update(state)
        before = self._memory
        with torch.no_grad():
            logits, self._memory = self.controller(state, before)
        if self.estimator and self.estimator.width:
            self.explorations.append(Exploration(state, before, noise := self._noise()))
            logits = logits + self.estimator.width * noise
        return {r.name: r.clip(float(r.at(share))) for r, share in zip(self.ranges, logits.sigmoid())}

    @property
    def ahead(self) -> LookAhead:
        """The trainer's players, to look ahead with.

        Raises:
            RuntimeError: before `attach`.
        """
        if self._ahead is None:
            raise RuntimeError("a controller learns by looking ahead: call learned.attach(trainer) before training")
        return self._ahead

    def answer(self, state: Tensor) -> dict[str, Tensor]:
        """Its numbers (0-d) for a state `[features]`, with their gradient in its weights; held ones are left out."""
        trainer = self.ahead.trainer
        logits, _ = self.controller(state, self._memory)
        shares = logits.sigmoid().to(trainer.device)
        return {r.name: r.at(share) for r, share in zip(self.ranges, shares) if not trainer.numbers[r.name].held}

    def _update(self, state: Tensor) -> None:
        if all(self.ahead.trainer.numbers[name].held for name in self.names):
            return  # a person holds all of them: nothing of the controller's own was tried
        slopes, found = self.estimator(self, state)
        self.explorations = []
        slopes = [slope + extra for slope, extra in zip(slopes, self._saturation(state))]
        norm = nn.utils.get_total_norm(slopes)
        self.updates += 1
        self.logged = {f"meta/{name}": value for name, value in found.items() if math.isfinite(value)}
        self.logged |= {"meta/skipped": float(not norm.isfinite()), "meta/updates": float(self.updates)}
        if not norm.isfinite():  # a look-ahead that diverged is logged, and no update is made
            return
        for weight, slope in zip(self.weights, slopes):
            weight.grad = slope * (self.clip / (norm + 1e-6)).clamp(max=1.0)
        self.optimiser.step()
        self.logged["meta/grad_norm"] = float(norm)

    def _noise(self) -> Tensor:
        """The exploration until the next update: one disturbance, so that its reward is its own."""
        trainer = self.ahead.trainer
        random = generator("tries", trainer.seed, self.updates)
        drawn = torch.randn(len(self.ranges), generator=random, dtype=self.weights[0].dtype)
        return drawn * torch.tensor([0.0 if trainer.numbers[name].held else 1.0 for name in self.names]).to(drawn)

    def _saturation(self, state: Tensor) -> Sequence[Tensor]:
        """The gradient of a penalty on logits beyond ±LIMIT: a saturated sigmoid never learns again."""
        logits, _ = self.controller(state, self._memory)
        return torch.autograd.grad((logits.abs() - LIMIT).relu().square().sum(), self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Weights, moments, memory and what was logged, as lists: a checkpoint's state is JSON."""
        return {
            "weights": _listed(self.weights),
            "moments": [{k: v.tolist() for k, v in self.optimiser.state[w].items()} for w in self.weights],
            "memory": _listed(self._memory),
            "explorations": [[e.state.tolist(), _listed(e.memory), e.noise.tolist()] for e in self.explorations],
            "estimator": self.estimator.state_dict() if self.estimator else {},
            "state": self.state.state_dict(),
            "logged": self.logged,
            "updates": self.updates,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave.

        Raises:
            ValueError: weights of other shapes, as another controller has.
        """
        given = [torch.tensor(values, dtype=self.weights[0].dtype) for values in state["weights"]]
        if [w.shape for w in given] != [w.shape for w in self.weights]:
            found, wanted = ([tuple(w.shape) for w in weights] for weights in (given, self.weights))
            raise ValueError(f"weights {found} are of another controller than {wanted}")
        with torch.no_grad():
            for weight, values, moments in zip(self.weights, given, state["moments"]):
                weight.copy_(values)
                for name, mine in self.optimiser.state[weight].items():
                    mine.copy_(torch.tensor(moments[name], dtype=mine.dtype))
        kind = given[0].dtype
        self._memory = _tensors(state["memory"], kind)
        self.explorations = [
            Exploration(torch.tensor(seen, dtype=kind), _tensors(memory, kind), torch.tensor(noise, dtype=kind))
            for seen, memory, noise in state["explorations"]
        ]
        if self.estimator:
            self.estimator.load_state_dict(state["estimator"])
        self.state.load_state_dict(state["state"])
        self.logged, self.updates = dict(state["logged"]), int(state["updates"])


def save_controller(learned: LearnedSchedule, path: Path) -> Path:
    """Write a controller's weights, its observations and its numbers to a JSON file; returns its path."""
    weights = {name: weight.tolist() for name, weight in learned.controller.state_dict().items()}
    head = {"controller": type(learned.controller).__name__, "state": learned.state.features, "numbers": learned.names}
    return files.write_json(path, {**head, "updates": learned.updates, "weights": weights})


def load_controller(path: str | Path, controller: nn.Module) -> nn.Module:
    """Load saved weights into a controller of the same kind; returns it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no controller in it, or one of another kind or size.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"controller_from: there is no file {str(path)!r}")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        given = {name: torch.tensor(values) for name, values in stored["weights"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"controller_from: {path.name} holds no controller ({error!r})") from error
    mine = controller.state_dict()
    if {n: w.shape for n, w in given.items()} != {n: w.shape for n, w in mine.items()}:
        kind, seen = stored.get("controller"), ", ".join(stored.get("state", ()))
        raise ValueError(
            f"controller_from: {path.name} holds a {kind} that observes {seen}; its weights do not fit a "
            f"{type(controller).__name__} of {[tuple(w.shape) for w in mine.values()]}"
        )
    controller.load_state_dict(given)
    return controller


def _listed(tensors: Sequence[Tensor] | None) -> list | None:
    return None if tensors is None else [part.tolist() for part in tensors]


def _tensors(lists: list | None, kind: torch.dtype) -> Memory:
    return None if lists is None else tuple(torch.tensor(part, dtype=kind) for part in lists)
