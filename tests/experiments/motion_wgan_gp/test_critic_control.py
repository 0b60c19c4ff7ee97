"""The critic's turns follow its estimate; early stopping waits for the fall."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.control.numbers import Numbers
from gannb.control.parameter import DynamicParameter
from gannb.experiments.motion_wgan_gp.critic_control import CriticTurns, HeldOutStalled, critic_overfits


def run(driver: CriticTurns, trace: list[float], start: int = 5) -> list[int]:
    values, turns = {"n_critic": start}, []
    for step, w in enumerate(trace):
        values |= driver(step, {"D/W": w}, values)
        turns.append(values["n_critic"])
    return turns


def test_a_gaining_critic_gets_more_turns_and_a_followed_one_fewer() -> None:
    rising = [0.01 * step for step in range(500)]
    assert run(CriticTurns(), rising)[-1] == 10
    assert run(CriticTurns(), rising[::-1])[-1] == 2
    assert set(run(CriticTurns(), [1.0] * 500)) == {5}


def test_noise_within_the_margin_moves_nothing() -> None:
    assert set(run(CriticTurns(margin=0.05), [1.0 + 0.01 * (-1) ** step for step in range(500)])) == {5}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-100, 100), min_size=60, max_size=200), st.integers(1, 4), st.integers(4, 9))
def test_it_stays_within_its_bounds(trace, least, most) -> None:
    assert all(least <= n <= most for n in run(CriticTurns(least=least, most=most, check_every=3), trace, start=4))


def test_its_state_goes_through_json() -> None:
    trace = [0.01 * step + (step % 7) for step in range(300)]
    whole, first, second = CriticTurns(), CriticTurns(), CriticTurns()
    expected = run(whole, trace)
    turns, values = run(first, trace[:130]), {}
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    values = {"n_critic": turns[-1]}
    for step in range(130, 300):
        values |= second(step, {"D/W": trace[step]}, values)
        turns.append(values["n_critic"])
    assert turns == expected


def test_it_drives_a_whole_number() -> None:
    numbers = Numbers([DynamicParameter("n_critic", 5, low=1, high=10, integer=True)]).drive(CriticTurns())
    moves = [move for step in range(101) for move in numbers.advance(step, {"D/W": float(step)})]
    assert [(move.step, move.new) for move in moves] == [(50, 6), (100, 7)]
    assert all(move.applied and move.by == "critic turns" for move in moves)
    assert numbers.reads, "what was seen has to be waited for"


def test_bad_bounds_are_told() -> None:
    with pytest.raises(ValueError, match="least 4, most 3"):
        CriticTurns(least=4, most=3)
    with pytest.raises(ValueError, match="every 0 steps"):
        CriticTurns(check_every=0)


def rings(alarm, trace: list[tuple[int, float]]) -> list[int]:
    return [step for step, w in trace if alarm(step, {"W_held_out": w})]


RISE_AND_FALL = [(step, w) for step, w in zip(range(0, 1000, 50), [0, 1, 2, 3, 2.5, 2, 1.5, 1, 0.8] + [0.7] * 11)]


def test_early_stopping_waits_for_the_fall() -> None:
    """W6: the first value, before the critic knew anything, is the lowest of all."""
    assert rings(HeldOutStalled(after=150, patience=200), RISE_AND_FALL) == [650, 850]
    assert rings(HeldOutStalled(after=0, patience=200), RISE_AND_FALL)[0] == 200, "while the critic still learns"


def test_early_stopping_stops() -> None:
    alarm = HeldOutStalled(after=150, patience=200)
    assert alarm.action == "stop"
    assert alarm(200, {"D/loss": 1.0}) is None
    with pytest.raises(ValueError, match="allowed: note"):
        HeldOutStalled(after=0, patience=1, action="halt")


def test_early_stoppings_state_goes_through_json() -> None:
    first, second = (HeldOutStalled(after=150, patience=200) for _ in range(2))
    assert rings(first, RISE_AND_FALL[:12]) == []
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert rings(second, RISE_AND_FALL[12:]) == [650, 850]


def test_a_critic_that_knows_its_data_by_heart_is_noted() -> None:
    alarm = critic_overfits(0.5, patience=2)
    rows = [(1.0, 0.9), (1.0, 0.4), (1.0, 0.4), (1.0, 0.4), (-1.0, -2.0)]
    heard = [alarm(step, {"W_train": a, "W_held_out": b}) is not None for step, (a, b) in enumerate(rows)]
    assert heard == [False, False, True, False, False]
    assert alarm(9, {"W_train": 1.0}) is None
