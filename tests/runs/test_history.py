"""Series of what was measured."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from gannb.runs.history import History


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_series_by_name_hold_the_steps_at_which_they_were_measured(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(
        path, [{"step": 1, "D/loss": 2.0}, {"step": 2, "G/loss": 3.0}, {"step": 3, "D/loss": 4.0, "G/loss": math.nan}]
    )
    history = History(path)
    assert history.names() == ["D/loss", "G/loss"] and "D/loss" in history and "x" not in history
    assert history["D/loss"].steps.tolist() == [1, 3] and history["D/loss"].values.tolist() == [2.0, 4.0]
    assert np.isnan(history["G/loss"].values[1])
    with pytest.raises(KeyError, match="'d/loss' was not measured; there are D/loss, G/loss"):
        history["d/loss"]


def test_it_follows_its_file_also_where_the_size_stays(tmp_path):
    path = tmp_path / "metrics.jsonl"
    history = History(path)
    assert history.rows() == []
    write(path, [{"step": 1, "x": 1.0}])
    assert len(history["x"]) == 1
    write(path, [{"step": 1, "x": 2.0}])
    assert history["x"].values.tolist() == [2.0]


def test_smoothing_and_tails_in_closed_form(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write(path, [{"step": i, "x": float(i)} for i in range(1, 21)])
    series = History(path)["x"]
    assert series.tail_mean(0.1) == 19.5 and series.tail_mean(1e-9) == 20.0
    smooth = series.smooth(3)
    assert len(smooth) == 20 and smooth[:3].tolist() == [1.0, 1.5, 2.0] and smooth[-1] == 19.0
