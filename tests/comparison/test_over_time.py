"""A score over training."""

from gannb.comparison.over_time import OverTime


def test_best_and_last_over_time():
    found = OverTime((100, 200, 300), (80.0, 40.0, 90.0))
    assert (found.best, found.last) == ((200, 40.0), (300, 90.0))
    assert found.last_over_best == 2.25 and found.reached(80) == 100 and found.reached(10) is None
