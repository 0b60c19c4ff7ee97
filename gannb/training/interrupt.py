"""Interrupting between steps, never within one: a KeyboardInterrupt inside a step leaves the optimiser half moved."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self


class Paused(KeyboardInterrupt):
    """The run stands at a step boundary, saved; the same call goes on. It stops the cells after it from running."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Interrupt:
    """Catches SIGINT while a block runs and keeps it as a flag; a second one within a step waits too.

    Attributes:
        asked: whether an interrupt came.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True
