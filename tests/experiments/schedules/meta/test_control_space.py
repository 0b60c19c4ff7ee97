"""Ranges map shares to values and back; the state is standardised, bounded, and the same after a resume."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from gannb.experiments.schedules.meta.control_space import DOCUMENT_FEATURES, FEATURES, Range, State

POSITIVE = st.floats(1e-4, 1e4)
RANGES = (Range("noise", 1.0, 0.01), Range("augment", 0.8, 0.1), Range("weight", 10.0, 1.0))


@given(POSITIVE, POSITIVE, st.floats(0, 1))
def test_a_share_comes_back(initial, final, share):
    place = Range("x", initial, final)
    value = place.clip(place.at(share))
    assert place.low <= value <= place.high
    if place.high > place.low * 1.001:
        assert place.share(value) == pytest.approx(share, abs=1e-6)


def test_decades_are_walked_in_equal_factors_and_less_than_one_in_equal_steps():
    noise, augment, weight = RANGES
    assert noise.log and weight.log and not augment.log
    assert noise.at(0.5) == pytest.approx(0.1) and weight.at(0.5) == pytest.approx(math.sqrt(10))
    assert augment.at(0.5) == pytest.approx(0.45)
    assert not Range("from nothing", 0.0, 1.0).log


def test_a_tensors_share_keeps_its_gradient():
    share = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(RANGES[0].at(share), share)
    assert float(slope) == pytest.approx(0.1 * math.log(100))


def state(features=DOCUMENT_FEATURES, steps=100):
    return State(features, RANGES, steps)


def test_features_are_in_units_of_their_spread():
    watched = state(("loss_d",))
    looked = []
    for step, values in enumerate([(1.0, 3.0), (4.0,), (2.0, 2.0)], start=1):
        for value in values:
            watched.log({"D/loss": value})
        looked += watched.observe(step, {})
    means = [2.0, 4.0, 2.0]
    mean = sum(means) / 3
    deviation = math.sqrt(sum((m - mean) ** 2 for m in means) / 3)
    assert looked[0] == 0.0, "one look has no spread"
    assert looked[2] == pytest.approx((2.0 - mean) / deviation, rel=0.01)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
@example([0.0, 2.5619306056588042e302, -1.797691853897013e308])  # squares beyond double precision
def test_the_state_stays_bounded_whatever_is_seen(seen):
    watched = state(("loss_d", "progress"))
    for step, value in enumerate(seen):
        watched.log({"D/loss": value})
        assert all(-3 <= x <= 3 for x in watched.observe(step, {}))


def test_a_loss_that_is_not_finite_leaves_no_evidence():
    watched = state()
    watched.log({"D/loss": math.nan, "G/loss": math.inf, "other": 1.0})
    assert not watched.pending
    watched.log({"D/grad_norm": 0.1})
    assert watched.pending
    watched.observe(1, {})
    assert not watched.pending, "each look begins anew"


def test_progress_and_values_are_shares():
    watched = state(("progress", "values"))
    assert watched.size == 4
    at = {"noise": 0.1, "augment": 0.8, "weight": 1.0}
    assert watched.observe(50, at) == pytest.approx([0.0, 0.0, 1.0, -1.0])
    assert watched.observe(500, at | {"noise": 5.0}) == pytest.approx([1.0, 1.0, 1.0, -1.0]), "a person may go beyond"


def test_the_size_is_that_of_what_is_looked_at():
    for features in (DOCUMENT_FEATURES, FEATURES, ("values",), ("gap", "real", "fake")):
        watched = state(features)
        assert len(watched.observe(3, {"noise": 1.0, "augment": 0.8, "weight": 10.0})) == watched.size


def test_a_resumed_state_sees_the_same():
    one, two = state(), state()
    for step in range(7):
        one.log({"D/loss": step**1.5, "G/loss": 1 / (step + 1)})
        if step % 3 == 2:
            one.observe(step, {})
    two.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for watched in (one, two):
        watched.log({"D/loss": 2.0})
    assert one.observe(9, {}) == two.observe(9, {})
    assert one.state_dict() == two.state_dict()


@pytest.mark.parametrize("features", [("loss",), (), ("loss_d", "fid")])
def test_unknown_features_are_named(features):
    if features == ("loss",):
        assert state(features).size == 1
        return
    with pytest.raises(ValueError, match="allowed are one or more of"):
        state(features)
