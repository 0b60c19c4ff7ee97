"""What two wishes cost each other: the front of what no other choice beats in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gannb.comparison.trials import Trials
from gannb.figures.template import COLOURS, INK, figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

Point = tuple[float, float]


def front(points: Mapping[str, Point]) -> list[str]:
    """The names that no other beats, from the lowest first wish to the lowest second (Pareto's front).

    Lower is better in both. One beats another where it is no worse in either and better in one.

    Args:
        points: name → (first, second).
    """

    def beaten(a: Point) -> bool:
        return any(b[0] <= a[0] and b[1] <= a[1] and b != a for b in points.values())

    return sorted((name for name, point in points.items() if not beaten(point)), key=lambda name: points[name])


def quality_and_stability(trials: Trials) -> dict[str, Point]:
    """Each arm's deciding score at the end, and its last score over its best: means over seeds (schedules, 5.1).

    Arms that were not scored along the way are left out.
    """
    points = {}
    for arm in trials.arms:
        lost = [trial.over_time.last_over_best for trial in trials.of(arm) if trial.over]
        if lost and (ends := trials.values(arm)):
            points[arm] = (float(np.mean(list(ends.values()))), float(np.mean(lost)))
    return points


def front_figure(points: Mapping[str, Point], x_title: str, y_title: str) -> go.Figure:
    """Draw all points with their names, and a line through those of the front.

    Args:
        points: name → (first, second), lower being better in both.
        x_title, y_title: what they are, such as "held-out distance" and "variance of D's loss".

    Raises:
        ValueError: no points.
    """
    import plotly.graph_objects as go

    if not points:
        raise ValueError("a front needs at least one point")
    best = front(points)
    line = {"x": [points[n][0] for n in best], "y": [points[n][1] for n in best]}
    colours = [COLOURS[0] if name in best else INK for name in points]
    xs, ys = zip(*points.values())
    return figure(
        [
            go.Scatter(**line, mode="lines", name="front", line={"color": COLOURS[0], "shape": "hv"}),
            go.Scatter(
                x=xs, y=ys, text=list(points), mode="markers+text", name="", textposition="top center",
                marker={"color": colours, "size": 9},
            ),
        ],
        xaxis_title=x_title,
        yaxis_title=y_title,
        showlegend=False,
    )  # fmt: skip
