"""The trade-off of two objectives: the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gannb.figures.template import COLOURS, INK, figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

Point = tuple[float, float]


def front(points: Mapping[str, Point]) -> list[str]:
    """The names that no other dominates, from the lowest first value to the lowest second.

    Args:
        points: name → (first, second); lower is better in both.
    """

    def beaten(a: Point) -> bool:
        return any(b[0] <= a[0] and b[1] <= a[1] and b != a for b in points.values())

    return sorted((name for name, point in points.items() if not beaten(point)), key=lambda name: points[name])


def front_figure(points: Mapping[str, Point], x_title: str, y_title: str) -> go.Figure:
    """Draw all points with their names, and a line through those of the front.

    Args:
        points: name → (first, second), lower being better in both.
        x_title: what they are, such as "held-out distance" and "variance of D's loss".
        y_title: what they are, such as "held-out distance" and "variance of D's loss".

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
