"""Results read back: seeds paired, means over seeds, and what is missing named."""

import json

import pytest

from gannb.figures.measured import Arms


def stored(folder, **by_arm):
    trials = [
        {"arm": arm, "seed": seed, "scores": {"kid": {"value": value}, "copies": {"value": 0.5}}}
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
    table = stored(tmp_path, document=[1.0, 3.0], tuned=[2.0]).table()
    assert table.column("kid") == [2.0, 2.0]
    assert table.column("sd") == [pytest.approx(2**0.5), None]
    assert table.note == "python benchmarks/arms.py"


def test_a_missing_result_is_an_error_that_says_where_it_comes_from(tmp_path):
    with pytest.raises(FileNotFoundError, match="benchmarks/"):
        Arms.read(tmp_path / "none.json", "kid")
