"""The columns, the status line and the invariants that motion_balance.md asks a reader to watch (M20)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gannb.dynamics.balance import Balance, Invariants, epoch_line
from gannb.runs.history import History
from gannb.tables import Table

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer

COLUMNS = {
    "D/recent": "recent D", "G/recent": "recent G", "G/turns": "G turns", "D/turns": "D turns",
    "detail_weight": "detail", "physics_weight": "physics", "mixed": "mixed precision", "D/skips": "skips in a row",
}  # fmt: skip


class Monitor:
    """Records the columns of every step, says the status line of every epoch, and checks the invariants as it trains.

    To be called by `trainer.every(steps=1, do=Monitor(…))`. What breaks an invariant goes to the run's events
    ("invariant") and to stderr. G's loss has to log `mixed`: whether it ran in reduced precision.

    Args:
        balance: the rules.
        invariants: what has to hold.
        epochs: of the whole run, for the status line.

    Attributes:
        broken: what broke so far, in words.
    """

    def __init__(self, balance: Balance, invariants: Invariants, epochs: int) -> None:
        self.balance, self.invariants, self.epochs = balance, invariants, epochs
        self.broken: list[str] = []

    def __call__(self, trainer: Trainer) -> dict[str, float]:
        step, values = trainer.step - 1, trainer.numbers.values()
        seen = trainer.recorder.last
        mixed = bool(seen["G/mixed"]) if "G/mixed" in seen else None
        for fault in self.invariants(step, values, mixed):
            self.broken.append(fault)
            trainer.run.event("invariant", trainer.step, says=fault)
            print(fault, file=sys.stderr)
        if step % trainer.batches.per_epoch == 0:
            line = epoch_line(step // trainer.batches.per_epoch, self.epochs, values, bool(mixed))
            trainer.run.event("epoch", trainer.step, says=line)
            print(line, file=sys.stderr)
        recent = {f"{who.upper()}/recent": self.balance.throttle_rule.mean(who) for who in ("d", "g")}
        columns = {"G/turns": values["g_turns"], "D/turns": values["d_turns"], "D/skips": self.invariants.skips}
        columns |= {name: values[name] for name in ("detail_weight", "physics_weight")} | {"mixed": float(bool(mixed))}
        return {name: value for name, value in recent.items() if value is not None} | columns


def columns(history: History, epochs: Sequence[int], steps_per_epoch: int) -> Table:
    """The document's columns at the first step of some epochs (those that were reached)."""
    series = {name: history[name] for name in COLUMNS if name in history}
    rows = []
    for epoch in epochs:
        at = epoch * steps_per_epoch + 1
        values = [s.values[s.steps <= at][-1] if (s.steps <= at).any() else None for s in series.values()]
        if any(at in s.steps for s in series.values()):
            rows.append((epoch, *(None if v is None else f"{v:.3g}" for v in values)))
    return Table(("epoch", *(COLUMNS[name] for name in series)), rows)
