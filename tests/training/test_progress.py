"""How far a run is: plain lines that compare, one warning before a long run, a file for the command line."""

from __future__ import annotations

import json

import pytest
import torch

from gannb.training import progress
from gannb.training.progress import Progress, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "3 s"), (119, "119 s"), (121, "2 min"), (7100, "118 min"), (7300, "2 h"), (32400, "9 h"), (200000, "2 days")],
)
def test_times_in_words(seconds, words):
    assert duration(seconds) == words


def clocked(monkeypatch, seconds_a_step, **options):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])

    def run(steps, target):
        shown = Progress(0, target, 10, device=torch.device("cpu"), **options)
        for step in range(1, steps + 1):
            clock[0] += seconds_a_step
            shown(step)
        shown.close(steps)

    return run


def test_the_time_left_is_said_once_before_a_long_run(monkeypatch, capsys):
    clocked(monkeypatch, 10.0)(30, 3251)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("about 9 h on this CPU, ") and "quick preset" in lines[0]


def test_a_short_run_names_no_time(monkeypatch, capsys):
    clocked(monkeypatch, 0.01)(40, 40)
    assert capsys.readouterr().out.splitlines() == [f"step {s} of 40 (epoch {s / 10:.4g})" for s in (10, 20, 30, 40)]


def test_the_file_for_the_command_line(monkeypatch, tmp_path):
    monkeypatch.setenv("GANNB_PROGRESS", str(tmp_path / "progress.json"))
    clocked(monkeypatch, 1.0)(8, 20)
    assert json.loads((tmp_path / "progress.json").read_text()) == {"step": 8, "steps": 20, "seconds_left": 12.0}


def test_only_rank_0_writes_it(monkeypatch, tmp_path):
    monkeypatch.setenv("GANNB_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setenv("RANK", "1")
    clocked(monkeypatch, 1.0)(8, 20)
    assert not (tmp_path / "progress.json").exists()


def test_where_a_live_view_shows_it_nothing_is_printed(monkeypatch, capsys):
    clocked(monkeypatch, 10.0, quiet=True)(30, 3251)
    assert capsys.readouterr() == ("", "")
