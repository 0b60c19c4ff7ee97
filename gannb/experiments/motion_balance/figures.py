"""The motion curriculum and the balance rules, drawn before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gannb.experiments.motion.curriculum import DETAIL, PHYSICS, Stages, label_offset, weight
from gannb.experiments.motion_balance.balance import CHECK_EVERY, WINDOW, Balance, replay
from gannb.experiments.motion_balance.strategies import LIMITS, MERGED, Strategy
from gannb.figures.curves import curves
from gannb.figures.template import COLOURS, INK, figure, single, with_uids
from gannb.tables import Table

ACTIONS = {"skip": COLOURS[3], "forced": COLOURS[4], "d_too_strong": COLOURS[5], "g_too_strong": COLOURS[2]}
"""What is marked in a replay, and its colour."""
MOVED = {
    "g_turns": ("G's turns", COLOURS[1], "solid"), "d_turns": ("D's turns", COLOURS[0], "solid"),
    "lr_d_scale": ("D's rate ×", COLOURS[0], "dot"), "lr_g_scale": ("G's rate ×", COLOURS[1], "dot"),
}  # fmt: skip
"""The numbers that the rules move: what they are called, in their player's colour, turns solid and rates dotted."""

Trace = Sequence[Mapping[str, float]]
"""Per step, what was seen ("D/loss", "G/loss", "G/adversarial", "D/accuracy"), with D playing at every step."""


def curriculum_figure(
    stages: Stages,
    detail: tuple[float, float] = DETAIL,
    physics: tuple[float, float] = PHYSICS,
    offset: float = MERGED.label_offset,
) -> go.Figure:
    """Draw both weights until a fifth beyond the curriculum, along both ramps, and the label offset.

    Args:
        stages: where they begin and end.
        detail: (initial, final) weight.
        physics: (initial, final) weight.
        offset: the largest label offset.
    """
    last = stages.end + max(1, stages.end // 5)
    at = np.unique(np.concatenate([np.linspace(0, last, 41), [stages.warmup - 1e-6, stages.warmup, stages.end]]))
    lines = {}
    for ramp in ("document", "smooth"):
        for name, ends in (("detail", detail), ("physics", physics)):
            moved = [weight(epoch if ramp == "smooth" else int(epoch), *ends, stages, ramp) for epoch in at]
            lines[f"{name}, {ramp}"] = (at, np.array(moved))
    lines["label offset × 10"] = (at, np.array([10 * label_offset(epoch, offset, stages.warmup) for epoch in at]))
    marks = {"warm-up ends": stages.warmup, "curriculum ends": stages.end}
    shown = curves(lines, x_title="epoch", y_title="weight", marks=marks)
    for trace in shown.data:
        trace.line.dash = "dot" if "smooth" in trace.name else "solid"
        trace.line.shape = "hv" if "document" in trace.name else "linear"  # it moves once an epoch
        trace.line.color = COLOURS[2 if "detail" in trace.name else 4 if "physics" in trace.name else 5]
    return shown


def replay_figure(
    trace: Trace, strategy: Strategy, rules: str = "literal", *, check_every: int = CHECK_EVERY, window: int = WINDOW
) -> go.Figure:
    """Draw what the rules would have done over recorded losses: what they read and when they act; turns and rates.

    Args:
        trace: the losses.
        strategy: with its thresholds.
        rules: "literal" or "repaired".
        check_every: batches between checks of the throttle rule.
        window: losses in its moving averages.
    """
    from plotly.subplots import make_subplots

    balance = Balance(strategy, rules, LIMITS, check_every=check_every, window=window)
    rows, g_loss = replay(balance, trace), "G/loss" if rules == "literal" else "G/adversarial"
    shown = make_subplots(2, 1, figure=figure(), shared_xaxes=True, vertical_spacing=0.08, row_heights=[0.6, 0.4])
    for name, colour in {"D/loss": COLOURS[0], g_loss: COLOURS[1]}.items():
        shown.add_trace(_line(trace, name, name, color=colour, width=1.2), 1, 1)
    for marker in _action_markers(rows, trace):
        shown.add_trace(marker, 1, 1)
    for moved, (name, colour, dash) in MOVED.items():
        line = _line(rows, moved, name, color=colour, width=1.4, shape="hv", dash=dash)
        shown.add_trace(line.update(legend="legend2"), 2, 1)  # a legend beside each plot
    for name, level in (("D too strong below", strategy.d_strong_below), ("G too weak above", strategy.g_weak_above)):
        shown.add_hline(level, row=1, col=1, line={"color": INK, "dash": "dash", "width": 1}, annotation_text=name)
    with_uids(shown)
    shown.update_xaxes(title_text="step", row=2, col=1)
    shown.update_yaxes(title_text="loss", row=1, col=1)
    shown.update_yaxes(title_text="turns, scale", row=2, col=1)
    shown.update_layout(legend2={"y": shown.layout.yaxis2.domain[1], "yanchor": "top"})
    return shown.update_layout(height=460, title=f"{rules} rules over recorded losses")


def replay_table(trace: Trace, variants: Mapping[str, tuple[Strategy, str]], **rules: Any) -> Table:
    """How often rules act over one trace; variants: name → (strategy, kind of rules)."""
    rows = []
    for name, (strategy, kind) in variants.items():
        replayed = replay(Balance(strategy, kind, LIMITS, **rules), trace)
        done = [action for row in replayed for action in row["action"].split("+")]
        acts = [done.count(action) for action in ("skip", "forced", "d_too_strong", "g_too_strong", "recover")]
        longest, last = max((row["consecutive_skips"] for row in replayed), default=0), replayed[-1]
        rows.append((name, *acts, longest, last["g_turns"], f"{last['lr_d_scale']:.3g}"))
    names = ("skipped", "forced", "D too strong", "G too strong", "recovered", "longest row", "G turns", "D rate ×")
    return Table(("rules", *names), rows, note=f"{len(trace)} recorded steps, D playing at each")


def _line(rows: Sequence[Mapping[str, Any]], key: str, name: str, **look: Any) -> go.Scatter:
    """One number over the steps, thinned to 120 of them."""
    steps = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), 120)).astype(np.int32))
    return go.Scatter(x=steps, y=single([rows[i][key] for i in steps]), name=name, mode="lines", line=look)


def _action_markers(rows: list[dict[str, Any]], trace: Trace) -> list[go.Scatter]:
    """A mark on D's loss wherever a rule acted."""
    markers = []
    for action, colour in ACTIONS.items():
        at = [row["step"] for row in rows if action in row["action"].split("+")]
        if at:
            values = single([trace[step]["D/loss"] for step in at])
            look = {"color": colour, "size": 6, "symbol": "x" if action == "skip" else "diamond"}
            x = np.array(at, dtype=np.int32)
            name = action.replace("_", " ").replace("d too", "D too").replace("g too", "G too")
            markers.append(go.Scatter(x=x, y=values, name=name, mode="markers", marker=look))
    return markers
