"""Pareto's front in closed form, and its figure."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.experiments.schedules.pareto import front, front_figure

POINTS = {"quality": (1.0, 9.0), "both": (2.0, 3.0), "stability": (7.0, 1.0), "beaten": (3.0, 4.0), "worst": (8.0, 9.0)}


def test_the_front_is_what_nothing_beats():
    assert front(POINTS) == ["quality", "both", "stability"]
    assert front({"a": (1.0, 1.0), "twin": (1.0, 1.0)}) == ["a", "twin"], "twins do not beat each other"
    assert front({"a": (1.0, 2.0), "as good": (1.0, 3.0)}) == ["a"], "as good in one and worse in the other"


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=12))
def test_along_the_front_one_wish_falls_as_the_other_rises(given_points):
    points = {str(i): point for i, point in enumerate(given_points)}
    best = [points[name] for name in front(points)]
    assert best and all(a[0] <= b[0] and a[1] >= b[1] for a, b in itertools.pairwise(best))
    for point in points.values():
        assert any(b[0] <= point[0] and b[1] <= point[1] for b in best), "each is on it, or beaten by one that is"


def test_the_legend_names_the_front_and_hovering_every_point():
    shown = front_figure(POINTS, "distance", "spread")
    line, *named, others = shown.data
    assert list(line.x) == [1.0, 2.0, 7.0] and list(line.y) == [9.0, 3.0, 1.0]
    assert [trace.name for trace in named] == ["1  quality", "2  both", "3  stability"]
    assert [(trace.x[0], trace.y[0], trace.hovertext[0]) for trace in named] == [
        (*POINTS[name], name) for name in front(POINTS)
    ]
    assert {trace.textposition for trace in named} == {"bottom left"}, "where no other point can be"
    assert list(others.hovertext) == ["beaten", "worst"] and others.text is None
    assert (shown.layout.xaxis.title.text, shown.layout.yaxis.title.text) == ("distance", "spread")
    with pytest.raises(ValueError, match="at least one"):
        front_figure({}, "", "")
