"""Learned schedules: a controller moves numbers, and a teacher says how its weights should change.

Ways to learn stand beside: `hypergradient`, `evolution`, `policy`; `initial` learns where to begin.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from gannb.experiments.schedules.control_space import Range, State
from gannb.experiments.schedules.controller import LIMIT, Memory
from gannb.experiments.schedules.lookahead import LookAhead
from gannb.random import generator
from gannb.runs import files

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer


@dataclass(frozen=True)
class Try:
    """A move as it was made: the state and the memory it answered, and how far off the logits it was.

    Attributes:
        off: by number, in standard deviations of the teacher's tries; 0 where a person held the number.
    """

    state: Tensor
    memory: Memory
    off: Tensor


@dataclass(frozen=True)
class Lesson:
    """What a teacher may use.

    Attributes:
        ahead: the trainer's players, to look ahead with.
        weights: what is taught; gradients are wanted of these.
        answer: the controller's numbers for the state now, with their gradient in the weights.
        tries: the moves since the last lesson, where the teacher wants tries.
        logits: the controller's logits for a try, with their gradient in the weights.
    """

    ahead: LookAhead
    weights: list[nn.Parameter]
    answer: Callable[[], dict[str, Tensor]]
    tries: Sequence[Try]
    logits: Callable[[Try], Tensor]


class Teacher(Protocol):
    """Gradients of the controller's weights, and what it found on the way.

    Attributes:
        width: standard deviation of the moves it wants tried, in logits; 0 for none.
    """

    width: float

    def check(self, trainer: Trainer) -> None:
        """Raise ValueError where it cannot teach through this trainer's players."""

    def __call__(self, lesson: Lesson) -> tuple[list[Tensor], dict[str, float]]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Learned:
    """A driver: a controller that moves numbers every epoch and learns every few.

    Its first move follows the first evidence (S7); until then the numbers stay where every arm starts. Without a
    teacher it is frozen: a controller learned on other data, for transfer.

    Args:
        controller: state → logits of shares and a memory (`gannb.experiments.schedules.controller`); on the CPU.
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
        self._memory: Memory = None
        self._tries: list[Try] = []
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
        before = self._memory
        with torch.no_grad():
            logits, self._memory = self.controller(state, before)
        if self.teacher and self.teacher.width:
            self._tries.append(Try(state, before, off := self._off()))
            logits = logits + self.teacher.width * off
        return {r.name: r.clip(float(r.at(share))) for r, share in zip(self.ranges, logits.sigmoid())}

    def lesson(self, state: Tensor) -> Lesson:
        """What a teacher is given at a state."""
        return Lesson(
            self._ahead,
            self.weights,
            lambda: self.answer(state),
            tuple(self._tries),
            lambda tried: self.controller(tried.state, tried.memory)[0],
        )

    def answer(self, state: Tensor) -> dict[str, Tensor]:
        """Its numbers for a state, with their gradient in its weights; those that a person holds are left out."""
        numbers = self._ahead.trainer.numbers
        logits, _ = self.controller(state, self._memory)
        shares = logits.sigmoid().to(self._ahead.trainer.device)
        return {r.name: r.at(share) for r, share in zip(self.ranges, shares) if not numbers[r.name].held}

    def _learn(self, state: Tensor) -> None:
        if all(self._attended().numbers[name].held for name in self.names):
            return  # a person has all of it in hand: nothing of the controller's own was tried
        slopes, found = self.teacher(self.lesson(state))
        self._tries = []
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

    def _off(self) -> Tensor:
        """What is tried until the next lesson: one disturbance, so that its reward is its own."""
        trainer = self._attended()
        random = generator("tries", trainer.seed, self.lessons)
        drawn = torch.randn(len(self.ranges), generator=random, dtype=self.weights[0].dtype)
        return drawn * torch.tensor([0.0 if trainer.numbers[name].held else 1.0 for name in self.names]).to(drawn)

    def _attended(self) -> Trainer:
        if self._ahead is None:
            raise RuntimeError("a controller learns by looking ahead: call learned.attend(trainer) before training")
        return self._ahead.trainer

    def _wall(self, state: Tensor) -> Sequence[Tensor]:
        """The slope of a wall around logits beyond ±LIMIT: a sigmoid that saturates never learns again."""
        logits, _ = self.controller(state, self._memory)
        return torch.autograd.grad((logits.abs() - LIMIT).relu().square().sum(), self.weights)

    def state_dict(self) -> dict[str, Any]:
        """Weights, moments, memory and what was seen, as lists: a checkpoint's state is JSON."""
        return {
            "weights": [weight.tolist() for weight in self.weights],
            "moments": [{k: v.tolist() for k, v in self.optimiser.state[w].items()} for w in self.weights],
            "memory": _listed(self._memory),
            "tries": [[t.state.tolist(), _listed(t.memory), t.off.tolist()] for t in self._tries],
            "teacher": self.teacher.state_dict() if self.teacher else {},
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
        kind = given[0].dtype
        self._memory = _remembered(state["memory"], kind)
        self._tries = [
            Try(torch.tensor(seen, dtype=kind), _remembered(memory, kind), torch.tensor(off, dtype=kind))
            for seen, memory, off in state["tries"]
        ]
        if self.teacher:
            self.teacher.load_state_dict(state["teacher"])
        self.state.load_state_dict(state["state"])
        self.told, self.lessons = dict(state["told"]), int(state["lessons"])


def save_controller(learned: Learned, path: Path) -> Path:
    """Write a controller's weights, with what it sees and moves, to a JSON file; returns its path."""
    weights = {name: weight.tolist() for name, weight in learned.controller.state_dict().items()}
    head = {"controller": type(learned.controller).__name__, "state": learned.state.features, "numbers": learned.names}
    files.write_json(path, {**head, "lessons": learned.lessons, "weights": weights})
    return path


def load_controller(path: str | Path, controller: nn.Module) -> nn.Module:
    """Take a saved controller's weights into one of the same kind; returns it.

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
            f"controller_from: {path.name} holds a {kind} that sees {seen}; its weights do not fit a "
            f"{type(controller).__name__} of {[tuple(w.shape) for w in mine.values()]}"
        )
    controller.load_state_dict(given)
    return controller


def _listed(memory: Memory) -> list | None:
    return None if memory is None else [part.tolist() for part in memory]


def _remembered(memory: list | None, kind: torch.dtype) -> Memory:
    return None if memory is None else tuple(torch.tensor(part, dtype=kind) for part in memory)
