"""Arms side by side."""

import pytest

from gannb.figures.gestures import error_figure
from gannb.metrics.gesture_arms import Outcome, Outcomes


def test_errors_stand_in_centimetres_with_their_intervals() -> None:
    arms = Outcomes([Outcome("one", s, {}, [0.05 + 0.01 * s, 0.07 + 0.01 * s]) for s in (0, 1)])
    arms.add(Outcome("two", 0, {}, [0.08, 0.10]))
    figure = error_figure(arms, floor=0.06)
    (points,) = figure.data
    assert list(points.y) == ["one", "two"]
    assert points.x == pytest.approx([6.5, 9.0])
    assert (points.error_x.array > 0).all() and (points.error_x.arrayminus > 0).all()
    assert points.x[1] + points.error_x.array[1] <= 10.0 + 1e-6, "an interval of a mean lies within the data"
