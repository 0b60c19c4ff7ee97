"""Figures of the identity experiment: variants by yaw, and the removal from one face at other angles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cosine_similarity

from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.metrics import YAW_BINS, Comparison, improvement
from gannb.experiments.identity.networks import clean
from gannb.figures.template import COLOURS, INK, figure

if TYPE_CHECKING:
    import plotly.graph_objects as go


def variants_by_yaw(variants: Mapping[str, Comparison]) -> go.Figure:
    """Draw the mean change of the cosine by yaw, one line per variant, with 95 % intervals over people.

    Args:
        variants: name → similarity before and after; those beyond the number of colours are dotted.
    """
    import plotly.graph_objects as go

    traces = []
    for index, (name, comparison) in enumerate(variants.items()):
        bins = [(low, high) for low, high in YAW_BINS if len(comparison.within(low, high))]
        gains = [improvement(comparison, low, high) for low, high in bins]
        means = np.array([float(gain) for gain in gains], dtype=np.float32)
        edges = np.array([gain.interval or (float(gain),) * 2 for gain in gains], dtype=np.float32).T
        style = {"color": COLOURS[index % len(COLOURS)], "dash": "solid" if index < len(COLOURS) else "dot"}
        errors = {"type": "data", "symmetric": False, "array": edges[1] - means, "arrayminus": means - edges[0]}
        x = [f"{low:g}-{high:g}" for low, high in bins]
        traces.append(go.Scatter(x=x, y=means, name=name, mode="lines+markers", line=style, error_y=errors))
    shown = figure(traces, xaxis_title="|yaw|, degrees", yaxis_title="change of the cosine", xaxis_type="category")
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
    import plotly.graph_objects as go

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
    traces = [
        go.Scatter(x=yaw[[0, -1]], y=[before, before], name="raw", mode="lines", line={"color": INK, "dash": "dash"}),
        go.Scatter(x=yaw, y=similarity[:-1], name="result", mode="lines", line={"color": COLOURS[0]}),
        go.Scatter(x=yaw, y=removed[:-1], name="removed (of its length)", mode="lines", line={"color": COLOURS[1]}),
        go.Scatter(x=true, y=similarity[-1:], name="at its yaw", mode="markers", marker={"size": 10}),
    ]
    title = f"person {int(faces.identity[face])}, yaw {float(pose[0]):.0f}°: removal {removal:g}, blend {blend:g}"
    return figure(traces, title=title, xaxis_title="yaw given to the model, degrees", yaxis_title="cosine, share")
