"""Commands that a person gives to a run while it trains, and the inbox where they wait for a step boundary."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

ACTIONS = ("move", "hold", "release", "pause", "resume", "step", "stop", "checkpoint", "rollback", "delete")


@dataclass(frozen=True)
class Command:
    """One command to a run.

    Attributes:
        do: one of `ACTIONS`. "move" also holds the number; "rollback" takes the weights of a checkpoint back while
            the step goes on, so that a log stays one line through time.
        name: the number ("move", "hold", "release"), or the checkpoint's name ("checkpoint", "delete", and "rollback",
            which also takes "best", "last" or a step).
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


class Inbox:
    """Commands that wait for a step boundary. Any thread may put; only the trainer takes."""

    def __init__(self) -> None:
        self._waiting: deque[Command] = deque()
        self._arrived = threading.Event()

    def put(self, command: Command) -> None:
        """Hand in a command; returns at once."""
        self._waiting.append(command)
        self._arrived.set()

    def take(self) -> list[Command]:
        """The commands that came in since the last look."""
        self._arrived.clear()
        commands = []
        while self._waiting:
            commands.append(self._waiting.popleft())
        return commands

    def wait(self, seconds: float) -> bool:
        """Sleep until a command arrives, or `seconds` have passed; says whether one did."""
        return self._arrived.wait(seconds)
