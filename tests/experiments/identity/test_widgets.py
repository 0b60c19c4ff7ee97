"""The what-if panel: a plain figure where nobody watches, and a figure that follows its sliders where somebody does."""

import base64
import json
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from gannb.control.numbers import Numbers
from gannb.experiments.identity import faces
from gannb.experiments.identity.networks import PoseResidual
from gannb.experiments.identity.synthetic import synthesise
from gannb.experiments.identity.widgets import what_if_panel
from gannb.random import seeded


@pytest.fixture
def aimed() -> faces.Faces:
    return synthesise(4, 8, seed=0).with_targets()


def trainer(live: str) -> SimpleNamespace:
    """What the panel looks at of a trainer."""
    with seeded(0, "model"):
        model = PoseResidual()
    numbers = Numbers.plain(removal=0.8, blend=0.5)
    return SimpleNamespace(
        numbers=numbers, network=lambda name: model, run=SimpleNamespace(params=SimpleNamespace(live=live))
    )


def test_without_anybody_there_is_a_figure_alone(aimed: faces.Faces) -> None:
    shown = what_if_panel(trainer("off"), aimed, face=3)
    assert isinstance(shown, go.Figure) and "removal 0.8, blend 0.5" in shown.layout.title.text


def test_the_figure_follows_the_sliders(aimed: faces.Faces) -> None:
    sliders, _, output = what_if_panel(trainer("on"), aimed, face=3).children

    def figure() -> go.Figure:
        (one,) = output.outputs
        return pio.from_json(json.dumps(one["data"]["application/vnd.plotly.v1+json"]))

    def removed() -> float:
        packed = figure().data[2].y
        values = np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]) if "bdata" in packed else packed
        return max(values)

    assert figure().layout.title.text.endswith("removal 0.8, blend 0.5")
    assert removed() > 0
    assert sliders.controls[0]["high"] == len(aimed) - 1
    sliders.values = sliders.values | {"removal": 0.0}
    assert removed() == 0
    sliders.values = sliders.values | {"face": 5}
    assert f"person {int(aimed.identity[5])}," in figure().layout.title.text
