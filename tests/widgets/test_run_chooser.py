"""Choosing runs: quiet where nobody watches, and by widgets where somebody does."""

from pathlib import Path

import pytest

from gannb.comparison.catalogue import Catalogue
from gannb.widgets.run_chooser import Chooser


@pytest.fixture
def runs(tmp_path: Path) -> Catalogue:
    for name, lr in (("a", 0.1), ("b", 0.2), ("c", 0.3)):
        (tmp_path / "toy" / name).mkdir(parents=True)
        (tmp_path / "toy" / name / "params.yaml").write_text(f"experiment: toy\nseed: 0\nlr: {lr}\n")
    return Catalogue.find(str(tmp_path))


def test_nobody_watches(runs: Catalogue, capsys: pytest.CaptureFixture) -> None:
    chooser = Chooser(runs)
    assert chooser.runs is runs and repr(chooser) == "3 of 3 runs chosen"
    assert capsys.readouterr().out == ""


def test_filter_sort_and_pick(runs: Catalogue) -> None:
    chooser = Chooser(runs, "off")
    chooser.panel()
    chooser._where.value = "lr > 0.15"
    assert list(chooser.runs.frame["run"]) == ["b", "c"]
    chooser._sort.value, chooser._falling.value = "lr", True
    assert chooser._picked.options == (("c, seed 0, lr 0.3", "c"), ("b, seed 0, lr 0.2", "b"))
    chooser._picked.value = ("b",)
    assert list(chooser.runs.frame["run"]) == ["b"] and "1 of 3 runs chosen" in chooser._says.value


def test_at_first_it_says_how_to_choose_and_gives_a_condition_that_holds(runs: Catalogue) -> None:
    chooser = Chooser(runs, "off")
    chooser.panel()
    assert "All are chosen" in chooser._says.value and len(chooser._picked.value) == 3
    assert len(runs.where(chooser._where.placeholder.removeprefix("such as: "))) == 1


def test_a_condition_that_cannot_be_read_is_answered_and_changes_nothing(runs: Catalogue) -> None:
    chooser = Chooser(runs, "off")
    chooser.panel()
    chooser._where.value = "lr >"
    assert "where: given" in chooser._says.value and len(chooser.runs) == 3
