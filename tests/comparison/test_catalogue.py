"""Many runs at a glance: reading, filtering, sorting, picking, variants, series, and a thousand of them in seconds."""

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from gannb.comparison.catalogue import Catalogue, CatalogueError


def write(folder: Path, *, seed: int = 0, rows: int = 4, score: float | None = 1.0, **settings: object) -> Path:
    """A run folder as a finished run leaves it."""
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump({"experiment": "toy", "seed": seed, **settings}))
    lines = [{"step": step, "D/loss": seed + step / 10, "distance": 1 / step} for step in range(1, rows + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "events.jsonl").write_text("")
    if score is not None:
        metrics = {"kid": {"value": score}, "fid": {"value": None, "reason": "no weights"}}
        (folder / "summary.json").write_text(
            json.dumps({"preset": "quick", "steps": rows, "seconds": 1.5, "metrics": metrics})
        )
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Catalogue:
    for seed in (0, 1, 2):
        write(tmp_path / "toy" / f"a{seed}", seed=seed, lr=0.1, loss="bce", score=1.0 + seed)
        write(tmp_path / "toy" / f"b{seed}", seed=seed, lr=0.2, loss="bce", score=2.0 + seed)
    return Catalogue.find(str(tmp_path))


def test_variants_are_runs_that_differ_in_the_seed_alone(runs: Catalogue) -> None:
    assert runs.differing() == ("lr",), "what is the same in all, and the seed, is no difference"
    variants = runs.variants()
    assert {label: list(alike.frame["run"]) for label, alike in variants.items()} == {
        "lr=0.1": ["a0", "a1", "a2"], "lr=0.2": ["b0", "b1", "b2"],
    }  # fmt: skip
    compared = runs.comparison("kid")
    assert compared.variants == ["lr=0.1", "lr=0.2"] and compared.values("lr=0.2") == {0: 2.0, 1: 3.0, 2: 4.0}
    assert runs.common_scores() == ["kid"], "fid is unavailable"


def test_a_parameter_called_as_a_column_of_the_head_takes_none_of_its_place(tmp_path: Path) -> None:
    for seed, state in enumerate((["loss"], ["progress"])):
        write(tmp_path / "toy" / f"a{seed}", seed=seed, state=state, preset="")
    found = Catalogue.find(str(tmp_path))
    assert list(found.frame["state"]) == ["finished", "finished"] and list(found.frame["preset"]) == ["quick", "quick"]
    assert found.differing() == ("parameter_state",) and found.common_scores() == ["kid"]
    assert len(found.where("state == 'finished'")) == 2


def test_of_several_experiments_only_what_they_share_is_tabled(tmp_path: Path) -> None:
    write(tmp_path / "toy" / "a", lr=0.1, depth=1, experiment="one")
    write(tmp_path / "toy" / "b", lr=0.2, width=2, experiment="two")
    found = Catalogue.find(str(tmp_path))
    assert set(found.differing()) == {"lr", "depth", "width"} and found.in_common() == ("lr",)
    assert "lr" in found.table().columns and "depth" not in found.table().columns
    assert found.words() == {
        "a": "a, experiment one, seed 0, lr 0.1, kid 1", "b": "b, experiment two, seed 0, lr 0.2, kid 1"
    }  # fmt: skip


def test_filter_sort_and_pick(runs: Catalogue) -> None:
    assert len(runs.where("lr > 0.15 and loss == 'bce'")) == 3 and len(runs.where(" ")) == 6
    falling = list(runs.sort("kid", descending=True).frame["kid"])
    assert falling == sorted(falling, reverse=True)
    assert list(runs.pick(["b1", "a0"]).frame["run"]) == ["b1", "a0"] and len(runs.pick(4)) == 4
    with pytest.raises(CatalogueError, match="where: given 'rate > 1'"):
        runs.where("rate > 1")
    with pytest.raises(CatalogueError, match=r"sort: given 'rate'; allowed: run, experiment"):
        runs.sort("rate")
    with pytest.raises(CatalogueError, match="no run 'zz' among these 6"):
        runs.pick(["a0", "zz"])


def test_series_stand_at_the_steps_that_all_seeds_have(tmp_path: Path) -> None:
    write(tmp_path / "toy" / "a", seed=0, rows=4)
    write(tmp_path / "toy" / "b", seed=1, rows=6)
    steps, values = Catalogue.find(str(tmp_path / "toy")).series("D/loss")["all alike"]
    assert steps.tolist() == [1, 2, 3, 4] and np.allclose(values, [[0.1, 0.2, 0.3, 0.4], [1.1, 1.2, 1.3, 1.4]])
    boiled, means = Catalogue.find(str(tmp_path / "toy")).series("D/loss", points=2)["all alike"]
    assert boiled.tolist() == [2, 4] and np.allclose(means[0], [0.15, 0.35])


def test_of_several_runs_of_a_seed_the_newest_counts(tmp_path: Path) -> None:
    for name, seed, rows in (("a", 0, 2), ("b", 1, 3), ("c", 0, 3)):
        write(tmp_path / "toy" / name, seed=seed, rows=rows)
    steps, values = Catalogue.find(str(tmp_path / "toy")).series("D/loss")["all alike"]
    assert steps.tolist() == [1, 2, 3] and values.shape == (2, 3)


def test_unfinished_and_damaged_runs_are_said_to_be_so(tmp_path: Path) -> None:
    write(tmp_path / "toy" / "a", score=None)
    (write(tmp_path / "toy" / "b") / "summary.json").write_text('{"steps": ')
    (write(tmp_path / "toy" / "c") / "params.yaml").write_text("- no\n- mapping\n")
    found = Catalogue.find(str(tmp_path))
    states = dict(zip(found.frame["run"], found.frame["state"]))
    assert states["a"] == "unfinished" and states["b"].startswith("damaged") and states["c"].startswith("damaged")
    assert "unfinished" in repr(found.table()) and len(found.sort("state")) == 3


def test_runs_without_a_value_come_last_either_way(tmp_path: Path) -> None:
    for name, score in (("a", 2.0), ("b", None), ("c", 1.0)):
        write(tmp_path / "toy" / name, score=score)
    found = Catalogue.find(str(tmp_path))
    assert list(found.sort("kid").frame["run"]) == ["c", "a", "b"]
    assert list(found.sort("kid", descending=True).frame["run"]) == ["a", "c", "b"]


def test_branches_and_pictures(tmp_path: Path) -> None:
    folder = write(tmp_path / "toy" / "b", lr=0.1)
    event = {"seq": 2, "step": 3, "kind": "branched", "parent": "toy/a", "changed": {"lr": [0.2, 0.1]}}
    (folder / "events.jsonl").write_text(json.dumps(event) + "\n")
    (folder / "samples").mkdir()
    (folder / "samples" / "x.png").write_bytes(b"")
    found = Catalogue.find(str(tmp_path))
    assert found.branches().rows == [("b", "a", 3, "lr: 0.2 → 0.1")]
    assert found.newest_samples() == {"all alike": {0: folder / "samples" / "x.png"}}


def test_nothing_to_compare_says_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANNB_RUNS", str(tmp_path))
    write(tmp_path / "toy" / "a")
    assert len(Catalogue.find("toy")) == 1
    with pytest.raises(CatalogueError, match=r"no runs of 'tyo'.*there are runs of: toy"):
        Catalogue.find("tyo")


def test_a_thousand_runs_in_under_five_seconds(tmp_path: Path) -> None:
    settings = {f"parameter_{i}": i / 7 for i in range(40)}
    for index in range(1000):
        write(
            tmp_path / "toy" / f"r{index:04d}",
            seed=index % 5,
            rows=30,
            lr=round(0.1 + index // 5 * 0.001, 4),
            **settings,
        )
    # processor time: the machine may have other work
    began = time.process_time()
    found = Catalogue.find(str(tmp_path)).where("lr < 10").sort("kid")
    variants, series = found.variants(), found.series("D/loss")
    compared, table = found.comparison("kid"), repr(found.table())
    took = time.process_time() - began
    assert len(found) == 1000 and len(variants) == len(series) == len(compared.variants) == 200 and "1000 runs" in table
    assert all(math.isfinite(v) for trial in compared for v in map(float, trial.scores.values()))
    assert took < 5, f"{took:.1f} s of processor time"
