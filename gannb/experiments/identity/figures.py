"""Figures of the identity experiment: variants by yaw, and the removal from one face at other angles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.metrics import Comparison, improvement
from gannb.experiments.identity.networks import clean
from gannb.figures.template import COLOURS, GENERATED, INK, OTHERS, REAL, figure, single
from gannb.metrics.score import Score


def error_bars(values: np.ndarray, ends: np.ndarray) -> dict[str, Any]:
    """Asymmetric error bars of values `[n]` from interval ends `[2, n]`."""
    below, above = np.maximum(values - ends[0], 0), np.maximum(ends[1] - values, 0)
    return {"type": "data", "symmetric": False, "array": single(above), "arrayminus": single(below)}


def bin_names(comparison: Comparison) -> list[str]:
    """The yaw bins that hold faces, such as "0-15"."""
    return [f"{low:g}-{high:g}" for low, high in comparison.bins]


def score_by_yaw(comparison: Comparison, score: Callable[..., Score]) -> dict[str, Any]:
    """A score in each yaw bin that holds faces, with its interval: x, y and error bars of a trace."""
    found = [score(comparison, *ends) for ends in comparison.bins]
    values = np.array([float(one) for one in found])
    ends = np.array([one.interval or (float(one),) * 2 for one in found]).T
    return {"x": bin_names(comparison), "y": single(values), "error_y": error_bars(values, ends)}


def variants_by_yaw(variants: Mapping[str, Comparison]) -> go.Figure:
    """Draw the mean change of the cosine by yaw, one line per variant, with 95 % intervals over people.

    Args:
        variants: name → similarity before and after; those beyond the number of colours are dotted.
    """
    traces = []
    for index, (name, comparison) in enumerate(variants.items()):
        style = {"color": OTHERS[index % len(OTHERS)], "dash": "solid" if index < len(OTHERS) else "dot"}
        gains = score_by_yaw(comparison, improvement)
        traces.append(go.Scatter(**gains, name=name, mode="lines+markers", line=style))
    shown = figure(traces, xaxis_title="|yaw|, degrees", yaxis_title="change of the cosine", xaxis_type="category")
    shown.update_layout(scattermode="group", scattergap=0.7)  # equal curves stand side by side
    shown.add_hline(0, line={"color": INK, "dash": "dash", "width": 1})
    return shown


def what_if(model: nn.Module, faces: Faces, face: int, *, removal: float, blend: float) -> go.Figure:
    """Draw the result for one face as a function of the yaw that is given to the model.

    The feature stays as it is and only the given yaw varies: raw similarity, similarity of the result, and the share
    of the feature that is removed; the marker stands at the true yaw.

    Args:
        model: a network of `gannb.experiments.identity.networks`.
        faces: with targets.
        face: position of the face.
        removal: the enhancer's factors.
        blend: the enhancer's factors.

    Raises:
        IndexError: no such face.
    """
    if not 0 <= face < len(faces):
        raise IndexError(f"face {face}: there are {len(faces)}, numbered from 0")
    raw, target, pose = faces.features[face], faces.target[face], faces.pose[face]
    yaws = torch.cat([torch.arange(-90.0, 91.0, 3.0), pose[:1]])
    poses = pose.repeat(len(yaws), 1)
    poses[:, 0] = yaws
    result = clean(raw.repeat(len(yaws), 1), poses, model, removal=removal, blend=blend)
    similarity = cosine_similarity(result, target.unsqueeze(0)).numpy()
    removed = ((raw - result).norm(dim=1) / raw.norm()).numpy()
    before = cosine_similarity(raw, target, dim=0).item()
    yaw, true = yaws[:-1].numpy(), yaws[-1:].numpy()
    dot, level = {"size": 10, "color": GENERATED}, {"color": REAL, "dash": "dash"}
    traces = [
        go.Scatter(x=yaw[[0, -1]], y=[before, before], name="cosine, raw", mode="lines", line=level),
        go.Scatter(x=yaw, y=similarity[:-1], name="cosine, cleaned", mode="lines", line={"color": GENERATED}),
        go.Scatter(x=yaw, y=removed[:-1], name="share of the length removed", mode="lines", line={"color": COLOURS[4]}),
        go.Scatter(x=true, y=similarity[-1:], name="at its true yaw", mode="markers", marker=dot),
    ]
    title = f"person {int(faces.identity[face])}, yaw {float(pose[0]):.0f}°: removal {removal:g}, blend {blend:g}"
    axes = {"xaxis_title": "yaw given to the model, degrees", "yaxis_title": "cosine to the target; share"}
    return figure(traces, title=title, **axes)
