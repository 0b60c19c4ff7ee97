"""The columns, the status line and the invariants that the motion_balance document asks a reader to watch (M20)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import torch

from gannb.experiments.motion_balance.balance import Balance
from gannb.experiments.motion_balance.invariants import Invariants, epoch_line
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
    series = {name: history[name] for name in COLUMNS if name in history}
    rows = []
    for epoch in epochs:
        at = epoch * steps_per_epoch + 1
        values = [s.values[s.steps <= at][-1] if (s.steps <= at).any() else None for s in series.values()]
        if any(at in s.steps for s in series.values()):
            rows.append((epoch, *(None if v is None else f"{v:.3g}" for v in values)))
    return Table(("epoch", *(COLUMNS[name] for name in series)), rows)


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
    series, turns = history[name], dict(zip(history["G/turns"].steps, history["G/turns"].values))
    by_side = [{}, {}]
    for step, value in zip(series.steps, series.values):
        if step > 1:  # the first one warms up
            by_side[int(step > since)].setdefault(turns.get(step), []).append(value)
    common = sorted(by_side[0].keys() & by_side[1].keys(), key=lambda count: -len(by_side[1][count]))
    return (median(by_side[0][common[0]]), median(by_side[1][common[0]])) if common else None


def unanswered(history: History, d_below: float, g_above: float) -> int | None:
    """After how many steps with D's loss below and G's above the thresholds D played on; None where there was none.

    Args:
        history: of the run.
        d_below: D's threshold.
        g_above: G's threshold.
    """
    losses = {name: dict(zip(history[name].steps, history[name].values)) for name in ("D/loss", "G/loss", "D/turns")}
    strong = [
        step for step, loss in losses["D/loss"].items() if loss < d_below and losses["G/loss"].get(step, 0.0) > g_above
    ]
    followed = [step for step in strong if step + 1 in losses["D/turns"]]
    return sum(int(losses["D/turns"][step + 1] > 0) for step in followed) if followed else None
