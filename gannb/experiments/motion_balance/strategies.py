"""The strategies of the motion_balance document as data: parameters, rules and figures read them here.

Source: motion_balance §3 and "key hyperparameters"; M5 and M6.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


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


INGREDIENTS = ("curriculum", "mixed_precision", "body_hand_attention")
"""What distinguishes the enhanced branch, beside its numbers."""

NUMBERS = tuple(part.name for part in fields(Strategy) if part.name not in INGREDIENTS)
"""A strategy's numbers; they may move during training, and the rules follow those in force."""

_TABLE = {
    "d_strong_below": (0.25, 0.08),
    "g_weak_above": (0.75, 0.90),
    "max_skips": (5, 20),
    "g_turns_up": (1, 2),
    "d_lr_factor": (0.9, 0.8),
    "real_label": (0.98, 0.90),
    "fake_label": (0.02, 0.10),
    "label_noise": (0.01, 0.005),
    "label_offset": (0.05, 0.02),
}
"""The document's numbers: of legacy, and of the baseline branch."""


def _column(number: int, *, enhanced: bool) -> Strategy:
    """A column of the table, with all ingredients of the enhanced branch or none."""
    return Strategy(**{name: row[number] for name, row in _TABLE.items()}, **dict.fromkeys(INGREDIENTS, enhanced))


# The document calls the enhanced branch's balance "medium" and gives no figures: legacy's are ours to fill in.
STRATEGIES: dict[str, Strategy] = {
    "legacy": _column(0, enhanced=False),
    "baseline_branch": _column(1, enhanced=False),
    "enhanced_branch": _column(0, enhanced=True),
    "merged": _column(1, enhanced=True),
}
MERGED = STRATEGIES["merged"]


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


LIMITS = Limits()
"""The document's."""
