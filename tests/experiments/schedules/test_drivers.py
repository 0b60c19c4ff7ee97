"""Every variant moves the same numbers within the same ranges; the annealed ones end where they should."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.control.numbers import Numbers
from gannb.control.parameter import DynamicParameter
from gannb.experiments.schedules.drivers import DRIVEN, SignHeuristic, drivers
from gannb.experiments.schedules.meta.control_space import Range

RANGES = (Range("noise", 1.0, 0.01), Range("augment", 0.8, 0.1), Range("weight", 10.0, 1.0))
SHAPES = {"noise": "exponential", "augment": "linear", "weight": "cosine"}
LENGTH = {"epochs": 11, "steps_per_epoch": 4}


class Still:
    """Stands for a controller."""

    names = ("noise", "augment", "weight")

    def __call__(self, step, seen, values):
        return {}


def path(variant, seen=None, **more):
    """The three numbers at every step of a run."""
    numbers = Numbers([DynamicParameter(r.name, r.initial, low=0, high=10) for r in RANGES])
    numbers.drive(*drivers(variant, RANGES, **LENGTH, shapes=SHAPES, learned=Still(), **more))
    found = []
    for step in range(44):
        numbers.advance(step, seen or {})
        found.append(numbers.values())
    return found


@pytest.mark.parametrize("variant", DRIVEN)
def test_every_variant_starts_the_same_and_stays_within_the_ranges(variant):
    found = path(variant, {"D/sign_real": 0.2})
    assert found[0] == {"noise": 1.0, "augment": 0.8, "weight": 10.0}
    for values in found:
        assert all(r.low - 1e-12 <= values[r.name] <= r.high + 1e-12 for r in RANGES)


@pytest.mark.parametrize("variant", ["linear", "exponential", "cosine", "power", "document"])
def test_annealed_variants_end_at_their_final_values_in_the_last_epoch(variant):
    found = path(variant, rate=2.0)
    assert found[40] == pytest.approx({"noise": 0.01, "augment": 0.1, "weight": 1.0})
    assert found[39] != pytest.approx(found[40]), "t reaches 1 in the last epoch, and not before (S2)"


def test_the_documents_variant_gives_each_number_its_own_shape():
    middle = path("document")[20]
    assert middle == pytest.approx({"noise": 0.1, "augment": 0.45, "weight": 5.5})


def test_fixed_stays_at_the_initial_values():
    assert path("fixed")[-1] == path("fixed")[0]


def test_the_heuristic_goes_where_the_sign_says():
    falling, rising = path("adaptive", {"D/sign_real": 0.2}), path("adaptive", {"D/sign_real": 0.9})
    assert falling[-1] == {"noise": 0.01, "augment": pytest.approx(0.1), "weight": 1.0}
    assert rising[-1] == {"noise": 1.0, "augment": 0.8, "weight": 10.0}, "the cap"
    assert path("adaptive", {"D/loss": 1.0})[-1] == falling[0], "no evidence, no move"


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40), st.integers(0, 39))
def test_a_resumed_heuristic_goes_on_the_same(signs, cut):
    one = SignHeuristic(RANGES, steps=20)
    two = SignHeuristic(RANGES, steps=20)
    for step, sign in enumerate(signs):
        if step == cut:
            two.load_state_dict(json.loads(json.dumps(one.state_dict())))
        moved = one(step, {"D/sign_real": sign}, {})
        if step >= cut:
            assert two(step, {"D/sign_real": sign}, {}) == moved


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="variant 'sigmoid' is not known; allowed: fixed, linear"):
        drivers("sigmoid", RANGES, **LENGTH)
    with pytest.raises(ValueError, match="needs a controller of augment, noise, weight; given: none"):
        drivers("learned", RANGES, **LENGTH)
    with pytest.raises(ValueError, match="needs a shape for each"):
        drivers("document", RANGES, **LENGTH, shapes={"noise": "linear"})
    with pytest.raises(ValueError, match="steps=0; must be at least 1"):
        SignHeuristic(RANGES, steps=0)
