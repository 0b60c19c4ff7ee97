"""Scores with intervals, drawn."""

import pytest

from gannb.comparison.trials import Comparison, Trial
from gannb.figures.intervals import difference_figure, interval_figure, score_figure
from gannb.metrics.score import Score, Scores


def test_points_and_bars_stand_where_the_scores_are_and_what_was_not_had_is_left_out():
    scores = {"one": Score("x", 0.5, interval=(0.2, 1.0)), "two": Score("x", -1.0), "three": Score.missing("x", "why")}
    shown = interval_figure(scores, "less", level=0.25, level_name="there", scale=10.0)
    (points,) = shown.data
    assert list(points.y) == ["one", "two"] and list(points.x) == [5.0, -10.0]
    assert list(points.error_x.array) == pytest.approx([5, 0]) and list(points.error_x.arrayminus) == pytest.approx(
        [3, 0]
    )
    (line,) = shown.layout.shapes
    assert line.x0 == 2.5 and shown.layout.annotations[0].text == "there"


def test_a_line_without_a_name_has_no_text():
    assert not interval_figure({"a": Score("a", 1.0)}, "x", level=0.0).layout.annotations


def test_without_any_score_it_is_empty():
    assert not len(interval_figure({"a": Score.missing("a", "why")}, "x").data[0].x)


def of(**values: list[float]) -> Comparison:
    trials = (Trial(v, s, Scores([Score("kid", x, 0.5)])) for v, mine in values.items() for s, x in enumerate(mine))
    return Comparison(trials, "kid")


def test_differences_are_a_row_per_variant_but_the_one_that_all_are_compared_with():
    compared = of(document=[1.0, 2.0], tuned=[0.5, 1.0], longer=[3.0], far=[9.0, 99.0])
    (points,) = difference_figure(compared, "document", without=["far"]).data
    assert list(points.y) == ["tuned"] and points.x[0] == -0.75, "one seed has no interval"


def test_a_score_stands_with_its_interval_over_seeds_or_with_its_own_error():
    shown = score_figure(of(one=[1.0, 3.0], two=[4.0]), "kid", "distance")
    (points,) = shown.data
    assert list(points.x) == [2.0, 4.0] and points.error_x.array[0] > 2
    assert points.error_x.array[1] == pytest.approx(0.98) == points.error_x.arrayminus[1]
    assert shown.layout.xaxis.title.text == "distance; bars: 95 % over seeds, or what one seed was tested on"
    over = score_figure(of(one=[1.0, 3.0]), "kid", "distance").layout.xaxis.title.text
    assert over == "distance; bars: 95 % over seeds"
    assert "one seed" in score_figure(of(two=[4.0]), "kid", "distance").layout.xaxis.title.text
