"""A WGAN's critic in figures: its values over the plane, and its slopes on the mixed points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from gannb.experiments.motion_wgan_gp.critic_metrics import Surface
from gannb.figures.template import COLOURS, GENERATED, INK, LINE, REAL, colours_of, figure, single

MOST = 1000
"""Points of a kind that are drawn: a figure stays below 100 kB."""


def value_surface(surface: Surface, real: Tensor, fake: Tensor, title: str = "") -> go.Figure:
    """The critic's values as contours, with real and generated points on them.

    Args:
        surface: from `gannb.experiments.motion_wgan_gp.critic_metrics.surface`.
        real: points `[N, 2]`; the first 1000 are drawn.
        fake: likewise.
        title: above the figure.
    """
    contours = go.Contour(
        x=single(surface.axis),
        y=single(surface.axis),
        z=single(surface.values),
        name="critic",
        colorscale=[[0, COLOURS[4]], [0.5, "rgba(128,128,128,0.1)"], [1, COLOURS[2]]],
        zmid=0,
        ncontours=24,
        line={"width": 0.5, "color": LINE},
        opacity=0.6,
        colorbar={"title": "D", "thickness": 12},
    )
    reach = float(surface.axis[-1])
    shown = figure([contours, _points(real, "real", REAL), _points(fake, "generated", GENERATED)], title=title)
    shown.update_xaxes(title="x", range=[-reach, reach], constrain="domain")
    shown.update_yaxes(title="y", range=[-reach, reach], scaleanchor="x", constrain="domain")
    beneath = {"orientation": "h", "y": -0.2, "x": 0.5, "xanchor": "center", "itemsizing": "constant"}  # points to see
    return shown.update_layout(width=560, height=520, legend=beneath)  # nearly square: the colours' scale beside it


def slope_histogram(norms: Mapping[str, Tensor] | Tensor, title: str = "") -> go.Figure:
    """How often the gradient norm has which size; the penalty aims at 1, which is marked.

    Counted here: the figure holds bins, not samples.

    Args:
        norms: `[N]`, or several by name, which share the bins.
        title: above the figure.
    """
    named = norms if isinstance(norms, Mapping) else {"gradient norm": norms}
    values = {name: np.asarray(one.detach().cpu(), dtype=np.float64).ravel() for name, one in named.items()}
    top = max(1.5, *(float(one.max()) for one in values.values()))
    edges = np.linspace(0.0, top * 1.001, 51)
    middles = (edges[:-1] + edges[1:]) / 2
    lines = [
        go.Scatter(
            x=single(middles), y=single(np.histogram(one, edges)[0] / one.size), name=name, mode="lines",
            line={"shape": "hvh", "color": colour}, fill="tozeroy",
        )
        for (name, one), colour in zip(values.items(), colours_of(list(values)))
    ]  # fmt: skip
    shown = figure(lines, title=title, xaxis_title="norm of the critic's gradient", yaxis_title="share of the points")
    shown.add_vline(1.0, line={"color": INK, "dash": "dot", "width": 1})
    return shown


def _points(points: Tensor, name: str, colour: str) -> go.Scatter:
    x, y = single(points.detach().cpu()[:MOST]).T
    return go.Scatter(x=x, y=y, name=name, mode="markers", marker={"size": 3, "color": colour, "opacity": 0.6})
