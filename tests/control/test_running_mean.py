"""A running mean as a driver: closed forms, and steps that saw nothing."""

import pytest

from gannb.control.numbers import Numbers
from gannb.control.running_mean import RunningMean


def test_it_is_the_plain_mean_at_first_and_exponential_later():
    mean, value = RunningMean("a", "G/a", share=0.25), 0.0
    for count, seen in enumerate((4.0, 2.0, 6.0, 8.0), start=1):
        value = mean(count, {"G/a": seen}, {"a": value})["a"]
        assert value == pytest.approx(sum((4.0, 2.0, 6.0, 8.0)[:count]) / count)
    for _ in range(3):
        value = mean(5, {"G/a": 1.0}, {"a": value})["a"]
    assert value == pytest.approx(1 + (5 - 1) * 0.75**3)


def test_a_step_that_saw_nothing_moves_nothing():
    assert RunningMean("a", "G/a")(3, {"G/loss": 1.0}, {"a": 0.5}) == {}


def test_a_resumed_mean_goes_on_where_it_stood():
    numbers = Numbers.plain(a=0.0).drive(RunningMean("a", "G/a", share=0.1))
    for step in (1, 2):
        numbers.advance(step, {"G/a": 4.0})
    again = Numbers.plain(a=0.0).drive(RunningMean("a", "G/a", share=0.1))
    again.load_state_dict(numbers.state_dict())
    for each in (numbers, again):
        each.advance(3, {"G/a": 1.0})
    assert again.values() == numbers.values() == {"a": pytest.approx(3.0)}


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_a_share_outside_is_refused(share):
    with pytest.raises(ValueError, match="share="):
        RunningMean("a", "G/a", share=share)
