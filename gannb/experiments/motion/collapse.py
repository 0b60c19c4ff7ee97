"""Alarms for collapse: a discriminator that is always right, a generator without variety, or one that explodes."""

from __future__ import annotations

from collections.abc import Mapping

from gannb.control.alarms import Alarm, Explodes, Lasting, not_finite

ACCURACY, STEPS = 0.99, 500
DIVERSITY, LOOKS = 0.25, 10


def collapse_alarms(action: str = "note", steps: int = STEPS) -> list[Alarm]:
    """Alarms where D is right in over 99 % of cases for 500 steps, or G's motions differ by under 25 % of the real.

    G collapses where its motions differed before; where they never did, another alarm rings at the tenth look, for G
    needs some time until they do. Two more say what may lie behind a collapse: G's gradients explode, or a value is no
    longer finite (a gradient norm that overflows clips every update to nothing).

    They read "D/accuracy", "G/grad_norm" and "G/diversity_share", the distance between generated motions over that
    between real ones.

    Args:
        action: "note", "pause", "stop" or "rollback".
        steps: how long D has to be right.
    """
    always = f"D was right in over {ACCURACY:.0%} of cases for {steps} steps"
    alike = f"generated motion differs by less than {DIVERSITY:.0%} of what real motion does"

    def right(seen: Mapping[str, float]) -> bool:
        return seen["D/accuracy"] > ACCURACY

    def narrow(seen: Mapping[str, float]) -> bool:
        return seen["G/diversity_share"] < DIVERSITY

    return [
        Lasting("D collapses training", right, always, patience=steps, action=action),
        Lasting("G collapses", narrow, alike, patience=2, lost=True, action=action),
        Explodes("G/grad_norm", factor=100, window=100, action=action),
        not_finite(action, patience=20),  # fp16 may skip a few
        Lasting("G has no variety", narrow, alike, patience=LOOKS, action=action),
    ]
