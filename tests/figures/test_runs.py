"""The steering timeline and pictures side by side."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gannb.figures.runs import side_by_side, steering


def steered(folder: Path) -> Path:
    rows = [{"step": step, "D/loss": float(step)} for step in range(1, 101)]
    move = {"kind": "move", "outcome": "applied", "name": "lr"}
    events = [
        {"seq": 1, "step": 20, "old": 0.1, "new": 0.2, "by": "person", **move},
        {"seq": 2, "step": 50, "old": 0.2, "new": 0.3, "by": "cosine", **move},
        {"seq": 3, "step": 60, "old": 0.3, "new": 9.0, "by": "person", **move, "outcome": "refused: too large"},
    ]
    folder.mkdir()
    (folder / "params.yaml").write_text("experiment: toy\nlr: 0.1\n")
    for name, lines in (("metrics", rows), ("events", events)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_paths_are_steps_and_only_what_was_asked_for_is_marked(tmp_path: Path) -> None:
    shown = steering(steered(tmp_path / "run"), ["D/loss"], points=10)
    loss, lr = shown.data
    assert len(loss.x) == 10 and loss.x[-1] == 100 and loss.y[0] == pytest.approx(5.5), "means of ten steps"
    assert list(lr.x) == [0, 20, 50, 100] and np.allclose(lr.y, [0.1, 0.2, 0.3, 0.3]) and lr.line.shape == "hv"
    assert list(lr.text) == ["start", "person", "cosine", "end"]
    assert shown.layout.xaxis.anchor == "y2" and shown.layout.yaxis2.domain[0] == 0, "steps stand below both plots"
    assert [mark.x0 for mark in shown.layout.shapes] == [20], "the schedule's move and the refusal get no line"
    with pytest.raises(KeyError, match="was not measured"):
        steering(tmp_path / "run", ["G/loss"])


def test_a_run_in_which_nothing_moved_has_one_plot(tmp_path: Path) -> None:
    folder = steered(tmp_path / "run")
    (folder / "events.jsonl").write_text("")
    layout = steering(folder, ["D/loss"]).layout
    assert layout.yaxis.domain is None and layout.xaxis.anchor is None and layout.height < 460


def test_pictures_are_a_row_an_arm(tmp_path: Path) -> None:
    for name, size, colour in (("a", (40, 20), "red"), ("b", (20, 20), "green"), ("c", (10, 20), "blue")):
        Image.new("RGB", size, colour).save(tmp_path / f"{name}.png")
    paths = {name: tmp_path / f"{name}.png" for name in "abc"}
    grid = side_by_side({"one": {0: paths["a"], 1: paths["b"]}, "two": {0: paths["c"]}}, height=10)
    assert grid.pixels.shape == (4, 10, 20, 3) and grid.rows == ("one", "two") and grid.columns == 2
    assert grid.pixels[0, 5, 15].tolist() == [255, 0, 0] and grid.pixels[1, 5, 15].tolist() == [24, 24, 24]
    assert grid.pixels[2, 5, 2].tolist() == [0, 0, 255] and (grid.pixels[3] == 24).all(), "no such seed"
    with pytest.raises(ValueError, match="no run here has a picture"):
        side_by_side({"one": {}})
