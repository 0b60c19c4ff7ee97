"""What the motion_balance document says of its curriculum and rules, worked out: claim → value, without any training.

The claims themselves, with what they expect, are `gannb/experiments/motion_balance/claims.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from gannb.experiments.motion.curriculum import DETAIL, PHYSICS, Stages, label_offset, weight
from gannb.experiments.motion_balance.balance import RULES, Balance, Rules, SkipRule, ThrottleRule, replay
from gannb.experiments.motion_balance.strategies import LIMITS, MERGED, STRATEGIES

WRITTEN = Stages()
LOG = {"D/loss": 0.3215, "G/loss": 0.5123}  # the document's log at epoch 10, above "D too strong"
LOGGED_RATES = {"G": 5.50e-06, "D": 4.00e-06}  # right after one trigger

Trace = Sequence[Mapping[str, float]]


def curriculum_claims() -> dict[str, float]:
    """M1, M2, M3, M15, M17."""
    detail, smooth = ([weight(e, *DETAIL, WRITTEN, ramp) for e in range(500)] for ramp in ("document", "smooth"))
    ends = {"detail": DETAIL, "physics": PHYSICS}
    mixed = [float(epoch >= WRITTEN.warmup) for epoch in range(3)]
    said = [(0, 10), (10, 50), (50, 500)]  # the stages as the document writes them, both ends in
    first, last = (label_offset(epoch, MERGED.label_offset, WRITTEN.warmup) for epoch in (0, WRITTEN.warmup))
    return {f"M1.{name}_{e}": weight(e, *ends[name], WRITTEN) for e in (0, 25, 50) for name in ends} | {
        "M1.when": next(epoch for epoch, now in enumerate(detail) if now >= 0.65 - 1e-9),
        "M2.gradual": max(later - now for now, later in pairwise(detail)),
        "M2.smooth": max(later - now for now, later in pairwise(smooth)),
        "M3.disjoint": sum(sum(begin <= epoch <= end for begin, end in said) > 1 for epoch in range(501)),
        "M3.duration": WRITTEN.end - WRITTEN.warmup,
        "M15.curriculum": detail[2] - detail[0],
        "M15.mixed": mixed[2] - mixed[0],
        "M17.offset": first - last,
    }


def rule_claims() -> dict[str, float]:
    """M4 to M8, M10, M11: what the rules do in cases that can be worked out."""
    strict, legacy = MERGED, STRATEGIES["legacy"]
    strong = {"D/loss": 0.0, "G/loss": 2.0, "G/adversarial": 2.0, "D/accuracy": 1.0}
    literal, repaired = (_skips(SkipRule(strict, kind), strong, 210) for kind in ("literal", "repaired"))
    falls, up = _throttled("literal", strong, 12), _throttled("literal", strong, 1)
    quiet = {"D/loss": 0.25, "G/loss": 0.4, "G/adversarial": 0.4, "D/accuracy": 0.5}
    weak = {"D/loss": 2.0, "G/loss": 0.2, "G/adversarial": 0.2, "D/accuracy": 0.5}
    return {
        "M4.resets": sum(literal),
        "M4.consecutive": max(sum(row) for skips in (literal, repaired) for _, row in groupby(skips)),
        "M5.perfect_d": strict.g_loss_at_perfect_d - strict.g_weak_above,
        "M5.overshoot": strict.d_fake_where_skip_fires - strict.fake_label,
        "M6.stricter": strict.d_strong_below - legacy.d_strong_below,
        "M7.ratio": LOG["D/loss"] / LOG["G/loss"],
        "M7.fires": float(_seeing(LOG).state() == "d_too_strong"),
        "M8.one_base": (LOGGED_RATES["G"] / ThrottleRule.g_lr_factor) / (LOGGED_RATES["D"] / strict.d_lr_factor),
        "M10.d_falls": up[-1]["d_turns"] - LIMITS.d_turns,
        "M10.reaches_2": max(now["d_turns"] for now in _throttled("literal", weak, 12)),
        "M10.repaired_2": max(now["d_turns"] for now in _throttled("repaired", weak, 12)),
        "M11.triggers": next(i for i, now in enumerate(falls, 1) if now["lr_d_scale"] <= LIMITS.d_lr_floor + 1e-9),
        "M11.cap": max(now["lr_g_scale"] for now in falls),
        "M11.way_back": _throttled("literal", quiet, 40, falls[-1])[-1]["lr_d_scale"],
        "M11.repaired": _throttled("repaired", quiet, 40, falls[-1])[-1]["lr_d_scale"],
        "table.g_turns": up[-1]["g_turns"] - LIMITS.g_turns,
        "table.g_limit": max(now["g_turns"] for now in falls),
        "table.d_rate": up[-1]["lr_d_scale"],
    }


def trace_claims(trace: Trace) -> dict[str, float]:
    """M5, M6, M9: what the rules do over recorded losses, checked every 20 steps."""
    over = {
        (name, kind): replay(Balance(STRATEGIES[name], kind, LIMITS, check_every=20), trace)
        for name in ("merged", "legacy")
        for kind in RULES
    }
    skips = {key: sum("skip" in row["action"] for row in rows) for key, rows in over.items()}
    unweighted = sum(
        row["D/loss"] < MERGED.d_strong_below and row["G/adversarial"] > MERGED.g_weak_above for row in trace
    )
    alone = sum(
        (later["g_turns"] != now["g_turns"]) != (later["lr_d_scale"] != now["lr_d_scale"])
        for now, later in pairwise(over["merged", "literal"])
        if now["g_turns"] < LIMITS.max_g_turns
    )
    return {
        "M5.unweighted": unweighted,
        "M5.literal": skips["merged", "literal"],
        "M5.repaired": skips["merged", "repaired"],
        "M6.skips_more": skips["merged", "literal"] - skips["legacy", "literal"],
        "M9.one_trigger": alone,
    }


def _skips(rule: SkipRule, seen: Mapping[str, float], steps: int) -> list[bool]:
    """Which of some steps D sits out, where the same is seen at every step."""
    skipped: list[bool] = []
    for _ in range(steps):
        skipped.append(rule(seen, not (skipped and skipped[-1])) == "skip")
    return skipped


def _seeing(seen: Mapping[str, float], kind: Rules = "literal") -> ThrottleRule:
    """The rule once it has seen nothing else."""
    rule = ThrottleRule(MERGED, rules=kind)
    for _ in range(rule.window):
        rule.see(seen)
    return rule


def _throttled(
    kind: Rules, seen: Mapping[str, float], checks: int, start: Mapping[str, float] | None = None
) -> list[dict[str, float]]:
    """The numbers after each of some checks, where the same is seen all the time."""
    rule, now, after = _seeing(seen, kind), dict(start or LIMITS.start()), []
    for _ in range(checks):
        now = rule.shift(rule.state(), now)
        after.append(now)
    return after
