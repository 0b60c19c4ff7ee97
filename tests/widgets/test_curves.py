"""Curves stay small however long a run is, and stay true to it."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.widgets.curves import MOST_CHARTS, Charts, Trace, place


def unpacked(packed):
    return np.frombuffer(packed["x"], np.float32), np.frombuffer(packed["y"], np.float32)


@given(st.integers(1, 5000), st.integers(2, 60).map(lambda half: 2 * half))
def test_a_trace_is_short_and_keeps_the_mean(count, most):
    trace = Trace(most)
    for step in range(1, count + 1):
        trace.add(step, float(step))
    x, y = unpacked(trace.packed())
    assert len(x) == len(y) < most
    assert len(x) == 0 or len(x) * (stretch := round(x[0])) <= count < len(x) * stretch + stretch
    if len(x):
        np.testing.assert_allclose(y, x - (x[0] - 1) / 2, rtol=1e-5)  # the mean of each stretch of 1, 2, 3, …


def test_what_is_no_number_is_packed_too():
    trace = Trace()
    trace.add(1, math.nan)
    assert trace.packed()["last"] == "nan"
    assert np.isnan(unpacked(trace.packed())[1]).all()


@pytest.mark.parametrize(
    ("key", "chart", "line"),
    [
        ("D/loss", "loss", "D"),
        ("D/real", "discriminator", "D(x)"),
        ("D/fake", "discriminator", "D(G(z))"),
        ("G/grad_norm", "gradient norm", "G"),
        ("C/penalty", "penalty", "C"),
        ("FAED", "FAED", "FAED"),
    ],
)
def test_where_a_measured_name_is_drawn(key, chart, line):
    assert place(key) == (chart, line)


def test_the_usual_charts_come_first_and_there_are_not_too_many():
    charts = Charts()
    charts.add(
        {
            "step": 1,
            "G/moved": 0.1,
            **{f"score {i}": 1.0 for i in range(9)},
            "G/grad_norm": 2.0,
            "D/loss": 3.0,
            "G/loss": 4.0,
        }
    )
    packed = charts.packed()
    assert [chart["title"] for chart in packed][:3] == ["loss", "gradient norm", "score 0"]
    assert [line["name"] for line in packed[0]["lines"]] == ["D", "G"]
    assert len(packed) == MOST_CHARTS
    assert "moved" not in [chart["title"] for chart in packed]
    json.dumps([[line["last"] for line in chart["lines"]] for chart in packed], allow_nan=False)


def test_a_quiet_chart_gives_way_to_what_is_judged_and_comes_back_where_there_is_room():
    charts = Charts()
    charts.add({"step": 1, "D/moved": 0.1, "D/W": 1.0, "modes_found": 3.0, "G/diversity_share": 0.9})
    assert [chart["title"] for chart in charts.packed()] == ["diversity_share", "W", "modes_found", "moved"]
