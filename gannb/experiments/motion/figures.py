"""Figures of generated gestures: variants side by side, stick figures, and the styles of speakers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import torch

from gannb.comparison.trials import Comparison
from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.kinematics import bone_violation
from gannb.experiments.motion.metrics.speakers import TRAITS, SpeakerStyles
from gannb.experiments.motion.skeleton import BODY, INDEX, PARENTS, SIDES
from gannb.figures.curves import curves
from gannb.figures.intervals import score_figure
from gannb.figures.template import GENERATED, REAL, colours_of, figure, single, with_uids
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


def strip(
    motions: Mapping[str, torch.Tensor | np.ndarray],
    moments: int = 4,
    *,
    lengths: torch.Tensor | None = None,
    columns: Sequence[str] = (),
) -> go.Figure:
    """Draw motions as stick figures from the front, at evenly spaced moments; broken bones are red.

    Args:
        motions: name → pose `[F, 52, 3]` in metres, a row each below its name: "real" is blue, the rest orange.
        moments: how many.
        lengths: the speaker's bones `[51]`; those that are drawn and off by more than 5 % are red. None: no check.
        columns: what stands below each column; its time by default.
    """
    drawn, step = figure(height=60 + 250 * len(motions), margin={"l": 10, "t": 10, "b": 30}), 0.8
    for row, (name, pose) in enumerate(motions.items()):
        pose = torch.as_tensor(np.asarray(pose))
        frames = np.linspace(0, len(pose) - 1, moments).round().astype(int)
        off = np.zeros((moments, len(PARENTS)), dtype=bool)
        if lengths is not None:
            off[:, 1:] = bone_violation(pose[frames], lengths).numpy() > BROKEN
        shifted = pose[frames, :, :2].numpy() + np.array([[[column * step, -row]] for column in range(moments)])
        ends = np.stack([shifted[:, [j for j, _ in _STICKS]], shifted[:, [p for _, p in _STICKS]]], axis=2)
        wrong = np.stack([off[:, j] & (PARENTS[j] == p) for j, p in _STICKS], axis=1)
        drawn.add_scatter(
            **_sticks(ends, ~wrong), name=name, mode="lines", line={"color": REAL if name == "real" else GENERATED}
        )
        if lengths is not None:
            drawn.add_scatter(
                **_sticks(ends, wrong), name=f"{name}: broken", mode="lines", line={"color": FAULT, "width": 4}
            )
    times = columns or [f"{frame / FPS:.1f} s" for frame in frames]
    ticks = {"tickvals": [column * step for column in range(moments)], "ticktext": list(times)}
    ticks["range"] = [-step / 2, (moments - 0.5) * step]
    with_uids(drawn).update_xaxes(**ticks, showgrid=False, zeroline=False)
    for row, name in enumerate(motions):
        place = {"xref": "paper", "x": 0, "xanchor": "left", "y": 0.3 - row, "yanchor": "middle"}
        drawn.add_annotation(text=name, showarrow=False, **place)
    drawn.update_yaxes(range=[0.25 - len(motions), 0.4], scaleanchor="x", showticklabels=False)
    return drawn.update_yaxes(showgrid=False, zeroline=False).update_layout(showlegend=False)


def _sticks(ends: np.ndarray, shown: np.ndarray) -> dict[str, np.ndarray]:
    """The sticks `[moments, sticks, 2 ends, 2 axes]` that are shown, as one line with gaps; as long whichever are."""
    ends = np.where(shown[..., None, None], ends, np.nan)
    x, y = np.concatenate([ends, np.full_like(ends[:, :, :1], np.nan)], axis=2).reshape(-1, 2).T
    return {"x": single(x), "y": single(y)}


def style_figure(styles: SpeakerStyles, x: str = TRAITS[2], y: str = TRAITS[0]) -> go.Figure:
    """Draw two traits of every speaker: filled marks for real motion, open ones for generated, a line between the two.

    Args:
        styles: from `gannb.experiments.motion.metrics.speakers.speaker_styles`.
        x: which of `TRAITS` is drawn to the right.
        y: which is drawn upwards.
    """
    columns = [TRAITS.index(x), TRAITS.index(y)]
    drawn = []
    for i, (who, colour) in enumerate(zip(styles.speakers, colours_of(styles.speakers))):
        ends = single([styles.real[i, columns], styles.generated[i, columns]])
        look = {"size": 11, "symbol": ["circle", "circle-open"], "color": colour}
        line = {"color": colour, "dash": "dot", "width": 1}
        drawn.append(go.Scatter(x=ends[:, 0], y=ends[:, 1], name=who, mode="lines+markers", marker=look, line=line))
    return figure(drawn, xaxis_title=f"{x}, m/s" if "speed" in x else f"{x}, m", yaxis_title=f"{y}, m")


BROKEN, FAULT = 0.05, "#f0104f"  # of a bone's length
_FINGERS = [
    (INDEX[f"{side}_{finger}_{part}"], INDEX[f"{side}_hand" if part != "tip" else f"{side}_{finger}_{base}"])
    for side in SIDES
    for finger, base in (("thumb", "mcp"), ("middle", "mcp"))
    for part in (base, "tip")
]
_STICKS = [(j, PARENTS[j]) for j in BODY[1:]] + [(INDEX[f"{s}_hand"], INDEX[f"{s}_wrist"]) for s in SIDES] + _FINGERS
