"""Growing clips: each length for its epochs, the last for good; a run on growing sequences really sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.control.numbers import Numbers
from gannb.control.parameter import DynamicParameter
from gannb.experiments.motion_wgan_gp.critic_control import growing


def test_each_length_lasts_its_epochs() -> None:
    driver = growing("frames", (16, 32, 64), epochs_each=2, steps_per_epoch=3)
    assert [driver.value_at(step) for step in (0, 5, 6, 11, 12, 10_000)] == [16, 16, 32, 32, 64, 64]
    assert driver.names == ("frames",) and driver.label == "growing"


@given(st.lists(st.integers(1, 256), min_size=1, unique=True).map(sorted), st.integers(1, 5), st.integers(1, 9))
def test_it_only_grows_and_reaches_the_last(lengths, epochs, steps) -> None:
    driver = growing("frames", lengths, epochs_each=epochs, steps_per_epoch=steps)
    seen = [driver.value_at(step) for step in range(len(lengths) * epochs * steps)]
    assert seen == sorted(seen) and seen[0] == lengths[0] and seen[-1] == lengths[-1]
    assert list(dict.fromkeys(seen)) == lengths


def test_the_number_stays_whole() -> None:
    numbers = Numbers([DynamicParameter("frames", 16, low=16, high=64, integer=True)])
    numbers.drive(growing("frames", (16, 64), epochs_each=1, steps_per_epoch=2))
    moves = [move for step in range(4) for move in numbers.advance(step, {})]
    assert [(move.step, move.new, move.by) for move in moves] == [(2, 64, "growing")]
    assert isinstance(numbers.now().frames, int)


@pytest.mark.parametrize("lengths", [(), (0, 16), (16, 16), (32, 16)])
def test_lengths_must_ascend(lengths) -> None:
    with pytest.raises(ValueError, match="ascending, from 1 frame on"):
        growing("frames", lengths, epochs_each=1, steps_per_epoch=1)


def test_durations_must_be_positive() -> None:
    with pytest.raises(ValueError, match="every 0 epochs of 5 steps"):
        growing("frames", (16, 32), epochs_each=0, steps_per_epoch=5)
