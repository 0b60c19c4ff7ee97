"""Variants over seeds: paired, kept in a file, and conclusions that few seeds or an interval around 0 do not allow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gannb.comparison import results
from gannb.comparison.intervals import concluded
from gannb.comparison.results import RESULTS, result
from gannb.comparison.trials import Comparison, Trial
from gannb.metrics.score import Score, Scores
from tests.training.regimes import open_run


def trial(variant: str, seed: int, value: float, curve: tuple[float, ...] = (9.0, 5.0), cpu: float = 0.0) -> Trial:
    scores = Scores([Score("fd", value, 0.1, floor=0.3), Score.missing("fid", "no weights"), Score("copies", 0.5)])
    path = [(0, 1.0), (10, 0.5), (20, 0.7)]
    return Trial(variant, seed, scores, 20, 3.0, cpu, dict(zip((10, 20), curve)), {"noise": path})


def compared(differences: list[float]) -> Comparison:
    found = Comparison(metric="fd", command="here")
    for seed, difference in enumerate(differences):
        found.add(trial("fixed", seed, 10.0 + seed))
        found.add(trial("learned", seed, 10.0 + seed + difference))
    return found


def of(**values: list[float]) -> Comparison:
    """Variants whose seeds have these values, which are their processor time too."""
    return Comparison((trial(v, s, x, cpu=x) for v, mine in values.items() for s, x in enumerate(mine)), "fd")


def test_a_difference_is_by_seed() -> None:
    found = compared([-1.0, -2.0, -3.0])
    score = found.difference("learned", "fixed")
    assert score.value == pytest.approx(-2.0) and score.protocol["seeds"] == 3
    assert score.interval[0] < -3.0 and score.interval[1] > -1.0, "three seeds: wider than what was seen"
    found.add(trial("learned", 9, 500.0))  # a seed that the other variant lacks
    assert found.difference("learned", "fixed").value == pytest.approx(-2.0)
    assert found.difference("learned", "fixed", "mean_over_training").value == pytest.approx(0.0)
    assert found.difference("learned", "fixed", "copies").value == 0.0


def test_what_was_not_tried_is_missing_with_the_reason() -> None:
    score = compared([-1.0, -2.0]).difference("learned", "policy")
    assert not score.available and score.reason == "policy not tried"
    assert not compared([-1.0]).difference("learned", "fixed").available
    assert not compared([-1.0, -2.0]).over_seeds("policy").available
    assert not compared([1.0, 2.0]).difference("learned", "fixed", "fid").available
    few = compared([-1.0, -2.0]).difference("learned", "fixed", enough=5)
    assert few.reason == "2 seeds of at least 5"
    assert compared([-1.0] * 5).difference("learned", "fixed", enough=5).available


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
    assert says in concluded(compared(differences).difference("learned", "fixed"))


def test_one_variant_and_seed_is_one_trial() -> None:
    with pytest.raises(ValueError, match="fixed was tried with seed 0 already"):
        compared([1.0]).add(trial("fixed", 0, 3.0))
    with pytest.raises(KeyError, match="no trial of 'cosine'; there are fixed, learned"):
        compared([1.0]).of("cosine")


def test_equal_cost_compares_an_earlier_moment() -> None:
    """Looks at steps 10 and 20; at cost 4/3 the dearer variant stands at step 15, half way between its looks."""
    found = Comparison(metric="fd")
    for seed in (0, 1):
        found.add(trial("learned", seed, 1.0, curve=(8.0, 4.0)))
        found.add(trial("document", seed, 1.0, curve=(9.0, 5.0)))
    assert found.at_equal_cost("learned", "document", 1.0).value == pytest.approx(-1.0)
    assert found.at_equal_cost("learned", "document", 4 / 3).value == pytest.approx(1.0)
    assert not found.at_equal_cost("learned", "cosine", 1.0).available


def test_the_best_of_some() -> None:
    found = compared([-1.0, -2.0])
    assert found.best(["fixed", "learned", "cosine"]) == "learned"
    assert Comparison().best(["fixed", "learned"]) == "fixed"
    assert found.without(["learned"]).variants == ["fixed"] and found.without([]).head == {"command": "here"}


def test_a_finished_run_becomes_a_trial(tmp_path) -> None:
    run = open_run(tmp_path, seed=3)
    run.record([{"step": step, "D/loss": 1.0} | ({"d": 10.0 - step} if step % 2 == 0 else {}) for step in range(1, 6)])
    run.event("move", 2, name="lr", old=1e-2, new=5e-3, by="learned", outcome="applied")
    run.event("move", 3, name="lr", old=5e-3, new=9.0, by="person", outcome="refused: too large")
    scores, more = Scores([Score("fd", 2.0, 0.1)]), {"skipped": 4, "fd": 9.0}
    made = Trial.of("learned", run, scores, more=more, curve="d", numbers=["lr"], seconds=2.5, cpu_seconds=1.25)
    assert (made.seed, made.steps, made.seconds, made.cpu_seconds) == (3, 5, 2.5, 1.2)
    assert dict(made.curve) == {2: 8.0, 4: 6.0} and made.over_time.best == (4, 6.0)
    assert made.paths == {"lr": [(0, 0.01), (2, 0.005)]}
    assert {name: float(score) for name, score in made.scores.items()} == {"skipped": 4.0, "fd": 2.0}


def test_a_run_without_a_discriminator_is_a_trial(tmp_path) -> None:
    run = open_run(tmp_path)
    run.record([{"step": 7, "model/loss": 1.0}])
    assert Trial.of("flow", run, Scores([])).steps == 7


def test_curves_and_paths_hold_between_moves() -> None:
    found = compared([-1.0, -2.0])
    steps, values = found.curve("fixed")
    assert steps.tolist() == [10, 20] and values.shape == (2, 2)
    steps, path = found.path("learned", "noise", points=5)
    assert steps.tolist() == [0, 5, 10, 15, 20]
    assert np.array_equal(path[0], [1.0, 1.0, 0.5, 0.5, 0.7])
    assert found.path_over_net_change("learned", "noise") == pytest.approx(0.7 / 0.3)


def test_a_number_that_stands_still_makes_no_detour() -> None:
    found = Comparison([Trial("fixed", 0, Scores([]), paths={"noise": [(0, 0.5), (1, 0.5)]})])
    assert found.path_over_net_change("fixed", "noise") == 1


def test_a_swing_is_the_largest_over_the_smallest_by_seed() -> None:
    found = of(half=[1.0, 4.0], whole=[2.0, 2.0], twice=[8.0, 3.0, 9.0])
    assert found.swing(["half", "whole", "twice"]) == {0: 8.0, 1: 2.0}
    assert found.mean("whole") == 2.0 and found.mean("whole", "copies") == 0.5 and found.mean("none") is None


def test_a_file_gives_back_what_was_saved(tmp_path) -> None:
    found, path = compared([-1.0, -2.0]), tmp_path / "trials.json"
    found.head["settings"] = {"epochs": 3}
    found.save(path)
    again = Comparison.read(path)
    assert [t.as_dict() for t in again] == [t.as_dict() for t in found]
    assert (again.metric, again.better, again.head) == ("fd", "low", {"command": "here", "settings": {"epochs": 3}})
    kept = again.of("fixed")[0].scores
    assert kept["fd"].floor == 0.3 and kept["fid"].reason == "no weights"
    assert repr(again.difference("learned", "fixed")) == repr(found.difference("learned", "fixed"))


def test_no_file_is_no_trial_and_says_what_makes_one(tmp_path) -> None:
    assert len(Comparison.read(tmp_path / "trials.json")) == 0
    assert "made by a script in benchmarks/" in repr(Comparison.read(tmp_path / "trials.json"))


def test_a_file_of_another_layout_is_named(tmp_path) -> None:
    (tmp_path / "speed.json").write_text('{"seconds": 3}')
    with pytest.raises(ValueError, match=r"speed.json has no trials: write results by gannb.comparison.results.keep"):
        Comparison.read(tmp_path / "speed.json")


def test_a_table_has_a_row_per_variant() -> None:
    found = compared([-1.0, -2.0, -3.0])
    table = found.table(["fd", "fid"])
    assert table.column("variant") == ["fixed", "learned"] and table.column("fid") == [None, None]
    assert table.column("fd")[0].startswith("11.0 [8.3")
    assert found.table(["fd", "seconds"], intervals=False).rows == [("fixed", 3, 11.0, 3.0), ("learned", 3, 9.0, 3.0)]


def test_a_variant_beside_another_says_what_it_brings_and_what_it_costs() -> None:
    found = of(document=[1.0, 2.0, 5.0], tuned=[0.5, 1.0], longer=[3.0])
    found.add(trial("elsewhere", 7, 4.0))
    table = found.beside("document", also=["copies"])
    brings, costs = table.column("Δ fd"), table.column("processor time")
    assert brings[0] is None and brings[1] == "-0.5, -1 (2 runs)" and brings[2] == "+2 (1 run)"
    assert brings[3] is None, "no seed in common"
    assert costs == ["×1.00", "×0.50", "×3.00", None] and table.column("copies") == [0.5] * 4


def test_processor_times_are_compared_on_the_same_hardware_alone() -> None:
    found = of(document=[1.0, 2.0])
    for seed, machine in enumerate(("", "a slower one")):
        found.add(replace(trial("tuned", seed, 1.0, cpu=4.0), hardware=machine))
    assert found.beside("document").column("processor time") == ["×1.00", "×4.00"]
    found.add(replace(trial("elsewhere", 0, 1.0, cpu=4.0), hardware="a slower one"))
    assert found.beside("document").column("processor time")[2] is None


def test_a_test_pairs_seeds_and_leaves_alone_what_has_no_pair() -> None:
    values = {"a": {0: 1.0, 1: 2.0}, "b": {1: 3.0, 0: 1.5, 2: 9.0}, "c": {7: 1.0}}
    found = Comparison((trial(v, s, x) for v, mine in values.items() for s, x in mine.items()), "fd", "high")
    found.add(Trial("d", 0, Scores([Score.missing("fd", "failed")])))
    rows = found.tested().rows
    assert [row[1] for row in rows] == [2, 3, 1, 0]
    assert rows[0][3] is None and rows[1][3].startswith("0.8 [") and "2 pairs cannot" in rows[1][3]
    assert rows[2][2] == "1 (1 run)" and rows[2][3] is None and rows[3][2] is None
    assert found.tested().note.startswith("higher is better")


KEPT = [path for path in sorted(RESULTS.glob("*.json")) if '"trials": [' in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_results_are_kept_in_one_layout(path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    found = Comparison.read(path)
    assert len(found) == len(stored["trials"]) and found.head["question"] and found.head["command"]
    assert not found.metric or any(found.values(variant) for variant in found.variants)
    again = [json.loads(json.dumps(trial.as_dict())) for trial in found]
    assert again == stored["trials"]


def test_scores_of_a_stored_result_name_its_file_as_their_source() -> None:
    stored = result("schedules_digits")
    source = "results/schedules_digits.json"
    assert stored.difference("learned", "document").protocol["source"] == source
    assert stored.over_seeds("learned").protocol["source"] == source
    assert stored.at_equal_cost("learned", "document", 1.5).protocol["source"] == source
    assert stored.without(["lstm"]).difference("learned", "fixed").protocol["source"] == source
    here = Comparison(stored, stored.metric)
    assert "source" not in here.difference("learned", "document").protocol


def test_each_trial_names_the_commit_and_the_hardware_that_measured_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    fast, slow = results.numbers("fast", seconds=1.0), results.numbers("slow", seconds=2.0)
    (only,) = results.keep("speed", [fast], hardware="a card")
    elsewhere = replace(fast, seed=1, commit="0000000", hardware="a laptop")
    found = results.keep("speed", [elsewhere, slow], hardware="a processor", question="How fast?")
    assert found.origin("fast") == (f"{only.commit}; 0000000", "a card; a laptop")
    assert found.origin("slow") == (only.commit, "a processor") and found.head == {"question": "How fast?"}
    again = results.keep("speed", [replace(elsewhere, commit="", hardware="")], hardware="a card")
    assert again.origin("fast") == (only.commit, "a card"), "nothing is left of what was measured before"
    assert result("speed").origin("slow") == (only.commit, "a processor")


def test_all_trials_of_an_older_file_have_what_its_head_says(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    Comparison([results.numbers("fast"), results.numbers("slow")], commit="0000000", hardware="a card").save(path)
    found = Comparison.read(path)
    assert {found.origin(v) for v in found.variants} == {("0000000", "a card")} and found.head == {}
    Comparison([results.numbers("fast")]).save(path)
    assert Comparison.read(path).origin("fast") == ("commit not recorded", "hardware not recorded")
