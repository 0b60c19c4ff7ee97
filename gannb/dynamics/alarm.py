"""Alarms: folds over what was seen that ring when a training goes wrong (contradictions P3–P4)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, Protocol

ACTIONS = ("note", "pause", "stop", "rollback")


class Alarm(Protocol):
    """Reads every recorded row in order; returns a message when it begins to ring.

    Attributes:
        name: how events and panels call it.
        action: "note", "pause", "stop" or "rollback" (to the best checkpoint, with `changes`).
        changes: numbers to set after a rollback, as factors of where they stand.
    """

    name: str
    action: str
    changes: Mapping[str, float]

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Lasting:
    """Rings when a condition has held for `patience` rows in a row, and again only after it was gone.

    Args:
        name: how it is called.
        condition: on one row; None where the row does not tell (a player that did not play).
        message: what it says.
        patience: rows in a row.
        action, changes: see `Alarm`.
    """

    def __init__(
        self,
        name: str,
        condition: Callable[[Mapping[str, float]], bool | None],
        message: str,
        *,
        patience: int = 1,
        action: str = "note",
        changes: Mapping[str, float] | None = None,
    ) -> None:
        if action not in ACTIONS:
            raise ValueError(f"action of the alarm {name!r}: given {action!r}; allowed: {' | '.join(ACTIONS)}")
        self.name, self.condition, self.message, self.patience = name, condition, message, patience
        self.action, self.changes = action, dict(changes or {})
        self.count = 0

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        holds = self.condition(seen)
        if holds is None:
            return None
        self.count = self.count + 1 if holds else 0
        return self.message if self.count == self.patience else None

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


class Explodes:
    """Rings when a value is more than `factor` times its running median (P4: "G loss explodes").

    Args:
        key: what is watched, such as "G/loss".
        factor: how much is too much.
        window: over how many rows the median runs; silent until it is full.
        patience: rows in a row.
    """

    def __init__(
        self, key: str, *, factor: float = 10.0, window: int = 200, patience: int = 3, action: str = "note",
        changes: Mapping[str, float] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.key, self.factor, self.patience = f"{key} explodes", key, factor, patience
        self.action, self.changes = action, dict(changes or {})
        self.recent: deque[float] = deque(maxlen=window)
        self.count, self.usual = 0, 0.0

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        if self.key not in seen or not math.isfinite(seen[self.key]):
            return None
        value = abs(seen[self.key])
        full = len(self.recent) == self.recent.maxlen
        if full and (step % 10 == 0 or not self.usual):
            self.usual = median(self.recent)
        high = full and value > self.factor * max(self.usual, 1e-8)
        self.count = self.count + 1 if high else 0
        if not high:
            self.recent.append(value)
        if self.count == self.patience:
            return f"{self.key} is {value:.3g}, more than {self.factor:g} times its usual {self.usual:.3g}"
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"recent": list(self.recent), "count": self.count, "usual": self.usual}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.recent.clear()
        self.recent.extend(state["recent"])
        self.count, self.usual = state["count"], state["usual"]


class Stalled:
    """Rings when a score has not become better for `patience` steps and at least `scores` scores (P4, P8)."""

    def __init__(self, key: str, *, patience: int, scores: int = 4, action: str = "note") -> None:
        self.name, self.key, self.patience, self.scores = f"{key} stalled", key, patience, scores
        self.action, self.changes = action, {}
        self.best, self.since, self.count = math.inf, 0, 0

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        if self.key not in seen:
            return None
        if seen[self.key] < self.best:
            self.best, self.since, self.count = seen[self.key], step, 0
            return None
        self.count += 1
        late = step - self.since >= self.patience and self.count >= self.scores
        if late:
            self.since, self.count = step, 0
            return f"no better {self.key} than {self.best:.4g} for {self.patience} steps"
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best if math.isfinite(self.best) else None, "since": self.since, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best = math.inf if state["best"] is None else state["best"]
        self.since, self.count = state["since"], state["count"]


def not_finite(action: str = "note") -> Lasting:
    """Rings at the first value that is NaN or infinite."""
    return Lasting(
        "not finite",
        lambda seen: not all(math.isfinite(v) for v in seen.values()),
        "a loss or gradient is NaN or infinite",
        action=action,
    )
