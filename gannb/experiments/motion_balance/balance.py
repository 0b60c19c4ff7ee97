"""Keeping D and G in balance: the document's strategies as data, and its two rules, named apart.

The *skip rule* lets D sit out a step. The *throttle rule* looks at moving averages now and then and shifts turns and
learning rates. Both are folds over what was seen, with no trainer inside, so the explorer runs them over a recorded
trace exactly as training does. Pure Python.
Source: motion_balance §3, "key hyperparameters", "technical details"; claims M4 to M11 and M20.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Rules = Literal["literal", "repaired"]


@dataclass(frozen=True)
class Strategy:
    """One column of the document's table of strategies.

    Args:
        d_strong_below: D counts as too strong when its loss is below this …
        g_weak_above: … and G as too weak when its loss is above this.
        max_skips: how many D steps may be skipped before one is forced.
        g_turns_up: G turns added when D is too strong.
        d_lr_factor: D's learning rate is multiplied by this when D is too strong.
        real_label, fake_label: D's smoothed targets.
        label_noise: standard deviation of the noise on the labels.
        label_offset: how far labels are pulled together at the start.
        curriculum, mixed_precision, body_hand_attention: ingredients of the enhanced branch.
    """

    d_strong_below: float
    g_weak_above: float
    max_skips: int
    g_turns_up: int
    d_lr_factor: float
    real_label: float
    fake_label: float
    label_noise: float
    label_offset: float
    curriculum: bool
    mixed_precision: bool
    body_hand_attention: bool

    @property
    def g_loss_at_perfect_d(self) -> float:
        """G's least-squares term against a D that meets its labels exactly: 0.64 on labels 0.90/0.10 (M5)."""
        return (self.real_label - self.fake_label) ** 2

    @property
    def d_fake_where_skip_fires(self) -> float:
        """D(fake) under which G's unweighted term exceeds `g_weak_above`: D has to overshoot its label (M5)."""
        return self.real_label - self.g_weak_above**0.5


_LEGACY = {
    "d_strong_below": 0.25,
    "g_weak_above": 0.75,
    "max_skips": 5,
    "g_turns_up": 1,
    "d_lr_factor": 0.9,
    "real_label": 0.98,
    "fake_label": 0.02,
    "label_noise": 0.01,
    "label_offset": 0.05,
}
_STRICT = {
    "d_strong_below": 0.08,
    "g_weak_above": 0.90,
    "max_skips": 20,
    "g_turns_up": 2,
    "d_lr_factor": 0.8,
    "real_label": 0.90,
    "fake_label": 0.10,
    "label_noise": 0.005,
    "label_offset": 0.02,
}
_PLAIN = {"curriculum": False, "mixed_precision": False, "body_hand_attention": False}
_ENHANCED = {"curriculum": True, "mixed_precision": True, "body_hand_attention": True}

THRESHOLDS = ("d_strong_below", "g_weak_above", "max_skips", "g_turns_up", "d_lr_factor")
"""A strategy's numbers that may move while it learns: where they are among the values, the rules follow those."""

# The document calls the enhanced branch's balance "medium" and gives no figures: legacy's are ours to fill in.
STRATEGIES: dict[str, Strategy] = {
    "legacy": Strategy(**_LEGACY, **_PLAIN),
    "baseline_branch": Strategy(**_STRICT, **_PLAIN),
    "enhanced_branch": Strategy(**_LEGACY, **_ENHANCED),
    "merged": Strategy(**_STRICT, **_ENHANCED),
}


def strategy(name: str) -> Strategy:
    """A strategy by its name.

    Raises:
        ValueError: where there is none of that name; the message lists them.
    """
    if name not in STRATEGIES:
        raise ValueError(f"strategy {name!r} is unknown; allowed: {', '.join(STRATEGIES)}")
    return STRATEGIES[name]


@dataclass(frozen=True)
class Limits:
    """Where turns and learning-rate scales begin, and how far the rules may push them (document; d_lr cap is ours)."""

    g_turns: int = 4
    d_turns: int = 1
    max_g_turns: int = 8
    max_d_turns: int = 2
    d_lr_floor: float = 0.1
    d_lr_cap: float = 1.0
    g_lr_floor: float = 0.5
    g_lr_cap: float = 1.5

    def start(self) -> dict[str, float]:
        """The numbers before any rule acted."""
        return {"d_turns": self.d_turns, "g_turns": self.g_turns, "lr_d_scale": 1.0, "lr_g_scale": 1.0}


@dataclass
class SkipRule:
    """Whether D sits out the next step.

    `literal`: D/loss below and G/loss (the weighted total) above the thresholds; skips are counted for good, so after
    `max_skips` of them D is never skipped again (M4).
    `repaired`: D/accuracy and the *unweighted* G/adversarial besides D/loss, and G's threshold is a share of the value
    that term has against a perfect D, so that the rule can fire when D is perfect (M5); only consecutive skips count.

    A skipped D has not changed, so its last measured loss stands for the decision until it plays again.
    """

    strategy: Strategy
    rules: Rules = "literal"
    accuracy_above: float = 0.95
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
            and self.d_accuracy > self.accuracy_above
            and g_loss_of(seen, self.rules) > weak_above
        )


@dataclass
class ThrottleRule:
    """Every `check_every` steps, whether turns and learning rates shift.

    D too strong: recent D / recent G below `ratio_below`, or recent D below `d_below`; then G plays more, D less, D's
    learning rate falls and G's rises, all by one trigger (M9). `recent` is the mean over the last `window` values seen;
    a skipped D adds none.
    `repaired` reads the unweighted adversarial term; believes the absolute threshold only when D is also right in
    `accuracy_above` of cases (on labels 0.90/0.10 the half-sum loss of a D at chance is 0.16, already below 0.2); adds
    the opposite trigger, G too strong, at the inverse ratio (M10); and lets scales return to 1 when all is quiet (M11).
    """

    strategy: Strategy
    limits: Limits = Limits()
    rules: Rules = "literal"
    check_every: int = 200
    window: int = 10
    ratio_below: float = 0.3
    d_below: float = 0.2
    g_lr_factor: float = 1.1
    accuracy_above: float = 0.95
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
        """What the averages say now; nothing until both windows are full."""
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
        if ratio < self.ratio_below or (d < self.d_below and accuracy > self.accuracy_above):
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

    A skipped D is `d_turns` = 0. The numbers it reads are those in force, so a person's hold is respected and the rules
    go on from there once it is released; thresholds that are numbers of the run (`THRESHOLDS`) come from there too. It
    reads `D/loss` and `G/loss`, and under `repaired` also `D/accuracy` (share of real and fake patches on the right
    side of the middle) and `G/adversarial` (unweighted).

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
        limits: Limits = Limits(),
        *,
        check_every: int = 200,
        window: int = 10,
        accuracy_above: float = 0.95,
    ) -> None:
        if rules not in ("literal", "repaired"):
            raise ValueError(f"rules is {rules!r}; allowed: literal, repaired")
        if check_every < 1 or window < 1:
            raise ValueError(f"check_every {check_every} and window {window}: both have to be at least 1")
        self.limits = limits
        self.skip_rule = SkipRule(strategy, rules, accuracy_above)
        self.throttle_rule = ThrottleRule(
            strategy, limits, rules, check_every=check_every, window=window, accuracy_above=accuracy_above
        )
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
        """Take thresholds from the numbers in force, which a person may have moved."""
        moved = {name: values[name] for name in THRESHOLDS if name in values}
        if moved:
            in_force = replace(self.skip_rule.strategy, **moved)
            self.skip_rule.strategy = self.throttle_rule.strategy = in_force

    def state_dict(self) -> dict[str, Any]:
        """What the rules remember, as JSON."""
        skip = self.skip_rule
        return {
            "skips": skip.skips,
            "d_loss": skip.d_loss,
            "d_accuracy": skip.d_accuracy,
            "recent": {k: list(v) for k, v in self.throttle_rule.recent.items()},
            "d_turns": self._d_turns,
            "action": self.action,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        skip = self.skip_rule
        skip.skips, skip.d_loss, skip.d_accuracy = state["skips"], state["d_loss"], state["d_accuracy"]
        self.throttle_rule.recent = {k: list(v) for k, v in state["recent"].items()}
        self._d_turns, self.action = state["d_turns"], state["action"]


def replay(balance: Balance, trace: Iterable[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Run the rules over recorded losses, as if they had been in force.

    Args:
        trace: per step, what was seen (`D/loss`, `G/loss`, …), recorded with D playing at every step.

    Returns:
        One row a step: `step`, the four numbers, `action`, `consecutive_skips`, `recent_d`, `recent_g`. After a skipped
        D its losses are withheld from the rules, as in training.
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


@dataclass
class Invariants:
    """The document's monitors as invariants, checked while it trains (M20).

    Consecutive skips <= max_skips; learning-rate scales and turns within their limits; mixed precision on from its
    epoch and off before. Numbers a person holds may break them, and then it is said as well.

    Args:
        mixed_from: epoch from which mixed precision has to be on; None where it is not used.
    """

    strategy: Strategy
    limits: Limits = Limits()
    steps_per_epoch: int = 1
    mixed_from: int | None = None
    skips: int = 0

    def __call__(self, step: int, values: Mapping[str, float], mixed: bool | None = None) -> list[str]:
        """The violations at one step, in words; empty when all hold. Steps have to come in order."""
        lim = self.limits
        self.skips = self.skips + 1 if values["d_turns"] == 0 else 0
        ranges = {
            "g_turns": (1, lim.max_g_turns),
            "d_turns": (0, lim.max_d_turns),
            "lr_d_scale": (lim.d_lr_floor, lim.d_lr_cap),
            "lr_g_scale": (lim.g_lr_floor, lim.g_lr_cap),
        }
        found = [
            f"step {step}: {name} is {values[name]:g}, outside {low:g}..{high:g}"
            for name, (low, high) in ranges.items()
            if not low <= values[name] <= high
        ]
        if self.skips > self.strategy.max_skips:
            found.append(f"step {step}: {self.skips} consecutive skips of D, more than {self.strategy.max_skips}")
        if mixed is not None:
            due = self.mixed_from is not None and step // self.steps_per_epoch >= self.mixed_from
            if mixed != due:
                found.append(f"step {step}: mixed precision is {_switch(mixed)}, and should be {_switch(due)}")
        return found


def epoch_line(epoch: int, epochs: int, values: Mapping[str, float], mixed: bool) -> str:
    """The document's status at the start of an epoch, on one line."""
    return (
        f"Epoch {epoch}/{epochs} | detail weight {values['detail_weight']:.3f} | physics weight "
        f"{values['physics_weight']:.3f} | mixed precision {_switch(mixed)} | turns G={values['g_turns']:.0f}, "
        f"D={values['d_turns']:.0f}"
    )


def settings(name: str) -> dict[str, float]:
    """A strategy's numbers as a flat mapping, for tables and parameter defaults."""
    return asdict(strategy(name))


def g_loss_of(seen: Mapping[str, float], rules: Rules) -> float:
    """G's loss as the rules read it: the weighted total (`literal`) or the unweighted adversarial term (`repaired`)."""
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


def _switch(on: bool) -> str:
    return "on" if on else "off"
