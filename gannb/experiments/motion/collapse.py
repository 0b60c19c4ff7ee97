"""Alarms for collapse: a discriminator that is always right, a generator without variety, or one that explodes."""

from __future__ import annotations

from gannb.control.alarms import Alarm, Explodes, Lasting, not_finite

ACCURACY, STEPS = 0.99, 500
DIVERSITY = 0.25


def collapse_alarms(action: str = "note", steps: int = STEPS) -> list[Alarm]:
    """Alarms where D is right in over 99 % of cases for 500 steps, or G's motions differ by under 25 % of the real.

    Two more say what may lie behind it: G's gradients explode, or a value is no longer finite (a gradient norm that
    overflows clips every update to nothing).

    They read "D/accuracy", "G/grad_norm" and "G/diversity_share", the distance between generated motions over that
    between real ones.

    Args:
        action: "note", "pause", "stop" or "rollback".
        steps: how long D has to be right.
    """
    always = f"D was right in over {ACCURACY:.0%} of cases for {steps} steps"
    narrow = f"generated motion differs by less than {DIVERSITY:.0%} of what real motion does"
    return [
        Lasting(
            "D collapses training", lambda seen: seen["D/accuracy"] > ACCURACY, always, patience=steps, action=action
        ),
        Lasting("G collapses", lambda seen: seen["G/diversity_share"] < DIVERSITY, narrow, patience=2, action=action),
        Explodes("G/grad_norm", factor=100, window=100, action=action),
        not_finite(action, patience=20),  # fp16 may skip a few
    ]
