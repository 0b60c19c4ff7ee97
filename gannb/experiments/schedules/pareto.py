"""The trade-off of two objectives: the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from gannb.figures.template import COLOURS, INK, figure

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
    """Draw all points, and a line through those of the front, which are named; the others are by hovering.

    Args:
        points: name → (first, second), lower being better in both.
        x_title: what they are, such as "held-out distance" and "variance of D's loss".
        y_title: what they are, such as "held-out distance" and "variance of D's loss".

    Raises:
        ValueError: no points.
    """
    if not points:
        raise ValueError("a front needs at least one point")
    best = front(points)
    xs, ys = zip(*points.values())
    front_xs, front_ys = zip(*(points[name] for name in best))
    marker = {"color": [COLOURS[0] if name in best else INK for name in points], "size": 9}
    named = [name if name in best else "" for name in points]
    text = {"text": named, "hovertext": list(points), "textposition": "top right"}
    traces = [
        go.Scatter(x=front_xs, y=front_ys, mode="lines", name="front", line={"color": COLOURS[0], "shape": "hv"}),
        go.Scatter(x=xs, y=ys, mode="markers+text", name="", marker=marker, **text),
    ]
    return figure(traces, xaxis_title=x_title, yaxis_title=y_title, showlegend=False, yaxis_type="log")
