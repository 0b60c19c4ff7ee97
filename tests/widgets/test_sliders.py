"""Anything under sliders: drawn once where nobody watches, and again at every move where somebody does."""

import pytest

from gannb.figures.template import figure
from gannb.tables import Table
from gannb.widgets.sliders import Choice, ControlledFigure, Slider, with_controls

CONTROLS = {"size": Slider(0, 10, 1, 3), "kind": Choice(("round", "square"), "round")}


def draw(size: float, kind: str) -> Table:
    if size > 9:
        raise ValueError("size: allowed up to 9")
    return Table(("size", "kind"), [(size, kind)])


def test_where_nobody_watches_it_is_what_is_drawn_at_the_start() -> None:
    shown = with_controls(draw, CONTROLS, "off")
    assert shown.rows == [(3, "round")]


def test_a_move_draws_anew_and_names_reach_the_page() -> None:
    live = ControlledFigure(draw, CONTROLS)
    assert [control["name"] for control in live.inputs.controls] == ["size", "kind"]
    live.inputs.values = {"size": 5, "kind": "square"}
    assert "square" in live.output.outputs[0]["data"]["text/html"]


def test_what_cannot_be_drawn_is_said_and_the_last_picture_stays() -> None:
    live = ControlledFigure(draw, CONTROLS)
    live.inputs.values = {"size": 10, "kind": "round"}
    assert "allowed up to 9" in live.refusal.value
    assert "3" in live.output.outputs[0]["data"]["text/plain"]
    live.inputs.values = {"size": 4, "kind": "round"}
    assert live.refusal.value == ""


def test_a_figure_travels_as_its_own_kind() -> None:
    live = ControlledFigure(lambda size: figure([]), {"size": Slider(0, 1, 0.1, 0.5)})
    assert set(live.output.outputs[0]["data"]) == {"application/vnd.plotly.v1+json"}


@pytest.mark.parametrize("live", ["on"])
def test_where_somebody_watches_there_is_a_box_of_controls(live: str) -> None:
    box = with_controls(draw, CONTROLS, live)
    assert len(box.children) == 3
