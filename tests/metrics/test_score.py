"""A score never travels without its protocol, and says why it is unavailable."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.metrics.score import Score, ScoreMissing, Scores

PROTOCOL = {"n_real": 60, "n_fake": 500, "split": "held-out", "features": "faed"}


@pytest.fixture
def scores():
    had = Score("faed", 12.345, 0.678, floor=9.5, protocol=PROTOCOL)
    return Scores([had, Score.missing("fid", "no weights"), Score.missing("kid", "no weights")], ["grey images"])


def test_needs_a_value_or_a_reason():
    with pytest.raises(ValueError, match="either a value or a reason"):
        Score("fid")
    with pytest.raises(ValueError, match="either a value or a reason"):
        Score("fid", 1.0, reason="both")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_refuses_what_json_cannot_hold(value):
    with pytest.raises(ValueError, match="finite"):
        Score("fid", value)


def test_missing_score_gives_its_reason_instead_of_a_number(scores):
    assert not scores.fid.available
    with pytest.raises(ScoreMissing, match="fid is unavailable: no weights"):
        float(scores.fid)


def test_error_decides_the_digits():
    assert Score("a", 12.3456, 0.678).text == "12.35 ± 0.68"
    assert Score("a", 12.3456, 6.78).text == "12.3 ± 6.8"
    assert Score("a", 1234.5, 678.0).text == "1234 ± 678"
    assert Score("a", 12.3456).text == "12.35"
    assert Score("a", 12.3456, 0.0).text == "12.35"


def test_an_interval_decides_the_digits_beside_it():
    ranged = lambda value, low, high, **how: Score("a", value, interval=(low, high)).ranged(**how)  # noqa: E731
    assert ranged(0.0214512, 0.0162217, 0.0266791) == "0.0215 [0.0162, 0.0267]"
    assert ranged(-98.851, -825.72, 367.7) == "-99 [-826, 368]"
    assert ranged(2.928, -0.808, 6.493, signed=True) == "+2.9 [-0.8, +6.5]"
    assert ranged(5.0, 5.0, 5.0) == "5 [5, 5]"
    assert ranged(-16.12, -35.43, -0.2913) == "-16.1 [-35.4, -0.3]", "clear of 0, and seen to be"
    assert Score("a", 12.3456).ranged() == "12.35" and Score.missing("a", "why").ranged() == "unavailable"


def test_table_shows_protocol_and_groups_reasons(scores):
    text = repr(scores)
    assert "12.35 ± 0.68" in text and "held-out" in text and "500" in text and "9.5" in text
    assert "unavailable: fid, kid (no weights)" in text
    assert "grey images" in text
    html = scores._repr_html_()
    assert "<table>" in html and "unavailable: fid, kid (no weights)" in html


def test_a_table_has_no_empty_columns():
    assert list(Scores([Score("ratio", 0.75)]).table().columns) == ["score", "value"]
    both = Scores([Score("ratio", 0.75), Score("kid", 0.1, floor=0.0)])
    assert list(both.table().columns) == ["score", "value", "floor"]


def test_unknown_name_names_the_nearest(scores):
    with pytest.raises(AttributeError, match="faed"):
        _ = scores.fead
    with pytest.raises(KeyError, match="faed"):
        scores["fead"]


def test_merging_prefers_a_score_that_was_had(scores):
    other = Scores([Score("fid", 3.0, protocol=PROTOCOL), Score.missing("faed", "not asked for")])
    merged = scores | other
    assert float(merged.fid) == 3.0 and float(merged.faed) == 12.345


def test_same_name_twice_is_an_error():
    with pytest.raises(ValueError, match="two scores"):
        Scores([Score("fid", 1.0), Score("fid", 2.0)])


def test_json_file_both_ways(scores, tmp_path):
    scores.save(tmp_path / "deep" / "scores.json")
    text = (tmp_path / "deep" / "scores.json").read_text()
    stored = json.loads(text)
    assert stored["metrics"]["faed"]["protocol"]["n_real"] == 60
    assert stored["metrics"]["fid"] == {
        "value": None, "error": None, "interval": None, "floor": None, "protocol": {}, "reason": "no weights"
    }  # fmt: skip
    assert Scores.from_dict(json.loads(text)).as_dict() == scores.as_dict()
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "scores.json"]


finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(finite, st.none() | st.floats(0, 1e6), st.none() | finite, st.none() | st.tuples(finite, finite))
def test_json_loses_nothing(value, error, floor, interval):
    scores = Scores([Score("x", value, error, interval, floor, PROTOCOL)])
    assert Scores.from_dict(json.loads(scores.to_json()))["x"] == scores["x"]


def test_reads_the_metrics_of_a_summary():
    summary = {"notebook": "particles_sagan", "metrics": {"fid": {"value": 3.5, "protocol": {"n_fake": 500}}}}
    assert Scores.from_dict(summary).fid == Score("fid", 3.5, protocol={"n_fake": 500})
    with pytest.raises(ValueError, match='under "metrics"'):
        Scores.from_dict({"fid": 1})
