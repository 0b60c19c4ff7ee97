"""A running mean as a driver: closed forms, and steps that saw nothing."""

import pytest

from gannb.dynamics.following import RunningMean
from gannb.dynamics.numbers import Numbers


def test_it_nears_a_constant_by_its_share_each_time():
    mean, value = RunningMean("a", "G/a", share=0.25), 0.0
    for count in range(1, 9):
        value = mean(count, {"G/a": 2.0}, {"a": value})["a"]
        assert value == pytest.approx(2 * (1 - 0.75**count))


def test_a_step_that_saw_nothing_moves_nothing():
    assert RunningMean("a", "G/a")(3, {"G/loss": 1.0}, {"a": 0.5}) == {}


def test_the_number_is_the_whole_state():
    """What a checkpoint keeps of it is the number, so a resumed mean goes on where it stood."""
    numbers = Numbers.plain(a=0.0).drive(RunningMean("a", "G/a", share=0.5))
    numbers.advance(1, {"G/a": 4.0})
    again = Numbers.plain(a=0.0).drive(RunningMean("a", "G/a", share=0.5))
    again.load_state_dict(numbers.state_dict())
    for each in (numbers, again):
        each.advance(2, {"G/a": 4.0})
    assert again.values() == numbers.values() == {"a": 3.0}


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_a_share_outside_is_refused(share):
    with pytest.raises(ValueError, match="share="):
        RunningMean("a", "G/a", share=share)
