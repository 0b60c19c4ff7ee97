"""Rules across fields: each sees what it declares and nothing else, and a move asks only those that it concerns."""

from __future__ import annotations

import ast
import inspect
import textwrap
import timeit
from collections.abc import Callable
from statistics import median

import pytest

from gannb.config.experiment import Experiment
from gannb.config.faults import ParameterError
from gannb.config.fields import param
from gannb.config.presets import declaration, experiments
from gannb.config.rules import Rule, playing, rule
from gannb.control.numbers import Numbers

USUAL, MOST = 10, 30
"""What a move may cost: the median and the dearest, in units of a dictionary of 20 numbers, built at the same time."""

MOVING = [name for name in experiments() if declaration(name)().dynamic()]


CHECKS = {"pair": 0, "alone": 0}


class Counted(Experiment):
    """Two rules that count how often they are checked."""

    name = "counted"
    low: float = param(0.1, "a lower bound", low=0, high=1, moves=True)
    high: float = param(0.9, "an upper bound", low=0, high=1, moves=True)
    other: float = param(0.5, "something else", low=0, high=1, moves=True)

    @rule("low", "high")
    def _ordered(p):
        CHECKS["pair"] += 1
        return None if p.low < p.high else "low must be below high"

    @rule("other")
    def _alone(p):
        CHECKS["alone"] += 1
        return


def test_a_move_asks_only_the_rules_that_read_it() -> None:
    numbers = Numbers.of(Counted())
    CHECKS.update(pair=0, alone=0)
    assert numbers.move(0, "low", 0.2, "person").applied
    assert CHECKS == {"pair": 1, "alone": 0}
    assert numbers.move(0, "other", 0.2, "person").applied
    assert CHECKS == {"pair": 1, "alone": 1}
    assert numbers.move(0, "high", 0.1, "person").outcome == "refused: low must be below high", "0.2 is in force"


def test_a_rule_sees_no_field_that_it_did_not_declare() -> None:
    """Otherwise a move of that field would pass unchecked."""

    class Sneaky(Experiment):
        name = "sneaky"
        low: float = param(0.1, "a lower bound", moves=True)
        high: float = param(0.9, "an upper bound", moves=True)

        @rule("low")
        def _ordered(p):
            return None if p.low < p.high else "low must be below high"

    with pytest.raises(AttributeError, match="high"):
        Sneaky()


def read_by(check: Rule) -> set[str]:
    """The fields that a rule's source reads of its one argument."""
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(check.check))).body
    values = function.args.args[0].arg
    reads = [n for n in ast.walk(function) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    return {n.attr for n in reads if n.value.id == values}


@pytest.mark.parametrize("name", experiments())
def test_rules_declare_all_that_they_read(name: str) -> None:
    rules = declaration(name)._rules()
    assert (
        rules and {check.fields: read_by(check) - check.reads for check in rules if read_by(check) - check.reads} == {}
    )


def seconds(work: Callable[[], object], times: int = 100) -> float:
    """What a piece of work costs, at its fastest in some repetitions: other load only adds."""
    return min(timeit.repeat(work, number=times, repeat=7)) / times


def cost_of_a_move(numbers: Numbers, name: str) -> float:
    """What asking for one move costs, in units that a slow machine does not change."""
    value = numbers[name].value
    unit = seconds(lambda: {i: i for i in range(20)})
    return seconds(lambda: numbers.move(0, name, value, "person")) / unit


@pytest.mark.parametrize("name", MOVING)
def test_a_move_costs_microseconds(name: str) -> None:
    """Measured 3 to 4 units, 6 where a rule reads the number; 40 and more where a move checks all rules."""
    numbers = Numbers.of(declaration(name)())
    cost = {number: cost_of_a_move(numbers, number) for number in numbers.parameters}
    assert median(cost.values()) < USUAL, cost
    assert max(cost.values()) < MOST, cost


def test_a_player_plays_at_first_and_may_rest_later() -> None:
    class Players(Experiment):
        name = "players"
        turns: int = param(1, "of a player", low=0, high=8, moves=True)
        _playing = playing("turns")

    with pytest.raises(ParameterError, match="turns: given 0; allowed at first: 1 or more"):
        Players(turns=0)
    assert Numbers.of(Players()).move(0, "turns", 0, "person").applied
