"""Alarms: rules that ring once, references that do not follow a fault, and collapses that are caught in time."""

from __future__ import annotations

import json
import math

import pytest
import torch

from gannb.control.alarms import Collapses, Explodes, Lasting, Stalled, dx_below, gan_alarms, not_finite
from tests.control.ensemble import INJURIES, rows


def heard(alarm, values, key="x"):
    """The rows at which it rings."""
    return [step for step, value in enumerate(values) if alarm(step, {key: value})]


def test_a_condition_must_last_and_rings_once():
    alarm = Lasting("high", lambda seen: seen["x"] > 1, "x is high", patience=3)
    assert heard(alarm, [2, 2, 0, 2, 2, 2, 2, 2, 0, 2, 2, 2]) == [5, 11]


def test_a_row_that_does_not_tell_is_passed_over():
    alarm = Lasting("high", lambda seen: seen["x"] > 1, "x is high", patience=2)
    assert alarm(0, {"x": 2}) is None
    assert alarm(1, {}) is None
    assert alarm(2, {"x": 2}) == "x is high"


def test_what_was_never_there_is_not_lost():
    alarm = Lasting("low", lambda seen: seen["x"] < 1, "x is low", patience=2, lost=True)
    assert heard(alarm, [0, 0, 0, 0]) == []
    again = Lasting("low", lambda seen: seen["x"] < 1, "x is low", patience=2, lost=True)
    again.load_state_dict(json.loads(json.dumps(alarm.state_dict())))
    assert heard(again, [0, 0, 0, 2, 0, 0, 0, 2, 0, 0]) == [5, 9]


def test_an_explosion_is_measured_against_the_usual_and_does_not_become_it():
    alarm = Explodes("x", factor=10, window=20, patience=3)
    assert heard(alarm, [1.0] * 20 + [11.0] * 30) == [22]
    assert heard(alarm, [1.0] * 5 + [-30.0] * 3) == [7]
    assert alarm.usual == 1.0


def test_an_explosion_needs_its_window_and_skips_what_is_not_finite():
    assert heard(Explodes("x", window=20), [1.0] * 19 + [1e6]) == []
    alarm = Explodes("x", window=2, patience=1)
    assert heard(alarm, [1.0, 1.0, math.nan, 100.0]) == [3]


def test_a_collapse_is_the_other_way_round():
    alarm = Collapses("x", factor=3, window=6, patience=2)
    assert heard(alarm, [1.0] * 6 + [0.4, 0.3, 0.3, 0.0]) == [8]
    assert alarm.name == "x collapses"


def test_stalled_needs_time_and_scores():
    alarm = Stalled("fid", patience=100, scores=4)
    values = {0: 50.0, 10: 60.0, 60: 60.0, 120: 60.0, 130: 60.0, 140: 60.0}
    assert [s for s, v in values.items() if alarm(s, {"fid": v})] == [130]


def test_a_value_that_is_not_finite_rings_at_once():
    assert heard(not_finite(), [1.0, math.inf]) == [1]
    assert heard(not_finite(patience=3), [math.inf, math.inf, 1.0, math.nan, math.nan, math.nan]) == [5]


def test_an_unknown_action_is_refused():
    for make in (lambda a: Explodes("x", action=a), lambda a: Stalled("x", patience=1, action=a), gan_alarms):
        with pytest.raises(ValueError, match=r"allowed: note \| pause \| stop \| rollback"):
            make("shout")


def test_d_at_the_floor_of_its_loss_is_too_strong():
    """H(0.9) = 0.325: with smoothed labels the loss of a perfect D is no zero (P4)."""
    floor = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert floor == pytest.approx(0.325, abs=1e-3)

    def names(loss):
        alarms = gan_alarms()
        return [a.name for step in range(150) for a in alarms if a(step, {"D/loss": loss})]

    assert names(floor + 0.019) == ["D too strong"]
    assert names(floor + 0.021) == []


def test_the_documents_warning_rings_at_the_optimum():
    """P3: with labels 0.9 and 0 the best D against a perfect G gives 0.45 on both."""
    alarm = dx_below(0.5)
    assert [step for step in range(120) if alarm(step, {"D/real": 0.45})] == [99]


@pytest.mark.parametrize("make", [lambda: Explodes("x", window=5, patience=4), lambda: Stalled("x", patience=9)])
def test_state_goes_through_json_and_back(make):
    values = [1.0, 1.1, 0.9, 1.0, 1.0, 20.0, 20.0, 20.0, 20.0, 2.0] * 3
    whole, first, second = make(), make(), make()
    expected = heard(whole, values)
    early = heard(first, values[:7])
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    late = [step for step, value in enumerate(values[7:], 7) if second(step, {"x": value})]
    assert early + late == expected


def test_injected_collapses_are_caught_and_healthy_runs_are_left_alone():
    """≥ 95 % of 20 trials a kind caught within 500 steps (here 300), ≤ 5 % false alarms on 60 healthy runs."""
    healthy, trials, at = 60, 20, 400
    torch.manual_seed(0)
    alarms = [gan_alarms() for _ in range(healthy + trials * len(INJURIES))]
    rang: dict[int, tuple[int, str]] = {}
    for step, row in enumerate(rows(healthy, trials, steps=at + 300, injured_at=at)):
        for run, seen in enumerate(row):
            if run not in rang and (names := [a.name for a in alarms[run] if a(step, seen)]):
                rang[run] = (step, names[0])
    false = [rang[run] for run in range(healthy) if run in rang]
    assert len(false) <= 0.05 * healthy, false
    for index, how in enumerate(INJURIES):
        first = healthy + index * trials
        caught = [run for run in range(first, first + trials) if run in rang and rang[run][0] >= at]
        assert len(caught) >= 0.95 * trials, (how, len(caught))
