"""Alarms: folds over what was seen that ring when a training goes wrong (claims P3–P4)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from statistics import median
from typing import Any, ClassVar

from gannb.control.stateful import Stateful

ACTIONS = ("note", "pause", "stop", "rollback")
Condition = Callable[[Mapping[str, float]], bool]


@dataclass(eq=False, kw_only=True)
class Alarm(Stateful, ABC):
    """Reads every recorded row in order; returns a message when it begins to ring.

    Attributes:
        name: how events and panels call it.
        action: "note", "pause", "stop" or "rollback" (to the best checkpoint, with `changes`).
        changes: numbers to set after a rollback, as factors of their current values.
        count: rows that hold so far.

    Raises:
        ValueError: an unknown action.
    """

    kept: ClassVar[tuple[str, ...]] = ("count",)

    name: str = field(init=False)
    action: str = "note"
    changes: Mapping[str, float] | None = None
    count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(
                f"action of the alarm {self.name!r}: given {self.action!r}; allowed: {' | '.join(ACTIONS)}"
            )

    @abstractmethod
    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        """Read one row; the message if the alarm begins to ring."""


@dataclass(eq=False)
class Lasting(Alarm):
    """Rings when a condition has held for `patience` rows in a row, and again only after it was gone.

    Args:
        name: how it is called.
        condition: on one row. A row that lacks what it reads (of a player that did not play) does not count.
        message: what it says.
        patience: rows in a row.
        lost: do not count before the first row in which it did not hold: what was never there cannot be lost.
    """

    name: str
    condition: Condition
    message: str
    _: KW_ONLY
    patience: int = 1
    lost: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.count = -1 if self.lost else 0

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        """Read one row; the message in the row that makes `patience` full."""
        try:
            holds = self.condition(seen)
        except KeyError:  # not logged in this row
            return None
        if not (holds and self.count < 0):
            self.count = self.count + 1 if holds else 0
        return self.message if self.count == self.patience else None


@dataclass(eq=False)
class Explodes(Alarm):
    """Rings when a value is more than `factor` times its running median (P4: "G loss explodes").

    Args:
        key: what is watched, such as "G/loss"; its size counts, not its sign.
        factor: how much is too much.
        window: over how many rows the median runs; silent until it is full. Rows that stray are no part of it.
        patience: rows in a row.
    """

    does: ClassVar[str] = "explodes"
    kept: ClassVar[tuple[str, ...]] = ("recent", "count", "new", "usual")

    key: str
    _: KW_ONLY
    factor: float = 10.0
    window: int = 200
    patience: int = 3

    def __post_init__(self) -> None:
        self.name = f"{self.key} {self.does}"
        self.recent: list[float] = []
        self.new, self.usual = 0, 0.0
        super().__post_init__()

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        """Read one row; the message in the row that makes `patience` full."""
        if self.key not in seen or not math.isfinite(seen[self.key]):
            return None
        value = abs(seen[self.key])
        full = len(self.recent) == self.window
        if full and (not self.usual or self.new * 20 >= self.window):  # a median at every row costs too much
            self.usual, self.new = max(median(self.recent), 1e-8), 0
        strays = full and self.strays(value)
        self.count = self.count + 1 if strays else 0
        if not strays:
            self.recent = [*self.recent, value][-self.window :]
            self.new += 1
        return f"{self.key} is {value:.3g}, its usual is {self.usual:.3g}" if self.count == self.patience else None

    def strays(self, value: float) -> bool:
        """Whether a value is too far from the usual."""
        return value > self.factor * self.usual


class Collapses(Explodes):
    """Rings when a value is less than its running median over `factor`, such as the diversity of samples."""

    does: ClassVar[str] = "collapses"

    def strays(self, value: float) -> bool:
        """Whether a value is too far below the usual."""
        return value * self.factor < self.usual


@dataclass(eq=False)
class Stalled(Alarm):
    """Rings when a score has not become better for `patience` steps and at least `scores` scores (P4, P8).

    Args:
        key: the score, the lower the better.
        patience: steps without a better one.
        scores: scores without a better one.
    """

    kept: ClassVar[tuple[str, ...]] = ("best", "since", "count")

    key: str
    _: KW_ONLY
    patience: int
    scores: int = 4

    def __post_init__(self) -> None:
        self.name = f"{self.key} stalled"
        self.best: float | None = None
        self.since = 0
        super().__post_init__()

    def __call__(self, step: int, seen: Mapping[str, float]) -> str | None:
        """Read one row; the message where the last better score is too long ago."""
        if self.key not in seen:
            return None
        if self.best is None or seen[self.key] < self.best:
            self.best, self.since, self.count = seen[self.key], step, 0
            return None
        self.count += 1
        if step - self.since < self.patience or self.count < self.scores:
            return None
        self.since, self.count = step, 0
        return f"no better {self.key} than {self.best:.4g} for {self.patience} steps"


def not_finite(action: str = "note", changes: Mapping[str, float] | None = None, *, patience: int = 1) -> Lasting:
    """Rings at the first value that is NaN or infinite.

    Args:
        action: see `Alarm`.
        changes: see `Alarm`.
        patience: rows in a row with such a value (fp16 skips a few updates).
    """
    return Lasting(
        "not finite",
        lambda seen: not all(math.isfinite(v) for v in seen.values() if isinstance(v, float)),
        "a loss or gradient is NaN or infinite",
        patience=patience,
        action=action,
        changes=changes,
    )


def gan_alarms(
    action: str = "note",
    changes: Mapping[str, float] | None = None,
    *,
    real_label: float = 0.9,
    fake_label: float = 0.0,
    fp16: bool = False,
) -> list[Alarm]:
    """The alarms of a GAN whose D learns by cross-entropy; what a run does not log is not watched.

    Watched are what players log by themselves ("loss", "grad_norm", "moved"), "D/real" and "D/fake" (mean probability
    that D gives to real and to generated samples), and "G/diversity" (`gannb.training.diversity`).

    Args:
        action: "note", "pause", "stop", or "rollback" to the best checkpoint.
        changes: numbers to multiply after a rollback, such as `{"lr_g": 0.5, "lr_d": 0.5}`.
        real_label: D's target for real samples.
        fake_label: for generated ones; D's loss cannot fall below the labels' entropies (P4: 0.325 for 0.9 and 0).
        fp16: whether a few updates may overflow and be skipped.
    """
    reaction: dict[str, Any] = {"action": action, "changes": changes}
    floor = -sum(p * math.log(p) for label in (real_label, fake_label) for p in (label, 1 - label) if p > 0)
    enough = 0.95 * (real_label - fake_label)

    def gap(seen: Mapping[str, float]) -> float:
        return seen["D/real"] - seen["D/fake"]

    lasting: list[tuple[str, Condition, str, int]] = [
        ("D too strong", lambda seen: seen["D/loss"] < floor + 0.02, f"D's loss is at its floor {floor:.3f}", 100),
        ("G too weak", lambda seen: gap(seen) > enough, "D tells nearly all that G makes", 100),
        ("D too weak", lambda seen: gap(seen) < -0.05, "D takes what G makes for more real than the real", 100),
        ("D stands still", lambda seen: seen["D/moved"] < 1e-9, "D's weights do not move", 3),
    ]
    return [
        not_finite(action, changes, patience=20 if fp16 else 1),
        *(Explodes(f"{who}/grad_norm", factor=20, patience=5, **reaction) for who in "DG"),
        Explodes("G/loss", factor=10, **reaction),
        *(Explodes(f"{who}/moved", factor=4, window=6, patience=2, **reaction) for who in "DG"),
        *(Lasting(name, holds, says, patience=rows, **reaction) for name, holds, says, rows in lasting),
        Collapses("G/diversity", factor=3, window=6, patience=2, **reaction),
    ]


def dx_below(bound: float = 0.5) -> Lasting:
    """The document's warning that D(x) is low. With label 0.9 a perfect G gives 0.45, so it rings at success (P3)."""
    message = "D(x) is low; at a perfect G it would be too"
    return Lasting(f"D(x) below {bound:g}", lambda seen: seen["D/real"] < bound, message, patience=100)
