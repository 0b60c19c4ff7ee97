"""Numbers over time: one line per name, a band where there are several seeds."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from gannb.figures.template import INK, colours_of, figure, range_of, single

Series = ArrayLike | tuple[ArrayLike, ArrayLike]
FEW = 12
"""Points of a line up to which each is marked, so that a line of one point is seen too."""


def curves(
    series: Mapping[str, Series],
    *,
    title: str = "",
    x_title: str = "step",
    y_title: str = "",
    log_y: bool = False,
    levels: Mapping[str, float] | None = None,
    marks: Mapping[str, float] | None = None,
    right: Collection[str] = (),
    right_title: str = "",
    max_points: int = 500,
) -> go.Figure:
    """Draw time series.

    Args:
        series: name → values `[steps]`, or `[seeds, steps]` (mean, and a band from lowest to highest seed), or a pair
            (steps, values).
        title: of the figure.
        x_title: of the x axis.
        y_title: of the y axis.
        log_y: whether the y axis is logarithmic.
        levels: name → y of a dashed horizontal line, such as a floor or a goal.
        marks: name → x of a dotted vertical line, such as an event.
        right: names of those that are drawn dotted, with an axis of their own at the right.
        right_title: of that axis; their names by default.
        max_points: longer series are thinned, keeping the extremes of each interval, so that notebooks stay small.

    Raises:
        ValueError: values that are not one- or two-dimensional, or of another length than their steps; a name in
            `right` that is not among the series.
    """
    if strangers := [name for name in right if name not in series]:
        raise ValueError(f"right: no series {', '.join(strangers)}; there are: {', '.join(series)}")
    traces: list[go.Scatter] = []
    levels, seeds = levels or {}, 1
    for (name, given), colour in zip(series.items(), colours_of(list(series))):
        steps, values = _read(name, given)
        seeds = max(seeds, len(values))
        lines = _traces(name, steps, values, colour, max_points)
        traces += [line.update(yaxis="y2", line_dash="dot") for line in lines] if name in right else lines
    if seeds > 1:
        x_title += f"<br>line: mean over {seeds} seeds; band: lowest to highest"
    drawn = figure(traces, title=title, xaxis_title=x_title, yaxis_title=_wrapped(y_title))
    drawn.update_layout(yaxis_type="log" if log_y else "linear", showlegend=len(series) > 1)
    drawn.update_layout(yaxis_tickformat="~g" if log_y else "")  # 0.05 and 1e-6, where plotly writes a small 5, and 1μ
    drawn.update_layout(yaxis_range=None if log_y else _range(traces, None, levels.values()))
    if right:
        named = {"text": _wrapped(right_title or ", ".join(right))}
        beside = {"overlaying": "y", "side": "right", "showgrid": False, "title": named, "tickmode": "auto"}
        beside |= {"zeroline": False, "range": _range(traces, "y2")}
        drawn.update_layout(yaxis2=beside, legend={"x": 1.12})  # round numbers of its own
    for name, y in levels.items():
        place = {"annotation_y": math.log10(y)} if log_y else {}  # annotations count in powers of ten
        line, position = {"color": INK, "dash": "dash", "width": 1}, _clear_place(traces, levels.values(), y, log_y)
        drawn.add_hline(y, line=line, annotation_text=name, annotation_position=position, **place)
    above = {} if title else {"annotation_yanchor": "bottom"}  # the names above the plot, clear of its lines
    for name, x in (marks or {}).items():
        drawn.add_vline(x, line={"color": INK, "dash": "dot", "width": 1}, annotation_text=name, **above)
    return drawn


def _range(traces: list[go.Scatter], axis: str | None, levels: Collection[float] = ()) -> list[float] | None:
    """The range of an axis (None: the left one) where nothing but rounding is seen; None: plotly's choice."""
    return range_of([*(y for trace in traces if trace.yaxis == axis for y in trace.y), *levels])


def _clear_place(traces: list[go.Scatter], levels: Collection[float], y: float, log_y: bool) -> str:
    """Where the name of a horizontal line is clear of all lines: above or below it, at its right or its left."""
    lines = [trace for trace in traces if trace.fill is None and len(trace.y)]
    ends = [float(x) for trace in lines for x in (trace.x[0], trace.x[-1])] or [0.0]
    first, last = min(ends), max(ends)
    reach = 0.2 * (last - first)
    spans = {"right": np.linspace(last - reach, last, 50), "left": np.linspace(first, first + reach, 50)}

    def shares(values: ArrayLike, axis: str | None) -> np.ndarray:  # of their axis' height
        of_axis = [*(y for line in lines if line.yaxis == axis for y in line.y), *(() if axis else levels)]
        known, found = np.asarray(of_axis, float), np.asarray(values, float)
        if log_y and axis is None:
            with np.errstate(divide="ignore", invalid="ignore"):
                known, found = np.log10(known), np.log10(found)
        low, high = known[np.isfinite(known)].min(), known[np.isfinite(known)].max()
        return np.asarray((found - low) / (high - low or 1.0))

    def gap(place: str) -> float:  # up to what is clear enough
        above, side = place.split()
        at = shares(y, None) + (0.04 if above == "top" else -0.04)
        near = [shares(np.interp(spans[side], line.x, line.y), line.yaxis) for line in lines]
        near.append(shares([level for level in levels if level != y], None))
        return min(0.05, *(np.nan_to_num(np.abs(one - at), nan=1.0).min(initial=1.0) for one in near))

    return max(("top right", "top left", "bottom right", "bottom left"), key=gap)


def _wrapped(title: str) -> str:
    """The title of an upright axis in lines that are no longer than the axis."""
    return "<br>".join(textwrap.wrap(title, 36))


def _read(name: str, given: Series) -> tuple[np.ndarray, np.ndarray]:
    """Steps `[n]` and values `[seeds, n]`."""
    steps, values = given if isinstance(given, tuple) else (None, given)
    values = np.asarray(values, dtype=np.float64)
    if values.ndim not in (1, 2):
        raise ValueError(f"{name}: values have {values.ndim} dimensions; allowed are [steps] and [seeds, steps]")
    values = np.atleast_2d(values)
    steps = np.arange(values.shape[1]) if steps is None else np.asarray(steps)
    if len(steps) != values.shape[1]:
        raise ValueError(f"{name}: {len(steps)} steps, but {values.shape[1]} values")
    return steps, values


def _traces(name: str, steps: np.ndarray, values: np.ndarray, colour: str, max_points: int) -> list[go.Scatter]:
    mean = values.mean(axis=0)
    kept = _thin(mean, max_points)
    x = steps[kept]
    mode, look = "lines+markers" if len(x) <= FEW else "lines", {"color": colour, "width": 1.6}
    line = go.Scatter(x=x, y=single(mean[kept]), name=name, mode=mode, line=look)
    if len(values) == 1:
        return [line]
    low, high = values.min(axis=0), values.max(axis=0)
    around = go.Scatter(
        x=np.concatenate([x, x[::-1]]),
        y=single(np.concatenate([high[kept], low[kept][::-1]])),
        name=f"{name}, {len(values)} seeds",
        fill="toself",
        mode="lines",
        fillcolor=colour,
        opacity=0.2,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    return [around, line]


def _thin(values: np.ndarray, most: int) -> np.ndarray:
    """Indices of at most `most` points: the lowest and the highest of each interval, so that no spike is lost."""
    if len(values) <= most:
        return np.arange(len(values))
    intervals = np.array_split(np.arange(len(values)), most // 2)
    filled = np.nan_to_num(values)
    return np.unique([i for s in intervals for i in (s[filled[s].argmin()], s[filled[s].argmax()])])
