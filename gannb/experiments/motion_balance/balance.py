"""Keeping D and G in balance: the document's two rules, named apart.

The *skip rule* lets D sit out a step. The *throttle rule* looks at moving averages now and then and shifts turns and
learning rates. Both are folds over what was seen, with no trainer inside, so the explorer runs them over a recorded
trace exactly as training does. Pure Python.
Source: motion_balance §3, "key hyperparameters", "technical details"; claims M4 to M11 and M20.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, get_args

from gannb.control.stateful import Stateful
from gannb.experiments.motion_balance.strategies import LIMITS, NUMBERS, Limits, Strategy

Rules = Literal["literal", "repaired"]
RULES: tuple[Rules, ...] = get_args(Rules)

CHECK_EVERY, WINDOW = 200, 10
"""Steps between checks of the throttle rule (the document), and losses in its moving averages (ours, M9)."""
D_IS_RIGHT = 0.95
"""The repaired rules call D too strong only when it is right in this share of cases (ours)."""


@dataclass
class SkipRule(Stateful):
    """Whether D sits out the next step.

    `literal`: D/loss below and G/loss (the weighted total) above the thresholds; skips are counted for good, so after
    `max_skips` of them D is never skipped again (M4).
    `repaired`: D/accuracy and the *unweighted* G/adversarial besides D/loss, and G's threshold is a share of the value
    that term has against a perfect D, so that the rule can fire when D is perfect (M5); only consecutive skips count.

    A skipped D has not changed, so its last measured loss stands for the decision until it plays again.
    """

    kept: ClassVar[tuple[str, ...]] = ("skips", "d_loss", "d_accuracy")

    strategy: Strategy
    rules: Rules = "literal"
    skips: int = 0
    d_loss: float | None = None
    d_accuracy: float | None = None

    def __call__(self, seen: Mapping[str, float], d_played: bool) -> Literal["", "skip", "forced"]:
        """Decide on one step: `skip`, `forced` (it would skip, but may no longer) or nothing."""
        self.d_loss = seen.get("D/loss", self.d_loss)
        self.d_accuracy = seen.get("D/accuracy", self.d_accuracy)
        if d_played and self.rules == "repaired":
            self.skips = 0
        if not self._d_too_strong(seen):
            return ""
        if self.skips >= self.strategy.max_skips:
            return "forced"
        self.skips += 1
        return "skip"

    def _d_too_strong(self, seen: Mapping[str, float]) -> bool:
        if self.d_loss is None or "G/loss" not in seen:
            return False
        if self.rules == "literal":
            return self.d_loss < self.strategy.d_strong_below and seen["G/loss"] > self.strategy.g_weak_above
        if self.d_accuracy is None:
            raise ValueError(_missing("D/accuracy"))
        weak_above = self.strategy.g_weak_above * self.strategy.g_loss_at_perfect_d
        return (
            self.d_loss < self.strategy.d_strong_below
            and self.d_accuracy > D_IS_RIGHT
            and g_loss_of(seen, self.rules) > weak_above
        )


@dataclass
class ThrottleRule:
    """Every `check_every` steps, whether turns and learning rates shift.

    D too strong: recent D / recent G below `ratio_below`, or recent D below `d_below`; then G plays more, D less, D's
    learning rate falls and G's rises, all by one trigger (M9). `recent` is the mean over the last `window` values seen;
    a skipped D adds none.
    `repaired` reads the unweighted adversarial term; believes the absolute threshold only when D is also right in
    `D_IS_RIGHT` of cases (on labels 0.90/0.10 the half-sum loss of a D at chance is 0.16, already below 0.2); adds
    the opposite trigger, G too strong, at the inverse ratio (M10); and lets scales return to 1 when all is quiet (M11).
    """

    strategy: Strategy
    limits: Limits = LIMITS
    rules: Rules = "literal"
    check_every: int = CHECK_EVERY
    window: int = WINDOW
    ratio_below: float = 0.3
    d_below: float = 0.2
    g_lr_factor: float = 1.1
    recovery: float = 1.1
    recent: dict[str, list[float]] = field(default_factory=lambda: {"d": [], "g": [], "accuracy": []})

    def see(self, seen: Mapping[str, float]) -> None:
        """Take one step's losses into the moving averages."""
        if "D/loss" in seen:
            self._append("d", seen["D/loss"])
        if "D/accuracy" in seen:
            self._append("accuracy", seen["D/accuracy"])
        if "G/loss" in seen:
            self._append("g", g_loss_of(seen, self.rules))

    def mean(self, of: Literal["d", "g", "accuracy"]) -> float | None:
        """The moving average, or None before anything was seen."""
        values = self.recent[of]
        return sum(values) / len(values) if values else None

    def state(self) -> Literal["", "d_too_strong", "g_too_strong"]:
        """What the averages say now; nothing until both windows are full.

        Raises:
            ValueError: under `repaired`, where D's accuracy was not logged.
        """
        if min(len(self.recent["d"]), len(self.recent["g"])) < self.window:
            return ""
        d, g = self.mean("d"), self.mean("g")
        accuracy = self.mean("accuracy")
        # A ratio needs a positive G: a weighted total may be anything, and a G at 0 is G winning.
        ratio = d / g if g > 0 else float("inf")
        if self.rules == "literal":
            return "d_too_strong" if ratio < self.ratio_below or d < self.d_below else ""
        if accuracy is None:
            raise ValueError(_missing("D/accuracy"))
        if ratio < self.ratio_below or (d < self.d_below and accuracy > D_IS_RIGHT):
            return "d_too_strong"
        return "g_too_strong" if ratio > 1.0 / self.ratio_below else ""

    def shift(self, state: str, now: Mapping[str, float]) -> dict[str, float]:
        """The four numbers after a check that found `state`, each within its limits."""
        lim, up, fall = self.limits, self.strategy.g_turns_up, self.strategy.d_lr_factor
        if state == "d_too_strong":
            g, d = now["g_turns"] + up, now["d_turns"] - 1
            lr_d, lr_g = now["lr_d_scale"] * fall, now["lr_g_scale"] * self.g_lr_factor
        elif state == "g_too_strong":
            g, d = now["g_turns"] - up, now["d_turns"] + 1
            lr_d, lr_g = now["lr_d_scale"] / fall, now["lr_g_scale"] / self.g_lr_factor
        elif self.rules == "repaired":
            g, d = now["g_turns"], now["d_turns"]
            lr_d, lr_g = (_towards_one(now[k], self.recovery) for k in ("lr_d_scale", "lr_g_scale"))
        else:
            return dict(now)
        return {
            "d_turns": int(_clamp(d, 1, lim.max_d_turns)),
            "g_turns": int(_clamp(g, 1, lim.max_g_turns)),
            "lr_d_scale": _clamp(lr_d, lim.d_lr_floor, lim.d_lr_cap),
            "lr_g_scale": _clamp(lr_g, lim.g_lr_floor, lim.g_lr_cap),
        }

    def _append(self, name: str, value: float) -> None:
        self.recent[name] = [*self.recent[name], float(value)][-self.window :]


class Balance:
    """A driver: both rules together, moving `d_turns`, `g_turns`, `lr_d_scale` and `lr_g_scale`.

    A skipped D is `d_turns` = 0. All numbers that it reads are those in force, never those of the start: what a person
    holds or moves (turns, thresholds, labels) is respected. It reads `D/loss` and `G/loss`, and under `repaired` also
    `D/accuracy` (share of real and generated patches on the right side of the middle) and `G/adversarial` (unweighted).

    Args:
        strategy: its numbers stand in where the run has no number of that name.
        rules: "literal" or "repaired".
        limits: where the numbers begin, and how far they may go.
        check_every: steps between checks of the throttle rule.
        window: losses in its moving averages.

    Attributes:
        action: what the rules did at the last step: "", `skip`, `forced`, `d_too_strong`, `g_too_strong`, `recover`;
            where both acted, joined by "+".

    Raises:
        ValueError: under `repaired`, where the losses do not log what the rules read.
    """

    names: tuple[str, ...] = ("d_turns", "g_turns", "lr_d_scale", "lr_g_scale")
    label = "balance"

    def __init__(
        self,
        strategy: Strategy,
        rules: Rules = "literal",
        limits: Limits = LIMITS,
        *,
        check_every: int = CHECK_EVERY,
        window: int = WINDOW,
    ) -> None:
        if rules not in RULES:
            raise ValueError(f"rules is {rules!r}; allowed: {', '.join(RULES)}")
        if check_every < 1 or window < 1:
            raise ValueError(f"check_every {check_every} and window {window}: both have to be at least 1")
        self.limits = limits
        self.skip_rule = SkipRule(strategy, rules)
        self.throttle_rule = ThrottleRule(strategy, limits, rules, check_every=check_every, window=window)
        self.action = ""
        self._d_turns = limits.d_turns  # what D plays when it is not skipped

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The moves before `step`, from last step's losses and the numbers that were in force."""
        self._follow(values)
        d_played = values["d_turns"] > 0
        self._d_turns = int(values["d_turns"]) if d_played else self._d_turns
        now: dict[str, float] = {name: values[name] for name in self.names} | {"d_turns": self._d_turns}
        self.throttle_rule.see(seen)
        skipped, throttled = self.skip_rule(seen, d_played), ""
        if step and step % self.throttle_rule.check_every == 0:
            throttled = self.throttle_rule.state()
            shifted = self.throttle_rule.shift(throttled, now)
            throttled = throttled or ("recover" if shifted != now else "")
            now, self._d_turns = shifted, int(shifted["d_turns"])
        self.action = "+".join(filter(None, (skipped, throttled)))
        return now | ({"d_turns": 0} if skipped == "skip" else {})

    def _follow(self, values: Mapping[str, float]) -> None:
        """Take the strategy's numbers from those in force, which a person may have moved."""
        in_force = {name: values[name] for name in NUMBERS if name in values}
        self.skip_rule.strategy = self.throttle_rule.strategy = replace(self.skip_rule.strategy, **in_force)

    def state_dict(self) -> dict[str, Any]:
        """What the rules remember, as JSON."""
        own = {"recent": dict(self.throttle_rule.recent), "d_turns": self._d_turns, "action": self.action}
        return self.skip_rule.state_dict() | own

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self.skip_rule.load_state_dict({name: state[name] for name in self.skip_rule.kept})
        self.throttle_rule.recent = dict(state["recent"])
        self._d_turns, self.action = state["d_turns"], state["action"]


def replay(balance: Balance, trace: Iterable[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Run the rules over recorded losses, as if they had been in force.

    Args:
        balance: the rules.
        trace: per step, what was seen (`D/loss`, `G/loss`, …), recorded with D playing at every step.

    Returns:
        One row per step: `step`, the four numbers, `action`, `consecutive_skips`, `recent_d`, `recent_g`. After a
        skipped D its losses are withheld from the rules, as in training.
    """
    values, seen, skips, rows = balance.limits.start(), {}, 0, []
    for step, losses in enumerate(trace):
        values = values | balance(step, seen, values)
        skipped = values["d_turns"] == 0
        skips = skips + 1 if skipped else 0
        seen = {k: v for k, v in losses.items() if not (skipped and k.startswith("D/"))}
        means = {f"recent_{k}": balance.throttle_rule.mean(k) for k in ("d", "g")}
        rows.append({"step": step, **values, "action": balance.action, "consecutive_skips": skips, **means})
    return rows


def g_loss_of(seen: Mapping[str, float], rules: Rules) -> float:
    """G's loss as the rules read it: the weighted total (`literal`) or the unweighted adversarial term (`repaired`).

    Raises:
        ValueError: the unweighted term was not logged.
    """
    if rules == "literal":
        return seen["G/loss"]
    if "G/adversarial" not in seen:
        raise ValueError(_missing("G/adversarial"))
    return seen["G/adversarial"]


def _missing(name: str) -> str:
    player, value = name.split("/")
    return f"repaired balance rules read {name!r}, which was not logged; call turn.log({value}=…) in {player}'s loss"


def _towards_one(scale: float, factor: float) -> float:
    return min(1.0, scale * factor) if scale < 1.0 else max(1.0, scale / factor)


def _clamp(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))
