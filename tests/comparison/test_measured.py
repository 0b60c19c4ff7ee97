"""Results read back: seeds paired, means over seeds, and what is missing named."""

import json

import pytest

from gannb.comparison.measured import Arms


def stored(folder, **by_arm):
    trials = [
        {"arm": arm, "seed": seed, "cpu_seconds": value, "scores": {"kid": {"value": value}, "copies": {"value": 0.5}}}
        for arm, values in by_arm.items()
        for seed, value in enumerate(values)
    ]
    path = folder / "arms.json"
    path.write_text(json.dumps({"command": "python benchmarks/arms.py", "trials": trials}))
    return Arms.read(path, "kid")


def test_an_advantage_is_paired_by_seed(tmp_path):
    arms = stored(tmp_path, document=[1.0, 2.0, 5.0], tuned=[0.5, 2.5])
    assert arms.advantage("tuned", "document") == [-0.5, 0.5]


def test_the_table_says_mean_and_spread_over_seeds(tmp_path):
    table = stored(tmp_path, document=[1.0, 3.0], tuned=[2.0]).table("copies")
    assert table.column("kid") == [2.0, 2.0]
    assert table.column("copies") == [0.5, 0.5]
    assert table.column("sd") == [pytest.approx(2**0.5), None]
    assert table.note == "python benchmarks/arms.py"


def test_a_difference_has_an_interval_over_the_seeds_of_both(tmp_path):
    arms = stored(tmp_path, document=[1.0, 2.0, 5.0], tuned=[0.5, 1.4])
    found = arms.difference("tuned", "document")
    assert (float(found), found.protocol["seeds"], found.name) == (pytest.approx(-0.55), 2, "kid_difference")
    assert not stored(tmp_path, document=[1.0], tuned=[0.5]).difference("tuned", "document").available
    assert float(arms.difference("tuned", "document", "copies")) == 0


def test_an_arm_beside_another_says_what_it_brings_and_what_it_costs(tmp_path):
    table = stored(tmp_path, document=[1.0, 2.0, 5.0], tuned=[0.5, 1.0], longer=[3.0]).beside("document", "copies")
    brings, costs = (table.column(name) for name in ("less document, same seeds", "processor time"))
    assert brings[0] is None and brings[1].startswith("-0.8 [") and brings[2] == "2 (1 run)"
    assert costs == ["×1.00", "×0.50", "×3.00"] and table.column("copies") == [0.5] * 3


def test_an_arm_that_shares_no_seed_is_shown_without_a_difference(tmp_path):
    arms = stored(tmp_path, document=[1.0])
    other = Arms((*arms.trials, arms.trials[0] | {"arm": "elsewhere", "seed": 7}), "kid", "")
    assert other.beside("document").rows[1] == ("elsewhere", 1, 1.0, None, None)


def test_a_swing_is_the_largest_over_the_smallest_by_seed(tmp_path):
    arms = stored(tmp_path, half=[1.0, 4.0], whole=[2.0, 2.0], twice=[8.0, 3.0, 9.0])
    assert arms.swing(["half", "whole", "twice"]) == {0: 8.0, 1: 2.0}
    assert arms.point("whole", "kid", "copies") == (2.0, 0.5)


def test_a_missing_result_is_an_error_that_says_where_it_comes_from(tmp_path):
    with pytest.raises(FileNotFoundError, match="benchmarks/"):
        Arms.read(tmp_path / "none.json", "kid")
