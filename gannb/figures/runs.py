"""Runs side by side: losses, numbers and steering of one, the newest samples of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from gannb.comparison.two_runs import requested_moves_of
from gannb.config.yaml_files import read_yaml
from gannb.figures.grids import ImageGrid
from gannb.figures.template import INK, LINE, colours_of, figure, range_of
from gannb.runs import files
from gannb.runs.history import History

MOST_MARKS, MOST_NAMED = 40, 4


def steering(folder: Path, names: Sequence[str], numbers: Sequence[str] = (), points: int = 300) -> go.Figure:
    """A run's timeline: measured values above, its numbers below, a mark where a person or an alarm moved one.

    Args:
        folder: the run folder.
        names: what was measured, such as "D/loss".
        numbers: whose paths to show; by default those that moved, six at most.
        points: per line; more are averaged.

    Raises:
        KeyError: a name that was not measured.
    """
    history, moves = History(folder / "metrics.jsonl"), _moves(folder)
    shown = list(numbers) or list(dict.fromkeys(move["name"] for move in moves))[:6]
    colours = colours_of([*names, *shown])
    traces = [_line(history, name, colour, points) for name, colour in zip(names, colours)]
    start, end = read_yaml(folder / "params.yaml"), max((trace.x[-1] for trace in traces), default=0)
    measured = range_of([value for trace in traces for value in trace.y])
    for name, colour in zip(shown, colours[len(names) :]):
        own = [move for move in moves if move["name"] == name]
        traces.append(_path(name, start.get(name), own, end, colour, points))
    drawn = figure(traces, xaxis_title="step", height=460 if shown else 300)
    drawn.update_layout(yaxis_title=names[0] if len(names) == 1 else "measured", yaxis_range=measured)
    drawn.update_layout(hovermode="x unified")
    below = shown[0] if len(shown) == 1 else "numbers"
    if shown:  # a plot of its own for them, and one axis for both, below both
        drawn.update_layout(
            xaxis_anchor="y2",
            yaxis_domain=[0.45, 1],
            yaxis2={"domain": [0, 0.36], "title": below, "anchor": "x", "gridcolor": LINE, "automargin": True},
        )
    marked = requested_moves_of(folder)[:MOST_MARKS]
    for move in marked:
        said = f"{move['name']} → {move['new']:.4g}" if len(marked) <= MOST_NAMED else ""
        drawn.add_vline(move["step"], line={"color": INK, "dash": "dot", "width": 1}, annotation_text=said)
    return drawn


def side_by_side(pictures: Mapping[str, Mapping[int, Path]], height: int = 120, most: int = 6) -> ImageGrid:
    """Pictures from disk at one height: one row per variant, one column per seed.

    Args:
        pictures: variant → seed → file.
        height: of each, pixels.
        most: seeds that are shown per variant.

    Raises:
        ValueError: no pictures.
    """
    rows = {variant: dict(list(own.items())[:most]) for variant, own in pictures.items() if own}
    if not rows:
        raise ValueError("no run here has a picture in samples/")
    columns = max(map(len, rows.values()))
    opened = [[_opened(path, height) for path in own.values()] for own in rows.values()]
    width = max(one.width for own in opened for one in own)
    tiles = np.full((len(rows) * columns, height, width, 3), 24, dtype=np.uint8)
    for row, own in enumerate(opened):
        for column, one in enumerate(own):
            tiles[row * columns + column, :, : one.width] = np.asarray(one)
    labels = [[f"seed {seed}" for seed in own] + ["no run"] * (columns - len(own)) for own in rows.values()]
    titles = [label for own in labels for label in own]
    return ImageGrid(tiles, columns, "one row per variant, one column per seed", tuple(rows), titles=titles)


def _opened(path: Path, height: int) -> Image.Image:
    """A picture on a dark background."""
    with Image.open(path) as given:
        drawn = given.convert("RGBA")
    drawn = drawn.resize((max(1, round(drawn.width * height / drawn.height)), height))
    ground = Image.new("RGB", drawn.size, (24, 24, 24))
    ground.paste(drawn, mask=drawn.getchannel("A"))
    return ground


def _moves(folder: Path) -> list[dict]:
    events = files.read_lines(folder / "events.jsonl")
    return [event for event in events if event["kind"] == "move" and event.get("outcome") == "applied"]


def _line(history: History, name: str, colour: str, points: int) -> go.Scatter:
    series = history[name]
    intervals = np.array_split(np.arange(len(series)), min(points, len(series)))
    steps = series.steps[[interval[-1] for interval in intervals]]
    values = np.array([series.values[interval].mean() for interval in intervals], dtype=np.float32)
    return go.Scatter(x=steps, y=values, name=name, mode="lines", line={"color": colour, "width": 1.5})


def _path(name: str, start: float | None, moves: list[dict], end: int, colour: str, points: int) -> go.Scatter:
    if start is None:
        start = moves[0]["old"]
    steps = [0, *(move["step"] for move in moves), end]
    values = [start, *(move["new"] for move in moves)]
    values.append(values[-1])
    keep = np.unique(np.linspace(0, len(steps) - 1, min(points, len(steps))).round().astype(int))
    by = ["start", *(move["by"] for move in moves), "end"]
    return go.Scatter(
        x=np.array(steps)[keep], y=np.array(values, dtype=np.float32)[keep], name=name, yaxis="y2", mode="lines",
        text=[by[i] for i in keep], line={"color": colour, "shape": "hv", "width": 1.5},
    )  # fmt: skip
