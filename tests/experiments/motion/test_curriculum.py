from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.experiments.motion.curriculum import Curriculum, Stages, label_offset, weight

DETAIL, PHYSICS = (0.3, 1.0), (0.5, 2.0)


@pytest.mark.parametrize(
    ("epoch", "detail", "physics"),
    [
        (0, 0.15, 0.25),
        (9, 0.15, 0.25),
        (10, 0.30, 0.50),
        (25, 0.5625, 1.0625),
        (30, 0.65, 1.25),
        (49, 0.9825, 1.9625),
        (50, 1.0, 2.0),
        (400, 1.0, 2.0),
    ],
)
def test_weights_follow_the_formula_and_not_the_text(epoch, detail, physics):
    assert weight(epoch, *DETAIL) == pytest.approx(detail)
    assert weight(epoch, *PHYSICS) == pytest.approx(physics)


def test_document_weight_doubles_in_one_epoch_at_the_end_of_warmup():
    assert weight(10, *DETAIL) / weight(9, *DETAIL) == pytest.approx(2.0)


def test_smooth_ramp_has_the_same_ends_and_no_jump():
    at = [weight(e / 20, *PHYSICS, ramp="smooth") for e in range(1200)]
    assert at[0] == 0.25
    assert at[-1] == 2.0
    rises = [b - a for a, b in pairwise(at)]
    assert min(rises) >= 0
    assert max(rises) < 0.005


@given(st.floats(0, 100))
def test_every_epoch_is_in_one_stage(epoch):
    stages = Stages()
    assert stages.at(epoch) == ("warm-up" if epoch < 10 else "curriculum" if epoch < 50 else "normal")


@pytest.mark.parametrize(("warmup", "end"), [(10, 10), (-1, 5), (20, 10)])
def test_impossible_stages_are_refused(warmup, end):
    with pytest.raises(ValueError, match=f"warmup {warmup} and end {end}"):
        Stages(warmup, end)


def test_label_offset_falls_linearly_to_zero_over_the_warmup():
    assert [label_offset(e, 0.02, 10) for e in (0, 5, 10, 30)] == pytest.approx([0.02, 0.01, 0.0, 0.0])
    assert label_offset(0, 0.02, 0) == 0.0


def test_driver_moves_once_an_epoch_and_names_what_it_moves():
    driver = Curriculum(steps_per_epoch=7)
    moves = [driver(step, {}, {}) for step in range(7 * 60)]
    assert set(moves[0]) == set(driver.names)
    assert all(moves[s] == moves[s - s % 7] for s in range(len(moves)))
    assert moves[7 * 25]["detail_weight"] == pytest.approx(0.5625)


def test_driver_without_a_curriculum_gives_full_weights_from_the_start():
    move = Curriculum(steps_per_epoch=5, offset=0.02, active=False)(0, {}, {})
    assert (move["detail_weight"], move["physics_weight"]) == (1.0, 2.0)
    assert move["label_offset"] == 0.02
