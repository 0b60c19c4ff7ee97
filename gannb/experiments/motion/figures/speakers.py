"""Speakers side by side: their manner in the data, and as a generator makes it to the same speech."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from gannb.experiments.motion.metrics.speakers import TRAITS, Manners
from gannb.figures.template import COLOURS, figure


def manners_figure(manners: Manners, x: str = TRAITS[2], y: str = TRAITS[0]) -> go.Figure:
    """Draw two traits of every speaker: a filled mark for the real, an open one for the made, a line between the two.

    Args:
        manners: from `gannb.experiments.motion.metrics.speakers.manners`.
        x, y: which of `TRAITS`.
    """
    columns = [TRAITS.index(x), TRAITS.index(y)]
    drawn = []
    for i, who in enumerate(manners.speakers):
        ends = np.stack([manners.real[i, columns], manners.made[i, columns]]).astype(np.float32)
        look = {"size": 11, "symbol": ["circle", "circle-open"], "color": COLOURS[i % len(COLOURS)]}
        line = {"color": COLOURS[i % len(COLOURS)], "dash": "dot", "width": 1}
        drawn.append(go.Scatter(x=ends[:, 0], y=ends[:, 1], name=who, mode="lines+markers", marker=look, line=line))
    return figure(drawn, xaxis_title=f"{x}, m/s" if "speed" in x else f"{x}, m", yaxis_title=f"{y}, m")
