"""Figures of generated gestures: variants side by side, stick figures, and the styles of speakers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import torch

from gannb.comparison.trials import Comparison
from gannb.experiments.motion.metrics.speakers import TRAITS, SpeakerStyles
from gannb.experiments.motion.skeleton import BODY, INDEX, PARENTS, SIDES
from gannb.figures.curves import curves
from gannb.figures.intervals import score_figure
from gannb.figures.template import COLOURS, figure, single
from gannb.runs.folder import Run


def error_figure(comparison: Comparison, floor: float | None = None) -> go.Figure:
    """Draw each variant's mean absolute joint error on held-out clips with its 95 % interval.

    Args:
        comparison: the variants.
        floor: a level to compare with, such as the error of the mean pose.
    """
    title = "mean absolute joint error, cm"
    return score_figure(comparison, "maje", title, level=floor, level_name="mean pose", scale=100.0)


def training_figure(runs: Mapping[str, Run], name: str, y_title: str, levels: Mapping[str, float]) -> go.Figure:
    """Draw one series over the steps of several runs, lightly smoothed.

    Args:
        runs: variant → run.
        name: such as "D/accuracy".
        y_title: of the axis.
        levels: name → y of a dashed line.
    """
    lines = {}
    for variant, run in runs.items():
        if name in run.history:
            series = run.history[name]
            lines[variant] = (series.steps, series.smooth(max(1, len(series) // 12)))
    return curves(lines, y_title=y_title, levels=levels, max_points=80)


def strip(motions: Mapping[str, torch.Tensor | np.ndarray], moments: int = 7) -> go.Figure:
    """Draw motions as stick figures from the front, at evenly spaced moments, a row each.

    Args:
        motions: name → pose `[F, 52, 3]` in metres.
        moments: how many.
    """
    traces, step = [], 0.9
    for row, (name, pose) in enumerate(motions.items()):
        pose = np.asarray(pose)
        frames = np.linspace(0, len(pose) - 1, moments).round().astype(int)
        x, y = [], []
        for column, frame in enumerate(frames):
            for joint, parent in _STICKS:
                x += [column * step + pose[frame, parent, 0], column * step + pose[frame, joint, 0], np.nan]
                y += [pose[frame, parent, 1] - row, pose[frame, joint, 1] - row, np.nan]
        line = {"color": COLOURS[row % len(COLOURS)], "width": 1.6}
        traces.append(go.Scatter(x=single(x), y=single(y), name=name, mode="lines", line=line, hoverinfo="skip"))
    shown = figure(traces, height=90 + 115 * len(motions), showlegend=True)
    shown.update_xaxes(visible=False)
    return shown.update_yaxes(visible=False, scaleanchor="x")


def style_figure(styles: SpeakerStyles, x: str = TRAITS[2], y: str = TRAITS[0]) -> go.Figure:
    """Draw two traits of every speaker: filled marks for real motion, open ones for generated, a line between the two.

    Args:
        styles: from `gannb.experiments.motion.metrics.speakers.speaker_styles`.
        x: which of `TRAITS` is drawn to the right.
        y: which is drawn upwards.
    """
    columns = [TRAITS.index(x), TRAITS.index(y)]
    drawn = []
    for i, who in enumerate(styles.speakers):
        ends = single([styles.real[i, columns], styles.generated[i, columns]])
        look = {"size": 11, "symbol": ["circle", "circle-open"], "color": COLOURS[i % len(COLOURS)]}
        line = {"color": COLOURS[i % len(COLOURS)], "dash": "dot", "width": 1}
        drawn.append(go.Scatter(x=ends[:, 0], y=ends[:, 1], name=who, mode="lines+markers", marker=look, line=line))
    return figure(drawn, xaxis_title=f"{x}, m/s" if "speed" in x else f"{x}, m", yaxis_title=f"{y}, m")


_FINGERS = [
    (INDEX[f"{side}_{finger}_{part}"], INDEX[f"{side}_hand" if part != "tip" else f"{side}_{finger}_{base}"])
    for side in SIDES
    for finger, base in (("thumb", "mcp"), ("middle", "mcp"))
    for part in (base, "tip")
]
_STICKS = [(j, PARENTS[j]) for j in BODY[1:]] + [(INDEX[f"{s}_hand"], INDEX[f"{s}_wrist"]) for s in SIDES] + _FINGERS
