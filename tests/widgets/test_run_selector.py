"""Choosing runs: quiet where nobody watches, and by widgets where somebody does."""

from pathlib import Path

import pytest

from gannb.comparison.catalogue import Catalogue
from gannb.widgets.run_selector import RunSelector


@pytest.fixture
def runs(tmp_path: Path) -> Catalogue:
    for name, lr in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        (tmp_path / "toy" / name).mkdir(parents=True)
        (tmp_path / "toy" / name / "params.yaml").write_text(f"experiment: toy\nseed: 0\nlr: {lr}\n")
    return Catalogue.find(str(tmp_path))


def test_nobody_watches(runs: Catalogue, capsys: pytest.CaptureFixture) -> None:
    selector = RunSelector(runs)
    assert selector.runs is runs and repr(selector) == "3 of 3 runs chosen"
    assert capsys.readouterr().out == ""


def test_filter_sort_and_pick(runs: Catalogue) -> None:
    selector = RunSelector(runs, "off")
    selector.panel()
    selector._where.value = "lr > 0.15"
    assert list(selector.runs.frame["run"]) == ["b", "c"]
    selector._sort.value, selector._descending.value = "lr", True
    assert selector._picked.options == (("c, seed 0, lr 0.3", "c"), ("b, seed 0, lr 0.2", "b"))
    selector._picked.value = ("b",)
    assert list(selector.runs.frame["run"]) == ["b"] and "1 of 3 runs chosen" in selector._status.value


def test_at_first_it_says_how_to_choose_and_gives_a_condition_that_holds(runs: Catalogue) -> None:
    selector = RunSelector(runs, "off")
    selector.panel()
    assert "All are chosen" in selector._status.value and len(selector._picked.value) == 3
    assert len(runs.where(selector._where.placeholder.removeprefix("such as: "))) == 1


def test_a_condition_that_cannot_be_read_is_answered_and_changes_nothing(runs: Catalogue) -> None:
    selector = RunSelector(runs, "off")
    selector.panel()
    selector._where.value = "lr >"
    assert "where: given" in selector._status.value and len(selector.runs) == 3
