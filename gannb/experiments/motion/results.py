"""Stored results on gesture: variants of motion_balance, and a trace for the balance rules."""

from __future__ import annotations

from gannb.comparison.measured import stored_result
from gannb.experiments.motion.metrics.variants import Outcomes


def balance_trace() -> list[dict[str, float]]:
    """Losses of a run in which D played at every step, a row a step: what the balance rules are replayed over."""
    stored = stored_result("motion_trace")["trace"]
    return [dict(zip(stored, row)) for row in zip(*stored.values())]


def gesture_arms(long: bool = False) -> Outcomes:
    """The arms of `motion_balance`, over seeds; `long`: a few of them over 504 steps, where D may have won."""
    return Outcomes.of(stored_result("motion_collapse" if long else "motion_arms")["outcomes"])
