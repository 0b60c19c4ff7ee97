"""All that a loss may see: networks, batch, this step's numbers, randomness, step."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from gannb.control.numbers import Now
from gannb.random import Draws


class Turn:
    """One player's turn within a step; `turn.G` and `turn.D` are the networks.

    A loss reads nothing else and keeps no state, so the same loss serves training, a look-ahead and a test.

    Attributes:
        who: the player whose turn it is; all others are frozen.
        batch: this step's batch, a tensor or any structure of tensors.
        now: this step's numbers.
        draws: this turn's randomness.
        step: the training step.
        seen: what was logged; device tensors, read once and later.
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
        self.now, self.draws, self.step = now, draws, step
        self.seen: dict[str, Tensor | float] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        networks = self.__dict__.get("networks", {})
        if name in networks:
            return networks[name]
        near = difflib.get_close_matches(name, [*networks, *self.__dict__], n=1)
        raise AttributeError(f"a turn has no {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    def log(self, **values: Tensor | float) -> None:
        """Record numbers of this turn as "<player>/<name>"; each a single one, or it is a ValueError."""
        for name, value in values.items():
            if isinstance(value, Tensor) and value.numel() != 1:
                raise ValueError(f"log {name}: a single number is recorded, not a tensor of shape {tuple(value.shape)}")
            self.seen[name] = value.detach() if isinstance(value, Tensor) else float(value)
