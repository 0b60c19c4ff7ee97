"""Captured turns: after a few eager ones a player's turn becomes one CUDA graph, which later steps replay.

A step of a small GAN is thousands of small kernels, and most of its time goes into launching them. A graph launches
them at once. It computes what an eager turn computes, bit for bit, as long as everything that differs from step to
step comes in through tensors that stay where they are: the batch, the numbers, the draws, the learning rates. What a
graph depends on besides is its key; what may change unnoticed keeps a turn eager, with the reason.

`torch.compile` within a turn is left out: its fused kernels round in another order, so that weights would depend on
whether a turn is captured.

On a CPU a `Tape` stands in for the graph, so that all of this can be tested without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from gannb import distributed
from gannb.control.numbers import Now
from gannb.random import Draw, Draws
from gannb.training.graphs import GraphMemory
from gannb.training.guards import Guards
from gannb.training.player import Player
from gannb.training.tape import Tape
from gannb.training.turn import Turn

WARM_UP = 3
"""Eager turns before a capture: one to learn what the loss reads, two whose operations are compared."""
MOST = 8
"""Graphs that one player may have, or begin within `IDLE` turns; what comes after them plays eagerly."""
IDLE = 1000
"""Turns of a player after which a graph that none of them replayed gives way to a new one."""

Autocast = Callable[[], AbstractContextManager]


class CapturedTurns:
    """Plays one player's turns, captured where that is possible.

    Args:
        player: whose turns.
        memory: what the graphs of all players of the run share.
        reason: why its turns play eagerly from the start; "" where they are to be captured.

    Attributes:
        reason: why its turns play eagerly; "" where they do not.
        names: the numbers whose plain values the loss reads; a graph holds for those values alone.
        intervals: the intervals that the loss asks `turn.due` about.
    """

    def __init__(self, player: Player, memory: GraphMemory, reason: str = "") -> None:
        self.player, self.memory, self.reason = player, memory, reason
        self.names: set[str] = set()
        self.intervals: set[int] = set()
        self._graphs: dict[tuple, _Graph] = {}
        self._begun: list[int] = []
        self._turns = 0
        self._turned_away = False

    def update(self, turn: Turn, autocast: Autocast, scaled: bool) -> dict[str, Tensor | float]:
        """One turn: a replay, an eager turn on the way to one, or an eager turn; what was logged, device scalars.

        Args:
            turn: what the loss may see.
            autocast: makes the precision's context for a forward pass.
            scaled: whether gradients are scaled (fp16).
        """
        graph = None if self.reason else self._graph(turn, autocast, scaled)
        if graph is None:
            return self.player.update(turn, autocast(), scaled)
        self.player.set_rates(turn.now.plain)
        before = self.player.weights_before(turn)
        return self.player.named(graph.play(turn), before)

    def learn(self, names: set[str], intervals: set[int]) -> bool:
        """Note what the loss reads; where it is news, all begins anew under fuller keys, and that is returned."""
        if names <= self.names and intervals <= self.intervals:
            return False
        self.names |= names
        self.intervals |= intervals
        self._graphs, self._begun = {}, []
        return True

    def release(self) -> None:
        """Let go of all graphs and their memory."""
        self._graphs = {}

    @property
    def limit(self) -> str:
        """What keeps turns eager, once it is known; "" where nothing does."""
        if self.reason:
            return f"eager: {self.reason}"
        if self._turned_away:
            changing = ", ".join(sorted(self.names)) or "what it can reach"
            return f"eager beyond {MOST} graphs: {changing} changes too often"
        return ""

    def __str__(self) -> str:
        count = 0 if self.reason else sum(graph.ready for graph in self._graphs.values())
        graphs = f"{count} graph{'s' * (count != 1)}" if count else ""
        return "; ".join(filter(None, [graphs, self.limit])) or "eager: too few turns of one kind yet"

    def _graph(self, turn: Turn, autocast: Autocast, scaled: bool) -> _Graph | None:
        if distributed.ranks() > 1:
            self.reason = "several ranks"
            return None
        leaves, structure = tree_flatten(turn.batch)
        if odd := [type(x).__name__ for x in leaves if not isinstance(x, Tensor | int | float | str | None)]:
            self.reason = f"its batch holds a {odd[0]}"
            return None
        shapes = [(x.shape, x.stride(), x.dtype) if isinstance(x, Tensor) else x for x in leaves]
        numbers = [(name, getattr(turn.now.plain, name)) for name in sorted(self.names)]
        due = [(interval, turn.is_multiple(interval)) for interval in sorted(self.intervals)]
        precise = isinstance(autocast(), nullcontext)
        key = (precise, scaled, structure, tuple(shapes), tuple(numbers), tuple(due))
        self._turns += 1
        if key in self._graphs and (graph := self._graphs[key]).still_holds():
            graph.last_turn = self._turns
            return graph
        recent = self._turns - IDLE
        self._graphs = {k: graph for k, graph in self._graphs.items() if k != key and graph.last_turn > recent}
        self._begun = [turn for turn in self._begun if turn > recent]
        if max(len(self._graphs), len(self._begun)) >= MOST:
            self._turned_away = True
            return None
        self._begun.append(self._turns)
        self._graphs[key] = graph = _Graph(self, turn, autocast, scaled, self._turns)
        return graph


class _Graph:
    """The turns under one key: the eager ones before the capture, and the replays."""

    def __init__(self, owner: CapturedTurns, turn: Turn, autocast: Autocast, scaled: bool, number: int) -> None:
        self.owner, self.autocast, self.scaled, self.last_turn = owner, autocast, scaled, number
        self.inputs = _Inputs(turn)
        self.names: list[str] = []
        self.guards: Guards | None = None
        self._tapes: list[Tape] = []
        self._turns = 0
        self._replay: Callable[[], Tensor] | None = None

    @property
    def ready(self) -> bool:
        return self._replay is not None

    def still_holds(self) -> bool:
        """Whether nothing that the capture took for constant has changed since."""
        return self._replay is None or self.guards is None or not self.guards.changed()

    def play(self, turn: Turn) -> dict[str, Tensor | float]:
        self.inputs.load(turn)
        if self._replay is None and self._turns == WARM_UP:
            self._capture()
        results = self._replay() if self._replay else self._warm_up()
        return dict(zip(self.names, results.unbind()))

    def _body(self) -> Tensor:
        """An eager turn on the static inputs; everything that it logs as one tensor."""
        self.inputs.rewind()
        logged = self.owner.player.compute(self.inputs.turn, self.autocast(), self.scaled)
        self.names = list(logged)
        return torch.stack([_as_double(value, self.owner.memory.device) for value in logged.values()])

    def _warm_up(self) -> Tensor:
        """An eager turn; from the second on its operations are recorded and compared."""
        self._turns += 1
        player, turn = self.owner.player, self.inputs.turn
        if self._turns == 1:
            results = self.owner.memory.aside(self._body)
        else:
            roots = (player.compute, player.optimiser.param_groups, *turn.networks.values())
            self.guards = self.guards or Guards(*roots)
            self._tapes.append(tape := Tape())
            results = self.owner.memory.aside(lambda: tape.record(self._body))
        if not self.owner.learn(self.inputs.names, turn.intervals):
            self.owner.reason = self.owner.reason or self._fault()
        if self.owner.reason:
            self.owner.release()
        return results

    def _fault(self) -> str:
        """Why these turns cannot be captured, by what is known so far."""
        if self.inputs.turn.step_was_read:
            return "it reads turn.step (turn.due(n) can be captured)"
        found = [self.inputs.draws.fault, *(tape.fault for tape in self._tapes)]
        if self.guards:
            found.append(self.guards.fault)
        if len(self._tapes) == 2:
            found.append(self._tapes[0].difference(self._tapes[1]))
        if self.guards and (name := self.guards.changed()):
            found.append(f"{name} changes, which it can reach")
        return next(filter(None, found), "")

    def _capture(self) -> None:
        tape, self._tapes = self._tapes[-1], []
        if not self.owner.memory.on_cuda:
            self._replay = tape.play
            return
        try:
            self._replay = self.owner.memory.capture(self._body)
        except RuntimeError as error:
            cause = str(error.__context__ or error)  # the end of a capture only says that there was an error before
            self.owner.reason = f"the capture failed: {cause.partition(chr(10))[0]}"
            self.owner.player.forget_unscaled()
            self._turns = 0  # nothing of it was computed: this turn is played eagerly


class _Inputs:
    """What comes into the turns of one key: tensors that stay where they are, and take in what a step brings."""

    def __init__(self, turn: Turn) -> None:
        leaves, structure = tree_flatten(turn.batch)
        self.batch = [x.clone() if isinstance(x, Tensor) else x for x in leaves]
        self.names: set[str] = set()
        self.draws = _StaticDraws(turn.draws)
        self._floats = [name for name, value in vars(turn.now).items() if isinstance(value, Tensor)]
        self._numbers = _stacked(turn.now, self._floats)
        self._plain = _Plain(vars(turn.now.plain), self.names)
        now = _StaticNow(dict(zip(self._floats, self._numbers.unbind())), self._plain)
        batch = tree_unflatten(self.batch, structure)
        self.turn = Turn(turn.who, turn.networks, batch, now, self.draws, 0)

    def load(self, turn: Turn) -> None:
        """Take in a step's batch, numbers and draws."""
        for mine, new in zip(self.batch, tree_flatten(turn.batch)[0]):
            if isinstance(mine, Tensor):
                mine.copy_(new)
        self._numbers.copy_(_stacked(turn.now, self._floats))
        self._plain.__dict__["_values"] = vars(turn.now.plain)
        self.draws.load(turn.draws)
        self.turn._step = turn._step

    def rewind(self) -> None:
        """Let a loss read from the beginning."""
        self.turn.logged = {}
        self.draws.rewind()


class _StaticDraws(Draws):
    """Draws into tensors that stay where they are, from the same generators in the same order.

    Attributes:
        fault: what cannot be drawn so; "" where there is nothing.
    """

    def __init__(self, draws: Draws) -> None:
        super().__init__(*draws.address, rank=draws.rank, ranks=draws.ranks, device=draws.device)
        self.fault = ""
        self._buffers: list[tuple[Draw, Tensor]] = []
        self._at = 0

    def load(self, draws: Draws) -> None:
        """Draw a turn's numbers."""
        self.address = draws.address
        for draw, buffer in self._buffers:
            draw.into(buffer, self.address)

    def rewind(self) -> None:
        """Hand the draws out from the first on."""
        self._at, self._drawn = 0, {}

    def generator(self, stream: str) -> torch.Generator:
        self.fault = "it takes draws.generator, and a graph cannot hold a generator"
        return super().generator(stream)

    def _make(self, draw: Draw) -> Tensor:
        if self._at == len(self._buffers):
            self._buffers.append((draw, super()._make(draw)))
        known, buffer = self._buffers[self._at]
        self._at += 1
        if known != draw:
            self.fault = "its draws change from turn to turn"
            return super()._make(draw)
        return buffer


class _Plain(SimpleNamespace):
    """Plain numbers that note which of them were read: a graph holds for those values alone."""

    def __init__(self, values: Mapping[str, Any], read: set[str]) -> None:
        super().__init__(_values=values, _read=read)

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__["_values"]
        if name not in values:
            raise AttributeError(f"no number is called {name!r}")
        self.__dict__["_read"].add(name)
        return values[name]


class _StaticNow(Now):
    """Numbers in tensors that stay where they are; whole numbers are read as plain ones."""

    def __getattr__(self, name: str) -> Any:
        if isinstance(self.plain.__dict__["_values"].get(name), int):
            return getattr(self.plain, name)
        return super().__getattr__(name)

    def replace(self, **numbers: Any) -> Now:
        """The same numbers with some others in their place."""
        return _StaticNow({k: v for k, v in vars(self).items() if k != "plain"} | numbers, self.plain)


def _stacked(now: Now, names: list[str]) -> Tensor:
    return torch.stack([vars(now)[name] for name in names]) if names else torch.empty(0)


def _as_double(value: Tensor | float, device: torch.device) -> Tensor:
    if isinstance(value, Tensor):
        return value.reshape(()).to(device, torch.float64)
    return torch.full((), value, dtype=torch.float64, device=device)
