"""The one clock of a live view: how often something is refreshed, how long a run trains, and how fast it may."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

WINDOW = 2.0
"""Seconds of training over which the speed is measured."""
KNOWN = 5
"""Costs that are looked at."""


class RateLimit:
    """Limits how often something is done.

    Its cost is the least of the last five times, because other processes may have delayed the rest; as long as fewer
    are known, the share is that much larger. The first time, when much is loaded, does not count.

    Args:
        shortest: seconds between two times, at least.
        share: of the time that it may take, at most.

    Attributes:
        earliest: when it may be done again where its cost delays nobody.
        next: when it may be done again, by its share of the time.
    """

    def __init__(self, shortest: float, share: float) -> None:
        self.shortest, self.share = shortest, share
        self.earliest = self.next = 0.0
        self._first = True
        self._took: deque[float] = deque(maxlen=KNOWN)

    def did(self, began: float, ended: float) -> None:
        """Note that it was done between these times."""
        self.earliest = self.next = ended + self.shortest
        if self._first:
            self._first = False
            return
        self._took.append(ended - began)
        self.next = max(self.earliest, ended + min(self._took) / self.share * len(self._took) / KNOWN)


class Clock:
    """Wall-clock time of training, pauses left out, and steps per second over about the last two seconds of it.

    Attributes:
        seconds: trained so far, since the view was made.
        rate: steps per second; 0 while it is unknown.
        limit: steps per second that a person allows; 0 is no limit.
    """

    def __init__(self) -> None:
        self.seconds, self.rate, self.limit = 0.0, 0.0, 0.0
        self._seen = self._since = 0.0
        self._step = 0

    def tick(self, step: int, training: bool) -> None:
        """Note the step that is reached now; time without training does not count."""
        now = time.perf_counter()
        if not training:
            self._seen = self._since = 0.0
            return
        if not self._seen:
            self._step, self._since = step, now
        else:
            self.seconds += now - self._seen
        self._seen = now
        if now - self._since > WINDOW or (not self.rate and now > self._since):
            self.rate = float(f"{(step - self._step) / (now - self._since):.3g}")
            self._step, self._since = step, now

    def packed(self, step: int, target: int) -> dict[str, Any]:
        """For the page."""
        left = (target - step) / self.rate if self.rate else None
        return {"seconds": round(self.seconds, 1), "left": left, "rate": self.rate, "limit": self.limit}
