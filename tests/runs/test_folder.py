"""A run's folder: opened once, resumed only with the same parameters, cut back to a checkpoint."""

from __future__ import annotations

import json

import pytest
import torch

from gannb.runs.folder import Run, RunError, settings_of
from tests.training.regimes import Toy, open_run


def test_a_fresh_folder_holds_what_it_should(tmp_path):
    run = open_run(tmp_path, seed=3)
    assert run.folder.parent == tmp_path / "toy" and run.folder.name.endswith(run.params.hash[:6])
    assert settings_of(run.folder) == run.params.settings()
    described = json.loads((run.folder / "environment.json").read_text())
    assert described["threads"] == torch.get_num_threads() and described["device"] == "cpu"
    assert str(tmp_path) not in (run.folder / "environment.json").read_text()
    assert [e["kind"] for e in run.events()] == ["opened"]


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path):
    assert len({open_run(tmp_path).folder for _ in range(3)}) == 3


def test_a_device_that_is_not_there_leaves_no_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device: given 'cuda:3'; torch finds no CUDA device here"):
        open_run(tmp_path, device="cuda:3")
    assert not any(tmp_path.iterdir())


def test_other_parameters_are_named_with_the_command_that_branches(tmp_path):
    run = open_run(tmp_path, seed=3, lr=1e-3)
    with pytest.raises(RunError) as error:
        open_run(tmp_path, seed=4, lr=1e-3, real_label=0.8, resume=run.folder.name)
    text = str(error.value)
    assert "seed: 3 in the run, 4 given" in text and "real_label: 0.9 in the run, 0.8 given" in text
    assert "lr" not in text.replace("real_label", "")
    assert f"gannb run toy --branch {run.folder.name} -p seed=4 -p real_label=0.8" in text


def test_more_epochs_are_no_other_parameters_and_fewer_are(tmp_path):
    run = open_run(tmp_path, epochs=4)
    grown = open_run(tmp_path, epochs=9, resume=run.folder.name)
    assert settings_of(grown.folder)["epochs"] == 9
    with pytest.raises(RunError, match="epochs: 9 in the run, 5 given"):
        open_run(tmp_path, epochs=5, resume=run.folder.name)


def test_how_it_is_carried_out_may_change(tmp_path):
    run = open_run(tmp_path)
    assert open_run(tmp_path, resume=str(run.folder), live="off", device="cpu").folder == run.folder.resolve()


def test_last_is_the_newest(tmp_path):
    open_run(tmp_path, seed=1)
    newest = open_run(tmp_path, seed=1)
    assert open_run(tmp_path, seed=1, resume="last").folder == newest.folder


def test_another_experiments_run_is_refused(tmp_path):
    class Other(Toy):
        """Another one."""

        name = "other"

    run = open_run(tmp_path)
    with pytest.raises(RunError, match="is a run of 'toy', not of other"):
        Run.open(Other(runs=str(tmp_path), resume=str(run.folder)))


def test_rows_are_cut_at_a_step_and_events_at_a_number(tmp_path):
    run = open_run(tmp_path)
    run.record([{"step": s, "x": 1 / 3 * s} for s in range(1, 6)])
    for step in (1, 2, 3):
        run.event("note", step)
    run.cut(3, seq=3)
    assert [row["step"] for row in run.history.rows()] == [1, 2, 3]
    assert run.history["x"].values[0] == 0.333333, "six digits are kept"
    assert [e["seq"] for e in run.events()] == [1, 2, 3]
    run.event("note", 3)
    assert run.events()[-1]["seq"] == 4


def test_a_line_torn_by_a_kill_does_not_spoil_the_next(tmp_path):
    run = open_run(tmp_path)
    for name in ("events.jsonl", "metrics.jsonl"):
        with (run.folder / name).open("a") as file:
            file.write('{"step": 7, "se')
    again = open_run(tmp_path, resume=str(run.folder))
    again.event("note")
    again.record([{"step": 1, "x": 1.0}])
    assert [e["kind"] for e in again.events()] == ["opened", "note"] and len(again.history.rows()) == 1


def test_the_path_of_a_number(tmp_path):
    run = open_run(tmp_path)
    for step, new, outcome in ((3, 0.5, "applied"), (5, 7.0, "refused: outside"), (8, 0.6, "applied")):
        run.event("move", step, name="real_label", old=0.9, new=new, by="person", outcome=outcome)
    assert run.trajectory("real_label") == [(0, 0.9), (3, 0.5), (8, 0.6)]


def test_a_summary_is_json_even_where_a_number_is_not_finite(tmp_path):
    run = open_run(tmp_path, seed=5)
    run.summarise(steps=3, metrics={"fid": {"value": float("nan"), "error": [float("inf"), 1.0]}})
    text = (run.folder / "summary.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["metrics"]["fid"] == {"value": None, "error": [None, 1.0]}
    assert json.loads(text)["seed"] == 5 and json.loads(text)["params_hash"] == run.params.hash
