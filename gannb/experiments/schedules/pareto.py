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
    """Draw all points and a line through those of the front, which have numbers; their names are in the legend.

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
    others = [name for name in points if name not in best]
    line, grey, blue = {"color": COLOURS[0], "shape": "hv"}, {"color": INK, "size": 9}, {"color": COLOURS[0], "size": 9}

    def drawn(names: list[str], **look: object) -> go.Scatter:
        x, y = [points[name][0] for name in names], [points[name][1] for name in names]
        return go.Scatter(x=x, y=y, hovertext=names, **look)

    traces = [drawn(best, name="Pareto front", mode="lines", line=line)]
    for number, name in enumerate(best, 1):  # below and left of a point of the front there is none
        text = {"text": [str(number)], "textposition": "bottom left"}
        traces.append(drawn([name], name=f"{number}  {name}", mode="markers+text", marker=blue, **text))
    traces.append(drawn(others, name="other variants", mode="markers", marker=grey))
    axes = {"xaxis_title": x_title, "yaxis_title": y_title, "yaxis_tickformat": "~g", "yaxis_type": "log"}
    return figure(traces, **axes)
