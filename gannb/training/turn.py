"""All that a loss may see: networks, batch, this step's numbers, randomness, step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from gannb.control.echo import hint
from gannb.control.numbers import Now
from gannb.random import Draws


class Turn:
    """One player's turn within a step; `turn.G` and `turn.D` are the networks.

    A loss reads nothing else and keeps no state, so the same loss serves training, a look-ahead and a test.

    Args:
        who: the player whose turn it is; all others are frozen.
        networks: every player's network, by name.
        batch: this step's batch, a tensor or any structure of tensors.
        now: this step's numbers.
        draws: this turn's randomness.
        step: the training step.

    Attributes:
        logged: what the loss logged; device tensors, read once and later.
        intervals: the intervals that the loss asked `due` about.
        step_was_read: whether the loss read `step`; such a turn is not captured.
    """

    def __init__(
        self,
        who: str,
        networks: Mapping[str, Callable[..., Any]],
        batch: Any,
        now: Now,
        draws: Draws,
        step: int,
    ) -> None:
        self.who, self.networks, self.batch = who, networks, batch
        self.now, self.draws, self._step = now, draws, step
        self.logged: dict[str, Tensor | float] = {}
        self.intervals: set[int] = set()
        self.step_was_read = False

    @property
    def step(self) -> int:
        """The training step. For what happens every so many steps there is `due`."""
        self.step_was_read = True
        return self._step

    def due(self, interval: int) -> bool:
        """Whether what happens every `interval` steps happens in this one, such as a lazy penalty."""
        self.intervals.add(interval)
        return self.is_multiple(interval)

    def is_multiple(self, interval: int) -> bool:
        """Whether the step is a multiple of `interval`; for the trainer, which notes nothing down."""
        return self._step % interval == 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        networks = self.__dict__.get("networks", {})
        if name in networks:
            return networks[name]
        raise AttributeError(f"a turn has no {name!r}{hint(name, [*networks, *self.__dict__])}")

    def log(self, **values: Tensor | float) -> None:
        """Record single numbers (tensors of any shape with one element) of this turn, as "<player>/<name>".

        Raises:
            ValueError: a tensor of more than one element.
        """
        for name, value in values.items():
            if isinstance(value, Tensor) and value.numel() != 1:
                raise ValueError(f"log {name}: a single number is recorded, not a tensor of shape {tuple(value.shape)}")
            self.logged[name] = value.detach() if isinstance(value, Tensor) else float(value)
