"""A sweep's file: every fault at once, before anything runs; and the ready sweeps of this project."""

from pathlib import Path

import pytest

from gannb.batch.sweep.plan import Sweep, SweepError, find, read
from gannb.config import presets
from tests.batch.sweep import toy_project


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(presets, "HOME", presets.HOME)
    toy_project.make(tmp_path)
    toy_project.settle(tmp_path)
    return tmp_path / "params" / "sweeps"


def sweep(folder: Path, text: str) -> Sweep:
    path = folder / "some.yaml"
    path.write_text(f"notebook: toy\n{text}")
    return read(path)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(SweepError) as error:
        sweep(folder, text)
    return str(error.value)


def test_a_grid_times_seeds(toy: Path) -> None:
    found = sweep(toy, "values: {steps: 7}\ngrid: {lr: [0.1, 1e-3], width: [2, 4]}\nseeds: [0, 5]\nscore: distance\n")
    assert len(found.trials) == 8 and found.trials[0].variant == "lr=0.1, width=2" and found.score == "distance"
    assert {(t.params.lr, t.params.width, t.seed) for t in found.trials} == {
        (lr, width, seed) for lr in (0.1, 1e-3) for width in (2, 4) for seed in (0, 5)
    }
    assert all(t.params.steps == 7 and t.values["steps"] == 7 for t in found.trials)


def test_variants_may_start_from_a_preset_of_their_own(toy: Path) -> None:
    found = sweep(toy, "variants:\n  ours: {preset: wide}\n  theirs: {lr: 0.5}\n")
    assert [(t.variant, t.params.width, t.params.lr, t.params.preset) for t in found.trials] == [
        ("ours", 64, 0.1, "wide"), ("theirs", 4, 0.5, "quick"),
    ]  # fmt: skip


def test_draws_are_repeatable_within_bounds_and_each_of_its_own(toy: Path) -> None:
    draws = "draws: {count: %d, seed: 3, of: {lr: {low: 1e-4, high: 0.1, scale: log}, width: {low: 2, high: 9}%s}}\n"
    first = sweep(toy, draws % (30, ""))
    lrs, widths = [t.params.lr for t in first.trials], {t.params.width for t in first.trials}
    assert all(1e-4 <= lr <= 0.1 for lr in lrs) and widths <= set(range(2, 10)) and len(widths) > 4
    assert 8 < sum(lr < 10**-2.5 for lr in lrs) < 22, "half of them below the middle of a log scale"
    more = sweep(toy, draws % (31, ", steps: [3, 4, 5]"))
    assert [t.params.lr for t in more.trials][:30] == lrs, "more draws, and another parameter, change none"


@pytest.mark.parametrize(
    "text, said",
    [
        ("grids: {lr: [1]}", "grids: Extra inputs are not permitted; did you mean 'grid'?"),
        ("grid: {lr: []}", "grid.lr: given an empty list"),
        ("grid: {lr: [0.1]}\nvariants: {a: {}}", "given variants and grid; allowed: one of"),
        ("better: lower", "better: Input should be 'low' or 'high', given 'lower'"),
        ("preset: wdie", "did you mean 'wide'?"),
        ("seeds: [-1]", "seed: given -1"),
        ("variants: {a: {lr: 0.1}, b: {lr: 0.1}}", "trial 'b', seed 0 is the same as 'a'"),
        ("grid: {lr: [0.1, 2.0, -1.0]}", "2 of 3 cannot run"),
        ("draws: {count: 1, of: {lr: {low: 0.5, high: 0.1}}}", "allowed: low below high"),
        ("draws: {count: 0, of: {lr: [1]}}", "draws.count"),
        ("- 1", "expected `name: value` lines"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_said(toy: Path, text: str, said: str) -> None:
    if text.startswith("-"):
        (toy / "some.yaml").write_text(text)
        with pytest.raises(SweepError, match="expected `name: value` lines"):
            read(toy / "some.yaml")
    else:
        assert said in refused(toy, text)


def test_an_unknown_sweep_or_notebook_names_the_nearest(toy: Path) -> None:
    (toy / "rates.yaml").write_text("notebook: tyo\n")
    with pytest.raises(SweepError, match=r"no sweep 'raets'; did you mean 'rates'\?"):
        find("raets")
    with pytest.raises(SweepError, match=r"no experiment is called 'tyo'; did you mean 'toy'\?"):
        read(find("rates"))


READY = sorted((presets.HOME / "params" / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_the_ready_sweeps_are_valid(path: Path) -> None:
    found = read(path)
    assert found.trials and found.doc and found.score


def test_there_are_the_ready_sweeps_that_are_promised() -> None:
    ready = {read(path).notebook for path in READY}
    promised = {"motion_balance", "schedules", "particles_sagan", "identity"} & set(presets.experiments())
    assert promised <= ready
