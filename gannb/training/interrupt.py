"""Interrupting between steps, never within one: a KeyboardInterrupt inside a step leaves the optimiser half moved."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Paused(KeyboardInterrupt):
    """The run stands at a step boundary, saved; the same call goes on. It stops the cells after it from running."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Interrupt:
    """Catches SIGINT, SIGTERM and SIGHUP while a block runs; a second one within a step waits too.

    A signal that the process ignores, as SIGHUP under `nohup`, stays ignored.

    Attributes:
        received: "interrupted", with the signal's name unless it was SIGINT; empty where none came.
    """

    def __init__(self) -> None:
        self.received = ""
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            caught = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in caught}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = "interrupted" if number == signal.SIGINT else f"interrupted by {signal.Signals(number).name}"
