"""Numbers, their drivers and holds; what this step's numbers look like."""

from __future__ import annotations

import json
import math

import pytest
import torch

from gannb.control.numbers import Numbers, label
from gannb.control.parameter import DynamicParameter
from gannb.control.schedules import Schedule


class Counts:
    """Moves x by what it has counted so far."""

    names = ("x",)

    def __init__(self):
        self.count = 0

    def __call__(self, step, seen, values):
        self.count += 1
        return {"x": values["x"] + self.count}

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def numbers(**bounds):
    check = lambda v, *moved: "x must stay below y" if v["x"] >= v["y"] else None  # noqa: E731
    return Numbers(
        [
            DynamicParameter("x", 1.0, low=0, high=100),
            DynamicParameter("y", 50.0),
            DynamicParameter("k", 2, low=0, high=9, integer=True),
        ],
        check,
    )


def test_a_driver_moves_its_number_and_a_hold_stops_it():
    mine = numbers().drive(Counts())
    assert [(m.old, m.new, m.by, m.outcome) for m in mine.advance(0, {})] == [(1.0, 2.0, "counts", "applied")]
    mine["x"].held = True
    assert mine.advance(1, {}) == [] and mine["x"].value == 2.0
    mine["x"].held = False
    assert mine.advance(2, {})[0].new == 5.0, "the driver went on counting while its number was held"


def test_one_driver_a_number():
    with pytest.raises(ValueError, match="'x' is driven by 'counts' already; one driver per number"):
        numbers().drive(Counts(), Schedule("x", float))


def test_a_driver_moves_only_its_own():
    driver = Counts()
    mine = numbers().drive(driver)
    driver.names = ("k",)
    with pytest.raises(ValueError, match="moves 'x', which is not among its names"):
        mine.advance(0, {})


def test_every_move_checks_the_whole():
    mine = numbers()
    assert mine.move(0, "x", 60.0, "person").outcome == "refused: x must stay below y"
    assert mine.move(0, "x", -1.0, "person").outcome == "refused: -1 is outside [0, 100]"
    assert mine.move(0, "x", math.nan, "person").outcome == "refused: nan is not finite"
    assert mine["x"].value == 1.0
    assert mine.move(0, "y", 70.0, "person").applied and mine.move(0, "x", 60.0, "person").applied


def test_several_are_put_at_once_and_checked_as_a_whole():
    mine = numbers()
    mine["x"].held = True
    mine.put({"x": 60.0, "y": 70.0})  # one after the other, the first would be refused
    assert mine["x"].value == 60.0 and not mine["x"].held
    with pytest.raises(ValueError, match="x=80: x must stay below y"):
        mine.put({"x": 80.0})


def test_a_drivers_refusal_is_told_once_until_it_changes():
    mine = numbers().drive(Schedule("x", lambda step: -1.0 if step < 3 else -2.0))
    told = [len(mine.advance(step, {})) for step in range(6)]
    assert told == [1, 0, 0, 1, 0, 0]


def test_now_holds_tensors_and_whole_numbers():
    mine = numbers()
    now = mine.now()
    assert isinstance(now.x, torch.Tensor) and now.x.shape == () and now.k == 2 and isinstance(now.k, int)
    assert now.plain.x == 1.0
    assert mine.now() is now, "nothing moved, nothing is packed anew"
    mine.move(0, "x", 3.0, "person")
    assert float(mine.now().x) == 3.0 and float(now.x) == 1.0, "a step keeps its numbers"


def test_now_with_others_in_their_place():
    now = numbers().now()
    given = torch.tensor(7.0, requires_grad=True)
    other = now.replace(x=given)
    assert other.x is given and now.x is not given and other.k == 2
    with pytest.raises(AttributeError, match="no number is called 'z'"):
        other.z  # noqa: B018


def test_state_goes_through_json_and_back():
    one, two = numbers().drive(Counts()), numbers().drive(Counts())
    one.advance(0, {})
    one["k"].held = True
    two.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert two.state_dict() == one.state_dict()
    assert two.advance(1, {}) == one.advance(1, {})


def test_drivers_alone_go_back_and_values_stay():
    mine = numbers().drive(Counts())
    state = mine.state_dict()
    mine.advance(0, {})
    mine.load_drivers(state)
    assert mine.values()["x"] == 2.0 and mine.drivers[0].count == 0


def test_other_numbers_or_drivers_are_refused_unless_it_is_a_branch():
    mine = numbers().drive(Counts())
    other = Numbers.plain(x=5.0)
    with pytest.raises(ValueError, match="the saved numbers differ from these: \\['k', 'y'\\]"):
        other.load_state_dict(mine.state_dict())
    with pytest.raises(ValueError, match="the saved drivers \\['counts'\\] differ"):
        numbers().load_state_dict(mine.state_dict())
    other.load_state_dict(mine.state_dict(), strict=False)
    assert other["x"].value == 1.0


def test_a_misspelt_name_names_the_nearest():
    with pytest.raises(KeyError, match="did you mean 'real_label'"):
        Numbers.plain(real_label=0.9)["reel_label"]


def test_whether_anything_reads_what_was_seen():
    assert not Numbers.plain(x=1.0).drive(Schedule("x", float)).reads
    assert numbers().drive(Counts()).reads
    assert label(Counts()) == "counts"
