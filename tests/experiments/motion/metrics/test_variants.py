"""Arms over seeds: means, intervals, advantages, and what a training looked like."""

import json

import pytest
import torch

from gannb.experiments.motion.metrics.variants import Outcome, Outcomes, training_of
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.runs.folder import Run


def outcomes() -> Outcomes:
    rows = [("a", 0, 1.0), ("a", 1, 3.0), ("b", 0, 0.5), ("b", 1, 2.0), ("c", 0, 9.0)]
    return Outcomes([Outcome(arm, seed, {"fgd": value}, [value, value + 2]) for arm, seed, value in rows])


def test_means_and_advantages_are_over_the_seeds_that_both_have() -> None:
    arms = outcomes()
    assert arms.arms == ["a", "b", "c"]
    assert arms.mean("a", "fgd") == 2.0 and arms.mean("a", "no such") is None
    found = arms.advantage("b", "a", "fgd")
    assert float(found) == pytest.approx(-0.75)
    assert found.interval[0] < -1.0 and found.interval[1] > -0.5, "two seeds say little"
    assert not arms.advantage("c", "a", "fgd").available, "one seed shows no spread"


def test_intervals_are_over_seeds_or_clips_and_say_so() -> None:
    arms = outcomes()
    assert float(arms.error("a")) == pytest.approx(3.0)
    assert arms.error("a").protocol["seeds"] == 2
    alone = arms.error("c")
    assert alone.protocol["clips"] == 2 and "one seed" in alone.protocol["error"]
    assert "clips" in arms.error_advantage("c", "b").protocol
    assert float(arms.error_advantage("b", "a")) == pytest.approx(-0.75)


def test_arms_beside_one_of_them() -> None:
    table = outcomes().beside("a", ("fgd",))
    assert table.column("less a") == ["b", "c"]
    assert table.column("fgd")[0].startswith("-0.8 [") and table.column("fgd")[1] == "unavailable", (
        "one seed shows no spread"
    )


def test_what_is_written_is_read_back(tmp_path) -> None:
    arms = outcomes()
    arms.write(tmp_path / "arms.json")
    assert Outcomes.read(tmp_path / "arms.json").all == arms.all
    assert json.loads((tmp_path / "arms.json").read_text())[0]["arm"] == "a"


def test_a_training_is_read_from_its_run(tmp_path) -> None:
    run = Run.open(MotionBalance(runs=str(tmp_path), compared=[]))
    rows = [
        {"step": s, "G/loss": 1.0, "D/accuracy": 1.0 if 3 <= s < 8 else 0.5, "D/turns": float(s % 2)}
        for s in range(1, 11)
    ]
    run.record(rows)
    run.event("move", 4, name="g_turns", old=4, new=6, by="balance", outcome="applied")
    run.event("move", 4, name="g_turns", old=6, new=5, by="person", outcome="applied")
    run.event("alarm", 9, name="D collapses training", says="…", action="note")
    found = training_of(run)
    assert (found["accurate_steps"], found["skipped"], found["throttled"], found["collapsed"]) == (5, 5, 1, 1)
    assert found["d_accuracy"] == 0.5 and found["steps"] == 10
    assert torch.tensor(list(found.values())).isfinite().all()


@pytest.mark.parametrize(("shares", "collapsed"), [([0.9, 0.1], 1), ([0.1, 0.9], 0)])
def test_motions_that_are_all_alike_at_the_end_are_a_collapse(tmp_path, shares, collapsed) -> None:
    run = Run.open(MotionBalance(runs=str(tmp_path), compared=[]))
    told = {"G/loss": 1.0, "D/accuracy": 0.5, "D/turns": 1.0}
    run.record([{"step": step, "G/diversity_share": share, **told} for step, share in enumerate(shares, 1)])
    assert training_of(run)["collapsed"] == collapsed
