"""Commands that a person gives to a run while it trains, and the inbox where they wait for a step boundary."""

from __future__ import annotations

import contextlib
import math
from dataclasses import asdict, dataclass
from queue import Empty, SimpleQueue
from typing import Any

ACTIONS = ("move", "hold", "release", "pause", "resume", "step", "stop", "checkpoint", "rollback")


@dataclass(frozen=True)
class Command:
    """One command to a run.

    Attributes:
        do: one of `ACTIONS`. "move" also holds the number; "rollback" takes the weights of a checkpoint back while
            the step goes on, so that a log stays one line through time.
        name: the number ("move", "hold", "release"), or the checkpoint's name ("checkpoint", "rollback", which also
            takes "best", "last" or a step).
        value: the value requested ("move").
        by: who gave it: "person", an alarm's name, or why a call ended ("interrupted", "paused", "stopped").
        step: the boundary at which it was applied; -1 while it waits.
    """

    do: str
    name: str = ""
    value: float | None = None
    by: str = "person"
    step: int = -1

    def __post_init__(self) -> None:
        if self.do not in ACTIONS:
            raise ValueError(f"a command {self.do!r} is not known; allowed: {', '.join(ACTIONS)}")
        number = isinstance(self.value, int | float) and not isinstance(self.value, bool) and math.isfinite(self.value)
        if self.do == "move" and not number:
            raise ValueError(f"a move of {self.name!r} needs a finite number, not {self.value!r}")
        if not isinstance(self.step, int):
            raise ValueError(f"the step of a command is a whole number, not {self.step!r}")

    def row(self) -> dict[str, Any]:
        """The command as a mapping, without what is empty."""
        return {k: v for k, v in asdict(self).items() if v not in ("", None)}


class Inbox(SimpleQueue[Command]):
    """Commands that wait for a step boundary. Any thread may `put`; only the trainer takes."""

    def take(self, wait: float = 0.0) -> list[Command]:
        """The commands that came in since the last look; `wait` up to so many seconds for a first one."""
        commands: list[Command] = []
        with contextlib.suppress(Empty):
            commands.append(self.get(timeout=wait) if wait else self.get_nowait())
            while True:
                commands.append(self.get_nowait())
        return commands
