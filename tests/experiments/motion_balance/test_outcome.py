"""What a training under balance rules looked like, and the trace that rules are replayed over."""

import pytest
import torch

from gannb.comparison.results import numbers
from gannb.comparison.trials import Comparison
from gannb.experiments.motion_balance.outcome import acted, balance_trace, explosion, training_of
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.runs.folder import Run


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
    assert found["d_accuracy"] == 0.5
    assert torch.tensor(list(found.values())).isfinite().all()


@pytest.mark.parametrize(("shares", "collapsed"), [([0.9, 0.1], 1), ([0.1, 0.9], 0)])
def test_motions_that_are_all_alike_at_the_end_are_a_collapse(tmp_path, shares, collapsed) -> None:
    run = Run.open(MotionBalance(runs=str(tmp_path), compared=[]))
    told = {"G/loss": 1.0, "D/accuracy": 0.5, "D/turns": 1.0}
    run.record([{"step": step, "G/diversity_share": share, **told} for step, share in enumerate(shares, 1)])
    assert training_of(run)["collapsed"] == collapsed


@pytest.mark.parametrize("broken", [3e4, float("inf"), float("nan")])
def test_what_came_first_is_seen(tmp_path, broken) -> None:
    """D is right only after G's gradients exploded: that is what is told, not how often D is right at the end."""
    run = Run.open(MotionBalance(runs=str(tmp_path), compared=[]))
    told = {"G/loss": 1.0, "D/turns": 1.0}
    rows = [
        {"step": s, "D/accuracy": 0.5 if s < 140 else 1.0, "G/grad_norm": 2.0 if s < 130 else broken, **told}
        for s in range(1, 200)
    ]
    run.record(rows)
    assert explosion(run.history) == {"exploded_at": 130, "d_accuracy_before": 0.5}
    assert training_of(run)["exploded_at"] == 130


def test_gradients_that_grow_did_not_explode(tmp_path) -> None:
    run = Run.open(MotionBalance(runs=str(tmp_path), compared=[]))
    run.record([{"step": s, "D/accuracy": 0.5, "G/grad_norm": 1.0 + s} for s in range(1, 200)])
    assert explosion(run.history) == {}


def test_rules_that_change_no_training_did_not_act() -> None:
    errors = {"no-rules": (0.3, 0.4), "idle": (0.3, 0.4), "once": (0.3, 0.5)}
    trials = Comparison([numbers(v, seed, maje=e) for v, both in errors.items() for seed, e in enumerate(both)])
    trials.add(numbers("other seed", 7, maje=0.9))
    assert [acted(trials, v) for v in (*errors, "other seed", "not tried")] == [False, False, True, False, False]


def test_the_trace_is_a_row_per_step() -> None:
    trace = balance_trace()
    assert len(trace) > 100 and set(trace[0]) >= {"D/loss", "G/loss"} and all(row["D/loss"] > 0 for row in trace)
