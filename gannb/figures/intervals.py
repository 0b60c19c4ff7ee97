"""Scores with their intervals, one under the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from gannb.comparison.trials import Comparison
from gannb.figures.template import COLOURS, INK, figure
from gannb.metrics.long_names import long_name
from gannb.metrics.score import Score


def interval_figure(
    scores: Mapping[str, Score], x_title: str, *, level: float | None = None, level_name: str = "", scale: float = 1.0
) -> go.Figure:
    """Draw each score as a point with its 95 % interval (1.96 errors each way where it has an error alone).

    Args:
        scores: name → score; unavailable ones are left out.
        x_title: of the axis.
        level: where a dashed line stands, such as 0 for differences.
        level_name: written beside it.
        scale: what values are multiplied by (100 for metres in centimetres); the level too.
    """
    known = {name: score for name, score in scores.items() if score.available}
    ends = [score.interval or _by_error(score) for score in known.values()]
    low, high = scale * np.array(ends, dtype=np.float32).reshape(-1, 2).T
    centres = scale * np.array([float(score) for score in known.values()], dtype=np.float32)
    reach = {"type": "data", "symmetric": False, "array": high - centres, "arrayminus": centres - low, "color": INK}
    points = go.Scatter(
        x=centres,
        y=list(known),
        mode="markers",
        name="interval",
        error_x=reach,
        marker={"size": 9, "color": COLOURS[0]},
    )
    shown = figure([points], xaxis_title=x_title)
    shown.update_layout(height=90 + 32 * len(known), showlegend=False, yaxis_autorange="reversed")
    if level is not None:
        line = {"color": INK, "dash": "dash", "width": 1}
        named = {"annotation_text": level_name} if level_name else {}
        shown.add_vline(scale * level, line=line, **named)
    return shown


def score_figure(comparison: Comparison, name: str, x_title: str, **options: Any) -> go.Figure:
    """Draw a score of each variant over seeds; of a single seed, with the score's own error, which the title says.

    Args:
        comparison: the variants.
        name: of the score.
        x_title: of the axis; what the bars are over is added.
        options: of `interval_figure`.
    """
    over = {variant: comparison.over_seeds(variant, name) for variant in comparison.variants}
    shown = {v: s if s.available else comparison.of(v)[0].scores[name] for v, s in over.items()}
    kinds = {score.available: "seeds" if score.available else "what one seed was tested on" for score in over.values()}
    bars = ", or ".join(kinds[several] for several in (True, False) if several in kinds)
    return interval_figure(shown, f"{x_title}; bars: 95 % over {bars}", **options)


def difference_figure(
    comparison: Comparison,
    over: str,
    without: Sequence[str] = (),
    *,
    name: str = "",
    x_title: str = "",
    scale: float = 1.0,
) -> go.Figure:
    """Draw each variant's difference from one of them in a score, with its 95 % interval over paired seeds.

    Args:
        comparison: the variants.
        over: the variant that all are compared with.
        without: variants to leave out, such as one so far off that the others look alike.
        name: of the score; the deciding one by default.
        x_title: the score in words; its long name by default.
        scale: what values are multiplied by.
    """
    apart = {v: comparison.difference(v, over, name) for v in comparison.variants if v not in (over, *without)}
    said = x_title or long_name(name or comparison.metric)
    return interval_figure(apart, f'{said}<br>difference from "{over}"; bars: 95 % over seeds', level=0.0, scale=scale)


def _by_error(score: Score) -> tuple[float, float]:
    reach = 1.96 * (score.error or 0.0)
    return float(score) - reach, float(score) + reach
