"""What was seen: read later in one go, every step recorded, an absent player absent."""

from __future__ import annotations

import torch

from gannb.training.recorder import Recorder
from tests.training.regimes import REGIMES, open_run


def test_values_stay_on_the_device_until_they_are_read(tmp_path, monkeypatch):
    recorder = Recorder(open_run(tmp_path))
    reads = []
    tolist = torch.Tensor.tolist
    monkeypatch.setattr(torch.Tensor, "tolist", lambda t: (reads.append(1), tolist(t))[1])
    for step in range(1, 6):
        recorder.add(step, {"D/loss": torch.tensor(step / 3), "D/plain": 0.5, "D/bf16": torch.tensor(1.5).bfloat16()})
    assert not reads and recorder.last == {}
    recorder.write()
    assert len(reads) == 1, "one wait for five steps"
    assert recorder.run.history["D/loss"].steps.tolist() == [1, 2, 3, 4, 5]
    assert recorder.last == {"D/loss": float(torch.tensor(5 / 3)), "D/plain": 0.5, "D/bf16": 1.5}


def test_a_player_that_did_not_play_is_absent_never_stale(tmp_path):
    recorder = Recorder(open_run(tmp_path))
    recorder.add(1, {"D/loss": torch.tensor(1.0), "G/loss": torch.tensor(2.0)})
    recorder.add(2, {"G/loss": torch.tensor(3.0)})
    recorder.add(3, {})
    recorder.write()
    assert recorder.last == {}
    assert [sorted(row) for row in recorder.run.history.rows()] == [
        ["D/loss", "G/loss", "step"],
        ["G/loss", "step"],
        ["step"],
    ]


def test_state_carries_what_rules_and_alarms_still_need(tmp_path):
    one, two = Recorder(open_run(tmp_path)), Recorder(open_run(tmp_path))
    one.add(1, {"D/loss": torch.tensor(1 / 3)})
    one.write()
    two.load_state_dict(one.state_dict())
    assert two.last == one.last and two.pending == one.pending == [{"step": 1, "D/loss": float(torch.tensor(1 / 3))}]
    two.reset({"D/loss": 0.5})
    assert two.last == {"D/loss": 0.5} and two.pending == []


def test_rules_see_the_step_before_whatever_the_interval_of_recording(tmp_path):
    hashes = set()
    for every in (1, 7):
        trainer = REGIMES["balance"](open_run(tmp_path))
        trainer.record_every = every
        trainer.fit(steps=20)
        hashes.add(trainer.weights())
    assert len(hashes) == 1
