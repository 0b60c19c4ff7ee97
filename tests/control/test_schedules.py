"""Annealing, against its formulas: both ends reached, shapes in closed form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.control.schedules import SHAPES, annealed, step_decay

linear, exponential, cosine, power = (SHAPES[name] for name in ("linear", "exponential", "cosine", "power"))

ENDS = st.floats(0.01, 100)


@given(ENDS, ENDS, st.sampled_from(sorted(SHAPES)), st.floats(0.5, 3))
def test_both_ends_are_reached(initial, final, shape, rate):
    curve = SHAPES[shape]
    assert curve(initial, final, 0.0, rate) == pytest.approx(initial)
    assert curve(initial, final, 1.0, rate) == pytest.approx(final)


@given(ENDS, ENDS, st.sampled_from(sorted(SHAPES)), st.floats(0, 1), st.floats(0, 1))
def test_they_go_one_way_only(initial, final, shape, a, b):
    first, second = (SHAPES[shape](initial, final, t, 2.0) for t in sorted((a, b)))
    assert (second - first) * (final - initial) >= -1e-9


def test_closed_forms():
    assert linear(1.0, 0.0, 0.25) == 0.75
    assert exponential(1.0, 0.01, 0.5) == pytest.approx(0.1)
    assert cosine(1.0, 0.0, 0.5) == pytest.approx(0.5)
    assert power(1.0, 0.0, 0.5, 2.0) == 0.25
    with pytest.raises(ValueError, match="positive ends, not 1 and 0"):
        exponential(1.0, 0.0, 0.5)


def test_annealing_moves_at_epochs_and_reaches_its_end_in_the_last_one():
    """t = epoch / (epochs − 1): with epoch / epochs it would never be 1 (S2)."""
    drive = annealed("noise", 1.0, 0.0, "linear", epochs=5, steps_per_epoch=3)
    values = [drive(step, {}, {})["noise"] for step in range(18)]
    assert values == [1.0] * 3 + [0.75] * 3 + [0.5] * 3 + [0.25] * 3 + [0.0] * 6
    assert annealed("x", 2.0, 1.0, "cosine", epochs=1, steps_per_epoch=3)(0, {}, {})["x"] == 2.0
    with pytest.raises(ValueError, match="'linaer' is not known; allowed: linear, exponential, cosine, power"):
        annealed("x", 1.0, 0.0, "linaer", epochs=2, steps_per_epoch=1)
    with pytest.raises(ValueError, match="positive ends"):
        annealed("x", 1.0, 0.0, "exponential", epochs=2, steps_per_epoch=1)


def test_step_decay():
    drive = step_decay("lr", 1.0, every=2, factor=0.5, steps_per_epoch=3)
    assert [drive(step, {}, {})["lr"] for step in range(0, 15, 3)] == [1.0, 1.0, 0.5, 0.5, 0.25]
    assert step_decay("lr", 1.0, every=0, factor=0.5, steps_per_epoch=3)(99, {}, {})["lr"] == 1.0


def test_a_schedule_keeps_no_state():
    drive = step_decay("lr", 1.0, every=2, factor=0.5, steps_per_epoch=3)
    assert drive.state_dict() == {} and not drive.reads
    with pytest.raises(ValueError, match="Schedule: saved \\['step'\\], expected"):
        drive.load_state_dict({"step": 3})
