"""The one plotly template of the project: transparent paper and mid-grey text, so that light and dark pages both read.

It is a fraction of plotly's own (which adds 6 kB to every figure of a notebook).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

INK = "#7a7a7a"  # text: contrast above 4.2 on white and on JupyterLab's dark page
LINE = "rgba(128,128,128,0.25)"
COLOURS = ("#3d85c6", "#d0701c", "#2f9466", "#c4568a", "#8c6fd6", "#8a7f2c")
REAL, GENERATED = COLOURS[:2]  # the same in every figure; D's numbers are blue like what is real, G's orange
OTHERS = (*COLOURS[2:], *COLOURS[:2])  # of series that are neither: blue and orange come last
MEANING = {
    "real": REAL, "D/real": REAL, "D/loss": REAL, "generated": GENERATED, "D/fake": GENERATED, "G/loss": GENERATED,
    "document": COLOURS[5], "fixed": INK, "learned": COLOURS[3], "tuned": COLOURS[3], "adaptive": COLOURS[2],
    "raw features": REAL,
}  # fmt: skip
"""The colour of what has the same one in every figure; all else takes one of `OTHERS`."""

ROUNDING = 1e-6
"""What single precision rounds away of values of order 1, summed over a few operations."""

_AXIS = {"gridcolor": LINE, "zerolinecolor": LINE, "automargin": True}
TEMPLATE = go.layout.Template(
    layout={
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 14},
        "colorway": COLOURS,
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "margin": {"l": 50, "r": 15, "t": 50, "b": 50},
        "height": 400,
        "shapedefaults": {"line": {"color": INK, "width": 1.5}},  # of added lines; plotly's own are black
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": COLOURS[0]},  # else a box of half black
    }
)


class Figure(go.Figure):
    """A plotly figure whose plain text is its fingerprint without ranges: that is what nbval compares."""

    _ipython_display_ = _repr_html_ = None  # type: ignore[assignment]  # they show the drawing alone, or load a script

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"application/vnd.plotly.v1+json": json.loads(self.to_json()), "text/plain": fingerprint(self, None)}


def colours_of(names: Sequence[str]) -> list[str]:
    """The colours of a figure's series: their own where they have one in every figure, else one that is free."""
    own, colours = [MEANING.get(name) for name in names], list[str]()
    for index, colour in enumerate(own):
        ahead = np.roll(OTHERS, -index).tolist()
        colours.append(colour or next((other for other in ahead if other not in (*own, *colours)), ahead[0]))
    return colours


def range_of(values: ArrayLike) -> list[float] | None:
    """The range of an axis for values that differ by rounding alone, which must not fill it; None: plotly's choice."""
    finite = np.asarray(values)[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    return [float(low) - 1, float(high) + 1] if high - low <= ROUNDING * max(1.0, -low, high) else None


def figure(traces: list[go.Scatter] | None = None, **layout: object) -> Figure:
    """Make a figure in the project's template.

    Args:
        traces: plotly traces of any type.
        layout: anything `go.Figure.update_layout` takes (`title=`, `yaxis_type=`, …).
    """
    drawn = Figure(traces, layout={"template": TEMPLATE})
    with_uids(drawn).update_layout(**layout)
    return drawn


def with_uids(drawn: go.Figure) -> go.Figure:
    """Give each trace of a figure the same `uid` every time; plotly.js makes CSS selectors of it, so no sign in it."""
    for index, trace in enumerate(drawn.data):
        trace.uid = f"{index}-{re.sub(r'[^A-Za-z0-9]+', '-', trace.name or trace.type)}"
    return drawn


def single(values: ArrayLike) -> np.ndarray:
    """Values of any shape in single precision: half the bytes in the notebook."""
    return np.asarray(values, dtype=np.float32)


def fingerprint(shown: go.Figure, digits: int | None = 3) -> str:
    """What nbval compares in place of a figure: one line per trace with type, name, number of points, rounded ranges.

    Args:
        shown: any plotly figure.
        digits: significant digits of the ranges; None leaves the ranges out (for what was trained).
    """
    return "\n".join(_describe(trace, digits) for trace in shown.data)


def _describe(trace: go.Scatter, digits: int | None) -> str:
    axes = {axis: np.asarray(trace[axis]) for axis in ("x", "y", "z") if axis in trace and trace[axis] is not None}
    count = max((values.size for values in axes.values()), default=0)
    parts = [f"{trace.type} {trace.name or '(unnamed)'}: {count} points"]
    if digits is not None:
        parts += [f"{axis} {_range(values, digits)}" for axis, values in axes.items() if values.size]
    return ", ".join(parts)


def _range(values: np.ndarray, digits: int) -> str:
    if values.dtype.kind not in "iufb":
        return f"{values.flat[0]} … {values.flat[-1]}"
    finite = values[np.isfinite(values)]
    return f"{finite.min():.{digits}g} … {finite.max():.{digits}g}" if finite.size else "nothing finite"
