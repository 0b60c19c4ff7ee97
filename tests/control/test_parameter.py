"""Bounds of a moving number, and how they are said."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.control.parameter import DynamicParameter


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-30, 30))
def test_what_lies_within_the_bounds_is_taken_and_nothing_else(a, b, value):
    low, high = sorted((a, b))
    number = DynamicParameter("x", low, low=low, high=high)
    assert (number.fault(value) is None) == (low <= value <= high)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", None, True, [1.0]])
def test_what_is_no_finite_number_is_refused(value):
    assert DynamicParameter("x", 1.0).fault(value)


def test_an_open_bound_and_whole_numbers():
    lr, turns = (
        DynamicParameter("lr", 0.1, low=0, high=1, open_low=True),
        DynamicParameter("turns", 1, low=1, high=8, integer=True),
    )
    assert lr.fault(0.0) == "0 is outside (0, 1]" and lr.fault(1.0) is None
    assert turns.fault(2.5) == "2.5 is not a whole number" and turns.fault(9) == "9 is outside 1 … 8"
    turns.take(3.0)
    assert turns.value == 3 and isinstance(turns.value, int)
    assert DynamicParameter("x", 0).allowed == "(-inf, inf)"
