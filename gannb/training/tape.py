"""A tape of a turn's operations: what a CUDA graph keeps of it, recorded on any device.

A tape sees what a graph cannot hold (numbers of the host, shapes that follow the data), tells whether two turns did the
same, and can be played again: on a CPU it stands in for the graph, with the same blindness for everything but tensors.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.weak import WeakTensorKeyDictionary

HOST = {torch.ops.aten.lift_fresh.default, torch.ops.aten.lift_fresh_copy.default}
MOVES = ("aten::copy_", "aten::_to_copy")


class Produced(NamedTuple):
    """The result of an operation on the tape, by its number."""

    number: int


class Outer(NamedTuple):
    """A tensor from outside the turn, by the order in which it was met."""

    number: int


class Tape(TorchDispatchMode):
    """Records the operations of a block, those of the backward pass and of the optimiser included.

    Attributes:
        fault: what a graph cannot hold of them; "" where there is nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fault = ""
        self._operations: list[tuple[OpOverload, Any, list[int | None]]] = []
        self._outer: list[Tensor] = []
        self._known = WeakTensorKeyDictionary()
        self._seeds = WeakTensorKeyDictionary()
        self._count = 0
        self._result: Produced | Outer = Outer(0)

    def record(self, body: Callable[[], Tensor]) -> Tensor:
        """Run a block under the tape; its result, of any shape, is that of `play` later."""
        with self:
            result = body()
        self._result = self._reference(result)
        return result

    @torch.no_grad()
    def play(self) -> Tensor:
        """Do all operations again, on what the outer tensors hold now; the block's result, of the same shape."""
        results: dict[int, Tensor] = {}

        def tensor(at: Produced | Outer) -> Tensor:
            return self._outer[at.number] if isinstance(at, Outer) else results[at.number]

        for operation, inputs, numbers in self._operations:
            args, kwargs = replaced(inputs, (Produced, Outer), tensor)
            out = tensors(operation(*args, **kwargs))
            results |= {number: value for number, value in zip(numbers, out) if number is not None}
        return tensor(self._result)

    def difference(self, other: Tape) -> str:
        """In what another tape differs, "" where it is the same."""
        for (mine, inputs, _), (theirs, others, _) in zip(self._operations, other._operations):
            if mine is not theirs or inputs != others:
                was, became = _plain(inputs), _plain(others)
                change = f" of {was} and of {became}" if mine is theirs and was != became else f" and {theirs}"
                return f"its operations change from turn to turn: {mine}{change}"
        if len(self._operations) != len(other._operations):
            return f"its operations change from turn to turn: {len(self._operations)}, then {len(other._operations)}"
        if any(mine is not theirs for mine, theirs in zip(self._outer, other._outer)):
            return "it takes in a tensor that is another one at every turn"
        return ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "profiler":
            return func(*args, **(kwargs or {}))
        inputs = replaced((args, kwargs or {}), Tensor, self._reference)
        out = func(*args, **(kwargs or {}))
        results = tensors(out)
        if not self.fault and (fault := self._fault(func, args, kwargs or {}, results)):
            self.fault = fault + _place()
        self._operations.append((func, inputs, [self._number(result) for result in results]))
        return out

    def _fault(self, func: OpOverload, args: Any, kwargs: dict[str, Any], outputs: list[Tensor]) -> str:
        """What a graph cannot hold of an operation."""
        inputs = tensors((args, kwargs))
        if func in HOST:
            return "it makes a tensor from numbers of the host, as torch.tensor does"
        if kwargs.get("generator") is not None:
            return "it draws from a generator of its own"
        if torch.Tag.data_dependent_output in func.tags:
            return "it reads a number back from the device"
        by_mask = "index" in func.name() and any(x.dtype in (torch.bool, torch.uint8) for x in inputs)
        if by_mask or (torch.Tag.dynamic_output_shape in func.tags and "index" not in func.name()):
            return f"its shapes follow its data: {func}"
        if len({x.device.type for x in [*inputs, *outputs]}) > 1:
            of_host = [x for x in outputs if x.device.type == "cpu"]
            given = [x for x in inputs if x.device.type == "cpu" and x not in self._seeds]
            if func.name() in MOVES or given or any(x.ndim for x in of_host):
                return f"it copies between the host and the device: {func}"
            self._seeds.update(dict.fromkeys(of_host))  # fused attention's, which its backward pass takes in
        return ""

    def _reference(self, tensor: Tensor) -> Produced | Outer:
        if tensor not in self._known:
            self._known[tensor] = Outer(len(self._outer))
            self._outer.append(tensor)
        return self._known[tensor]

    def _number(self, result: Tensor) -> int | None:
        """A number for a new tensor; None for what was there before (an operation in place)."""
        if result in self._known:
            return None
        self._known[result] = Produced(self._count)
        self._count += 1
        return self._count - 1


def replaced(of: Any, kind: type | tuple[type, ...], do: Callable[[Any], Any]) -> Any:
    """An operation's arguments or results with those of a kind replaced, in less time than torch's `tree_map`.

    Args:
        of: tensors, numbers, and tuples, lists and dictionaries of them.
        kind: what is replaced.
        do: makes the replacement.
    """
    if isinstance(of, kind):
        return do(of)
    if isinstance(of, tuple | list):
        return type(of)([replaced(one, kind, do) for one in of])
    return {key: replaced(one, kind, do) for key, one in of.items()} if isinstance(of, dict) else of


def tensors(of: Any) -> list[Tensor]:
    """The tensors, of any shapes, among an operation's arguments or results."""
    found: list[Tensor] = []
    replaced(of, Tensor, found.append)
    return found


def _place() -> str:
    """The line of the loss or the network that is at work, " (losses.py:12)"; "" in the backward pass."""
    ours, frame = ("/torch/", str(Path(__file__).parent)), inspect.currentframe()
    while frame and any(part in frame.f_code.co_filename for part in ours):
        frame = frame.f_back
    at = Path(frame.f_code.co_filename) if frame else None
    return f" ({at.name}:{frame.f_lineno})" if frame and at and frame.f_code.co_name != "_play" else ""


def _is_reference(value: Any) -> bool:
    return isinstance(value, Produced | Outer)


def _plain(inputs: Any) -> list[Any]:
    """The inputs that are no tensors."""
    return [x for x in tree_flatten(inputs, is_leaf=_is_reference)[0] if not _is_reference(x) and x is not None]
