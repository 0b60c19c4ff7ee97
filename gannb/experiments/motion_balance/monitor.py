"""The columns, the status line and the invariants that the motion_balance document asks a reader to watch (M20)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from math import isnan

import torch

from gannb.experiments.motion_balance.balance import Balance
from gannb.experiments.motion_balance.invariants import Invariants, epoch_line
from gannb.runs.history import History
from gannb.tables import Table
from gannb.training.trainer import Trainer

COLUMNS = {
    "D/recent": "recent D", "G/recent": "recent G", "G/turns": "G turns", "D/turns": "D turns",
    "detail_weight": "detail", "physics_weight": "physics", "mixed": "mixed precision", "D/skips": "skips in a row",
}  # fmt: skip


class Monitor:
    """Records the columns of every step, says the status line of every epoch, and checks the invariants as it trains.

    To be called by `trainer.every(steps=1, do=Monitor(…))`. What breaks an invariant goes to the run's events
    ("invariant") and to stderr; so does the status line, which goes to stdout where a person watches. G's loss has
    to log `mixed`: whether it ran in reduced precision.

    Args:
        balance: the rules.
        invariants: what has to hold.
        epochs: of the whole run, for the status line.

    It records how long each step took and, on a CUDA device, the most memory that was in use in it (M12, M13).
    """

    def __init__(self, balance: Balance, invariants: Invariants, epochs: int) -> None:
        self.balance, self.invariants, self.epochs = balance, invariants, epochs
        self._since = time.perf_counter()

    def __call__(self, trainer: Trainer) -> dict[str, float]:
        """Check, report and record one step of a trainer."""
        step, values = trainer.step - 1, trainer.numbers.values()
        seen = trainer.recorder.last
        mixed = bool(seen["G/mixed"]) if "G/mixed" in seen else None
        for fault in self.invariants(step, values, mixed):
            trainer.run.event("invariant", trainer.step, says=fault)
            print(fault, file=sys.stderr)
        if step % trainer.batches.per_epoch == 0:
            line = epoch_line(step // trainer.batches.per_epoch, self.epochs, values, bool(mixed))
            trainer.run.event("epoch", trainer.step, says=line)
            print(line, file=sys.stdout if trainer.session.live else sys.stderr)  # Jupyter shows stderr as a fault
        recent = {f"{who.upper()}/recent": self.balance.throttle_rule.mean(who) for who in ("d", "g")}
        columns = {"G/turns": values["g_turns"], "D/turns": values["d_turns"], "D/skips": self.invariants.skips}
        columns |= {name: values[name] for name in ("detail_weight", "physics_weight")} | {"mixed": float(bool(mixed))}
        columns |= {"seconds": -self._since + (now := time.perf_counter())}
        self._since = now
        if trainer.device.type == "cuda":
            columns["memory"] = float(torch.cuda.max_memory_allocated(trainer.device))
            torch.cuda.reset_peak_memory_stats(trainer.device)
        return {name: value for name, value in recent.items() if value is not None} | columns


def columns(history: History, epochs: Sequence[int], steps_per_epoch: int) -> Table:
    """The document's columns at the first step of some epochs (those that were reached).

    Args:
        history: of the run.
        epochs: which.
        steps_per_epoch: batches per epoch.
    """
    table = history.frame(*(name for name in COLUMNS if name in history)).ffill()
    rows = [
        (epoch, *(None if isnan(value) else f"{value:.3g}" for value in table.loc[epoch * steps_per_epoch + 1]))
        for epoch in epochs
        if epoch * steps_per_epoch + 1 in table.index
    ]
    return Table(("epoch", *(COLUMNS[name] for name in table)), rows)


def before_and_after(history: History, name: str, since: int) -> tuple[float, float] | None:
    """The median of a measured name before a step and from it on, over steps with equally many turns of G.

    None where there is nothing to compare: no such name, no steps on either side, or other turns on the two sides.

    Args:
        history: of the run.
        name: of the series.
        since: the step.
    """
    if name not in history:
        return None
    table = history.frame(name, "G/turns").loc[2:].dropna()  # the first step warms up
    before, after = (part.groupby("G/turns")[name] for part in (table.loc[:since], table.loc[since + 1 :]))
    common = after.size().reindex(before.size().index).dropna()
    return (before.median()[common.idxmax()], after.median()[common.idxmax()]) if len(common) else None


def unanswered(history: History, d_below: float, g_above: float) -> int | None:
    """After how many steps with D's loss below and G's above the thresholds D played on; None where there was none.

    Args:
        history: of the run.
        d_below: D's threshold.
        g_above: G's threshold.
    """
    table = history.frame("D/loss", "G/loss", "D/turns")
    strong = table.index[(table["D/loss"] < d_below) & (table["G/loss"] > g_above)]
    followed = table["D/turns"].reindex(strong + 1).dropna()
    return int((followed > 0).sum()) if len(followed) else None
