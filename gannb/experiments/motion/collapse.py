"""When a discriminator has ended a generator's learning, in figures: what the notebook on balance asks of each arm."""

from __future__ import annotations

from gannb.control.alarms import Lasting

ACCURACY, STEPS = 0.99, 500
DIVERSITY = 0.25


def collapse_alarms(action: str = "note", steps: int = STEPS) -> list[Lasting]:
    """Ring where D is right in more than 99 % of cases for 500 steps, or G's motions differ by under 25 % of the real.

    They read "D/accuracy", and "G/diversity_share": how far made motions are apart, over how far real ones are.

    Args:
        action: "note", "pause", "stop" or "rollback".
        steps: how long D has to be right.
    """
    return [
        Lasting(
            "D collapses training",
            lambda seen: seen["D/accuracy"] > ACCURACY if "D/accuracy" in seen else None,
            f"D was right in over {ACCURACY:.0%} of cases for {steps} steps",
            patience=steps,
            action=action,
        ),
        Lasting(
            "G collapses",
            lambda seen: seen["G/diversity_share"] < DIVERSITY if "G/diversity_share" in seen else None,
            f"what G makes differs by less than {DIVERSITY:.0%} of what real motion does",
            patience=2,
            action=action,
        ),
    ]
