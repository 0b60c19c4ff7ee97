"""What a cleaning did, as one figure: improvement by angle, distribution of change, similarity, harm.

The command `gannb diagnose` gives it of any data a user brings. After the diagnostics of
identity ("problem diagnosis"), measured on one population (claim I8).
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.figures import bin_names, error_bars, score_by_yaw
from gannb.experiments.identity.metrics import HARM, Comparison, by_yaw, compare, evaluate, harm_rate, improvement
from gannb.figures.template import COLOURS, GENERATED, INK, REAL, figure, single, with_uids
from gannb.metrics.score import Scores
from gannb.runs.files import write_json, write_text
from gannb.tables import Table

HARMED = COLOURS[3]
PANELS = ("improvement by yaw", "distribution of the change", "similarity to the target", "share harmed by yaw")


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """Scores, a table by yaw and the figure of one cleaning.

    Attributes:
        comparison: similarity before and after, face by face.
        scores: everything that `evaluate` measures.
        by_yaw: one row per yaw bin.
        title: what was cleaned by what.
    """

    comparison: Comparison
    scores: Scores
    by_yaw: Table
    title: str = ""

    @classmethod
    def of(cls, cleaned: Tensor, faces: Faces, title: str = "") -> Diagnosis:
        """Diagnose cleaned features.

        Args:
            cleaned: `[N, 512]`, one row per face.
            faces: with targets.
            title: what was cleaned by what.
        """
        comparison = compare(cleaned, faces)
        return cls(comparison, evaluate(cleaned, faces), by_yaw(comparison), title)

    def figure(self) -> go.Figure:
        """The four panels."""
        return diagnostics_figure(self.comparison, self.title)

    def as_dict(self) -> dict[str, Any]:
        """Scores and table, JSON values only."""
        rows = [dict(zip(self.by_yaw.columns, row)) for row in self.by_yaw.rows]
        return {"title": self.title, **self.scores.as_dict(), "by_yaw": rows}

    def save(self, path: str | Path) -> tuple[Path, Path]:
        """Write `<path>.html`, which opens without a network, and `<path>.json`."""
        path = Path(path).expanduser()
        page, data = (path.with_name(path.name + suffix) for suffix in (".html", ".json"))
        write_text(page, self._page())
        write_json(data, self.as_dict())
        return page, data

    def _page(self) -> str:
        title = html.escape(self.title or "diagnostics")
        drawn = self.figure().to_html(include_plotlyjs=True, full_html=False)
        style = (
            "body{font:15px sans-serif;max-width:1100px;margin:2em auto;color-scheme:light dark}td,th{padding:2px 9px}"
        )
        head = f'<head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>'
        tables = self.by_yaw._repr_html_() + score_table(self.scores)._repr_html_()
        return f"<!doctype html><html>{head}<body><h1>{title}</h1>{drawn}{tables}</body></html>\n"

    def __repr__(self) -> str:
        return f"{self.title}\n{self.by_yaw!r}".lstrip()

    def _repr_html_(self) -> str:
        return self.by_yaw._repr_html_()


def score_table(scores: Scores) -> Table:
    """One row per score: value with its error, 95 % interval, faces and people."""
    rows = []
    for score in scores.values():
        if score.available:
            interval = "{:.4g} … {:.4g}".format(*score.interval) if score.interval else None
            rows.append((score.name, score.text, interval, score.protocol.get("n"), score.protocol.get("people")))
    lacking = [f"{score.name}: {score.reason}" for score in scores.values() if not score.available]
    return Table(("score", "value", "95 % interval", "faces", "people"), rows, note="\n".join(lacking))


def diagnostics_figure(comparison: Comparison, title: str = "") -> go.Figure:
    """Draw four panels: change by yaw with 95 % intervals, its histogram, similarity before and after, share harmed."""
    shown = make_subplots(2, 2, figure=figure(), subplot_titles=PANELS, horizontal_spacing=0.1, vertical_spacing=0.22)
    change, harmed = (score_by_yaw(comparison, score) for score in (improvement, harm_rate))
    gained = [COLOURS[2] if value >= 0 else HARMED for value in change["y"]]
    bars = {"error_y_color": INK, "showlegend": False}
    panels = {
        (1, 1): [go.Bar(**change, **bars, name="change", marker_color=gained)],
        (1, 2): [_histogram(comparison)],
        (2, 1): [_similarity(comparison, "before", REAL), _similarity(comparison, "after", GENERATED)],
        (2, 2): [go.Bar(**harmed, **bars, name="harmed", marker_color=HARMED)],
    }
    titles = ("change of the cosine", "faces", "cosine", "share of the faces")
    for ((row, column), traces), y_title in zip(panels.items(), titles):
        for trace in traces:
            shown.add_trace(trace, row, column)
        shown.update_yaxes(title_text=y_title, row=row, col=column)
    for row, column in ((1, 1), (2, 1), (2, 2)):
        axis = {"title_text": "|yaw|, degrees", "type": "category", "categoryarray": bin_names(comparison)}
        shown.update_xaxes(**axis, row=row, col=column)
    shown.update_xaxes(title_text="change of the cosine", row=1, col=2)
    shown.add_vline(-HARM, line={"color": INK, "dash": "dot", "width": 1}, row=1, col=2)
    shown.update_yaxes(range=[0, 1], row=2, col=2)
    shown.update_layout(title=title, height=700, margin_t=70, legend={"x": 0.0, "y": 0.02}, bargap=0.15)
    return with_uids(shown)


def _histogram(comparison: Comparison) -> go.Bar:
    """Counted here: the figure holds the bins, not every face."""
    counts, edges = np.histogram(comparison.change.numpy(), bins=40)
    middles = (edges[:-1] + edges[1:]) / 2
    colours = [COLOURS[2] if middle >= -HARM else HARMED for middle in middles]
    bars = {"x": single(middles), "y": counts, "width": single(np.diff(edges))}
    return go.Bar(**bars, name="faces", marker_color=colours, showlegend=False)


def _similarity(comparison: Comparison, which: str, colour: str) -> go.Scatter:
    """The mean "before" or "after" by yaw; bars span 5 to 95 % of the faces."""
    values = [getattr(comparison.within(*ends), which).numpy() for ends in comparison.bins]
    means, spread = np.array([one.mean() for one in values]), [np.quantile(one, (0.05, 0.95)) for one in values]
    errors = {**error_bars(means, np.array(spread).T), "color": INK, "width": 3, "thickness": 1}
    style = {"name": which, "mode": "lines+markers", "line": {"color": colour}, "error_y": errors}
    return go.Scatter(x=bin_names(comparison), y=single(means), **style)
