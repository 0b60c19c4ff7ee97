"""Trials: paired by seed, kept in a file, and conclusions that few seeds or an interval around 0 do not allow."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gannb.comparison.trials import Trial, Trials, concluded
from gannb.metrics.score import Score, Scores
from tests.training.regimes import open_run


def trial(arm: str, seed: int, value: float, over: tuple[float, ...] = (9.0, 5.0)) -> Trial:
    scores = Scores([Score("fd", value, 0.1), Score.missing("fid", "no weights")])
    path = [(0, 1.0), (10, 0.5), (20, 0.7)]
    return Trial(arm, seed, scores, dict(zip((10, 20), over)), {"noise": path}, 20, 3.0)


def arms(differences: list[float]) -> Trials:
    found = Trials(metric="fd", command="here")
    for seed, difference in enumerate(differences):
        found.add(trial("fixed", seed, 10.0 + seed))
        found.add(trial("learned", seed, 10.0 + seed + difference))
    return found


def test_a_difference_is_by_seed() -> None:
    found = arms([-1.0, -2.0, -3.0])
    score = found.difference("learned", "fixed")
    assert score.value == pytest.approx(-2.0) and score.protocol["seeds"] == 3
    assert score.interval[0] < -3.0 and score.interval[1] > -1.0, "three seeds: wider than what was seen"
    found.add(trial("learned", 9, 500.0))  # a seed that the other arm has not
    assert found.difference("learned", "fixed").value == pytest.approx(-2.0)
    assert found.difference("learned", "fixed", "mean_over_training").value == pytest.approx(0.0)


def test_what_was_not_tried_is_missing_with_the_reason() -> None:
    score = arms([-1.0, -2.0]).difference("learned", "policy")
    assert not score.available and score.reason == "policy not tried"
    assert not arms([-1.0]).difference("learned", "fixed").available
    assert not arms([-1.0, -2.0]).over_seeds("policy").available
    assert not arms([1.0, 2.0]).difference("learned", "fixed", "fid").available


@pytest.mark.parametrize(
    ("differences", "says"),
    [
        ([-5.0, -6.0, -5.5, -5.2], "undecided, 4 seeds of at least 5"),
        ([-5.0, -6.0, -5.5, -5.2, -5.1], "over 5 seeds: learned is better"),
        ([5.0, 6.0, 5.5, 5.2, 5.1], "over 5 seeds: fixed is better"),
        ([5.0, -6.0, 5.5, -5.2, 0.1], "a null result, no difference is shown"),
        ([1.0], "undecided, a spread needs 2 seeds"),
    ],
)
def test_conclusions_are_computed(differences: list[float], says: str) -> None:
    assert says in concluded(arms(differences).difference("learned", "fixed"))


def test_one_arm_and_seed_is_one_trial() -> None:
    with pytest.raises(ValueError, match="fixed was tried with seed 0 already"):
        arms([1.0]).add(trial("fixed", 0, 3.0))
    with pytest.raises(KeyError, match="no trial of 'cosine'; there are fixed, learned"):
        arms([1.0]).of("cosine")


def test_equal_cost_compares_an_earlier_moment() -> None:
    """Looks at steps 10 and 20; at cost 4/3 the dearer arm stands at step 15, half way between its looks."""
    found = Trials(metric="fd")
    for seed in (0, 1):
        found.add(trial("learned", seed, 1.0, over=(8.0, 4.0)))
        found.add(trial("document", seed, 1.0, over=(9.0, 5.0)))
    assert found.at_equal_cost("learned", "document", 1.0).value == pytest.approx(-1.0)
    assert found.at_equal_cost("learned", "document", 4 / 3).value == pytest.approx(1.0)
    assert not found.at_equal_cost("learned", "cosine", 1.0).available


def test_the_best_of_some() -> None:
    found = arms([-1.0, -2.0])
    assert found.best(["fixed", "learned", "cosine"]) == "learned"
    assert Trials().best(["fixed", "learned"]) == "fixed"


def test_a_finished_run_becomes_a_trial(tmp_path) -> None:
    run = open_run(tmp_path, seed=3)
    run.record([{"step": step, "D/loss": 1.0} | ({"d": 10.0 - step} if step % 2 == 0 else {}) for step in range(1, 6)])
    run.event("move", 2, name="lr", old=1e-2, new=5e-3, by="learned", outcome="applied")
    run.event("move", 3, name="lr", old=5e-3, new=9.0, by="person", outcome="refused: too large")
    made = Trial.of("learned", run, Scores(), over="d", numbers=["lr"], seconds=2.5)
    assert (made.seed, made.steps, made.seconds) == (3, 5, 2.5)
    assert dict(made.over) == {2: 8.0, 4: 6.0} and made.over_time.best == (4, 6.0)
    assert made.paths == {"lr": [(0, 0.01), (2, 0.005)]}


def test_curves_and_paths_hold_between_moves() -> None:
    found = arms([-1.0, -2.0])
    steps, values = found.curve("fixed")
    assert steps.tolist() == [10, 20] and values.shape == (2, 2)
    steps, path = found.path("learned", "noise", points=5)
    assert steps.tolist() == [0, 5, 10, 15, 20]
    assert np.array_equal(path[0], [1.0, 1.0, 0.5, 0.5, 0.7])
    assert found.wander("learned", "noise") == pytest.approx(0.7 / 0.3)


def test_a_file_gives_back_what_was_saved(tmp_path) -> None:
    found, path = arms([-1.0, -2.0]), tmp_path / "trials.json"
    found.save(path, settings={"epochs": 3})
    again = Trials.read(path)
    assert [t.as_dict() for t in again] == [t.as_dict() for t in found]
    assert (again.metric, again.command) == ("fd", "here")
    assert json.loads(path.read_text())["settings"] == {"epochs": 3}
    assert repr(again.difference("learned", "fixed")) == repr(found.difference("learned", "fixed"))


def test_no_file_is_no_trial_and_says_what_makes_one(tmp_path) -> None:
    assert len(Trials.read(tmp_path / "trials.json")) == 0
    assert "made by a script in benchmarks/" in repr(Trials.read(tmp_path / "trials.json"))


def test_a_table_has_a_row_an_arm_with_intervals() -> None:
    table = arms([-1.0, -2.0, -3.0]).table(["fd", "fid"])
    assert table.column("arm") == ["fixed", "learned"] and table.column("fid") == [None, None]
    assert table.column("fd")[0].startswith("11.0 [8.3")
