"""Widgets of the identity experiment: one face on the yaw axis under three sliders, and the live view's diagnosis."""

from __future__ import annotations

import ipywidgets
import plotly.graph_objects as go

from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.figures import what_if
from gannb.experiments.identity.metrics import Comparison
from gannb.training.trainer import Trainer
from gannb.widgets.picture import Profile
from gannb.widgets.sliders import Slider, with_controls


def diagnosis_by_angle(comparison: Comparison) -> Profile:
    """What a live view shows of a run of `identity`: the mean cosine to the target by yaw, before and after."""
    bins = comparison.bins
    parts = [comparison.within(low, high) for low, high in bins]
    lines = {name: [getattr(part, name).mean().item() for part in parts] for name in ("before", "after")}
    return Profile("cosine to the target", "|yaw|, degrees", [(low + high) / 2 for low, high in bins], lines)


def what_if_panel(trainer: Trainer, faces: Faces, *, face: int) -> go.Figure | ipywidgets.VBox:
    """Show what would be removed from one face at other angles; with sliders where a person watches.

    The sliders move nothing in the run. Each move looks at the network as it stands then.

    Args:
        trainer: of a run of `identity`.
        faces: with targets.
        face: position of the face shown first.

    Returns:
        The figure alone under papermill and nbval; the figure below its sliders in JupyterLab.
    """

    def draw(face: float, removal: float, blend: float) -> go.Figure:
        return what_if(trainer.network("model"), faces, int(face), removal=removal, blend=blend)

    values = trainer.numbers.values()
    controls = {"face": Slider(0, len(faces) - 1, 1, face)}
    controls |= {name: Slider(0, 1, 0.01, values[name]) for name in ("removal", "blend")}
    return with_controls(draw, controls, trainer.run.params.live)
