"""Conditions on runs: what they choose, what they refuse, and that nothing in them is ever run."""

import math

import pytest

from gannb.comparison.filter import Condition

RUN = {"loss": "bce", "epochs": 12, "lr": 1e-3, "flips": True, "kid": None, "D/loss": 0.3, "fid": math.nan}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('loss == "bce" and epochs > 3', True),
        ('loss == "bce" and not epochs > 3', False),
        ("epochs > 20 or lr <= 1e-3", True),
        ("3 < epochs <= 12", True),
        ("loss in ['hinge', 'bce']", True),
        ("loss not in ('bce',)", False),
        ("lr > -1", True),
        ("flips", True),
        ("kid < 5", False),
        ("kid != 5", False),
        ("fid < 5", False),
        ("loss < 3", False),
        ("`D/loss` < 0.5", True),
    ],
)
def test_what_holds(text: str, holds: bool) -> None:
    assert Condition(text)(RUN) is holds


def test_the_names_it_asks_for() -> None:
    assert Condition("a > 1 or (`D/loss` < b and not c)").names == {"a", "D/loss", "b", "c"}


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch here')",
        "loss.to_csv('here')",
        "@pd.io.common.os.system('touch here')",
        "[x for x in ().__class__.__base__.__subclasses__()]",
        "(lambda: 1)()",
        "epochs ** 10 ** 10 > 1",
        "epochs >",
        "a = 1",
        "f'{loss}'",
    ],
)
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="allowed: names, numbers"):
        Condition(text)
