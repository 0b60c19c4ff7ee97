"""The panel's controls follow from the declaration; what a person does becomes a command."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.control.commands import Command
from gannb.control.parameter import DynamicParameter
from gannb.widgets import controls


class Rates(Experiment):
    name = "rates"
    lr: float = param(
        1e-3, "how fast", group="optimiser", low=0, high=1, open_low=True, slider=(1e-6, 1e-2), scale="log",
        unit="1/step", moves=True,
    )  # fmt: skip
    turns: int = param(2, "how often", low=0, high=8, moves=True)
    fixed: float = param(0.1, "never moves")


def test_controls_follow_from_the_declaration():
    lr, turns = map(controls.describe, Rates().dynamic())
    assert lr == {
        "name": "lr", "group": "optimiser", "low": 1e-6, "high": 1e-2, "log": True, "integer": False,
        "unit": "1/step", "doc": "how fast", "allowed": "(0, 1]",
    }  # fmt: skip
    assert (turns["name"], turns["low"], turns["high"], turns["integer"], turns["log"]) == ("turns", 0, 8, True, False)
    assert controls.current(Rates().dynamic()[1]) == {"value": 2, "held": False, "driver": "constant"}


bounds = st.floats(-1e6, 1e6) | st.just(math.inf)


@given(st.floats(-1e6, 1e6), bounds, bounds, st.sampled_from(["linear", "log"]), st.booleans())
def test_every_number_gets_a_slider_that_a_page_can_draw(value, one, other, scale, integer):
    low, high = min(-one, other), max(-one, other)
    value = min(max(value, low), high)
    number = DynamicParameter("n", round(value) if integer else value, low=low, high=high, integer=integer, scale=scale)
    drawn = controls.describe(number)
    json.dumps(drawn, allow_nan=False)
    assert math.isfinite(drawn["low"]) and math.isfinite(drawn["high"]) and drawn["low"] <= drawn["high"]
    assert not drawn["log"] or drawn["low"] > 0


def test_messages_become_commands():
    assert controls.command({"do": "move", "name": "lr", "value": 0.5}) == Command("move", "lr", 0.5)
    assert controls.command({"do": "pause"}) == Command("pause")


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"do": "format disk"},
        {"do": "move", "name": "lr"},
        {"do": "move", "name": "lr", "value": "1e-3"},
        {"by": "me"},
    ],
)
def test_other_messages_are_refused(message):
    with pytest.raises(ValueError):
        controls.command(message)
