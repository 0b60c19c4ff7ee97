"""`results/index.csv` and `results/README.md` show every result as it is."""

import csv
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from gannb.comparison.results import COLUMNS, RESULTS, index, keep, numbers, samples_of
from gannb.comparison.trials import Comparison

SOFTWARE = (
    "bad_parameters", "coverage", "falsified_claims", "fuzz_motion_readers", "fuzz_readers", "kills", "live",
    "mutations", "photographs", "scale", "scores_speed", "steps", "steps_prototype", "sweep_kills",
)  # fmt: skip
"""Results that are not of data."""
UNRECORDED = (
    "identity_goals", "laboratory", "schedules_cifar", "schedules_digits", "schedules_digits_transfer",
)  # fmt: skip
"""Results of trials from before hardware was recorded."""
NUMBERS = range(COLUMNS.index("value"), COLUMNS.index("seeds"))


def written() -> list[list[str]]:
    with (RESULTS / "index.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == COLUMNS
    return rows


def test_each_result_is_in_the_table() -> None:
    files = {path.stem for path in RESULTS.glob("*.json")}
    assert {row[0] for row in written()} == files
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (\w+)$", page, flags=re.MULTILINE)) == files
    others = {path.name for path in RESULTS.iterdir()} - {f"{name}.json" for name in files}
    assert others - {"samples"} == {"index.csv", "README.md"}


def test_samples_are_small_and_of_trials_that_are_kept() -> None:
    trials = {
        samples_of(path.stem, t.variant, t.seed) for path in RESULTS.glob("*.json") for t in Comparison.read(path)
    }
    kept = {path for path in (RESULTS / "samples").rglob("*") if path.is_file()}
    assert kept <= trials and all(path.stat().st_size <= 150_000 for path in kept)


def test_the_table_is_up_to_date() -> None:
    """Numbers to 1 %: an interval is a bootstrap, whose draws another version of SciPy may change."""
    for row, now in zip(written(), index().rows, strict=True):
        for column, (was, is_now) in enumerate(zip(row, now)):
            if column in NUMBERS and was and is_now:
                assert float(was) == pytest.approx(float(is_now), rel=0.01, abs=1e-3), row
            else:
                assert was == is_now, (row, COLUMNS[column], "run `python docs/results.py`")


@pytest.fixture(scope="module")
def page(root: Path) -> ModuleType:
    """The script that writes the page."""
    spec = importlib.util.spec_from_file_location("results_page", root / "docs" / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(page: ModuleType) -> None:
    here, now = (re.sub(r"[-+]?\d[\d.]*", "#", text) for text in (page.PAGE.read_text("utf-8"), page.page()))
    assert here == now, "run `python docs/results.py`"


def test_the_page_shows_the_samples_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: ModuleType
) -> None:
    monkeypatch.setattr("gannb.comparison.results.RESULTS", tmp_path)
    head = {"question": "Which?", "command": "here", "metric": "ms"}
    keep("speed", [numbers("wide, 8×8", seed, ms=2.0 + seed, copies=0.5) for seed in (0, 1, 3)], **head)
    keep("speed", [numbers("none", ms=3.0)], **head)
    plain = page.section("speed")
    assert "samples" not in plain and re.search(r"\| wide, 8×8 \| 3 \|.*\| 0\.5 \[0\.5, 0\.5\] \|", plain)
    for seed in (1, 3):
        path = samples_of("speed", "wide, 8×8", seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = re.findall(r"(!?)\[(.*?)\]\((.*?)\)", page.section("speed"))
    assert [(shown, text) for shown, text, _ in found] == [
        ("!", "samples of wide, 8×8, seed 1"),
        ("", "wide, 8×8, seed 3"),
    ]
    assert all((tmp_path / link).is_file() for _, _, link in found)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_each_result_says_what_was_asked_and_how(path: Path) -> None:
    found = Comparison.read(path)
    assert found.head["question"] and found.head["command"] and len(found)
    named = re.findall(r"[\w/]+\.py", found.head["command"])
    assert [script for script in named if not (RESULTS.parent / script).is_file()] == [], "a command that is not here"
    if sweep := re.search(r"benchmarks/variants\.py (\w+)", found.head["command"]):
        assert (RESULTS.parent / "params" / "sweeps" / f"{sweep[1]}.yaml").is_file()
    assert found.head.get("data") or path.stem in SOFTWARE
    assert all(trial.commit and trial.hardware for trial in found)
    assert path.stem in UNRECORDED or all("not recorded" not in trial.hardware for trial in found)


def test_what_is_kept_is_added_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gannb.comparison.results.RESULTS", tmp_path)
    head = {"question": "How fast?", "command": "here", "hardware": "a machine"}
    keep("speed", [numbers("a", ms=2.0, ratio=None), numbers("b", ms=3.0)], **head)
    keep("speed", [numbers("a", ms=1.0)], data="points", **head)
    table = index(tmp_path)
    assert table.column("recipe") == ["a", "b"] and table.column("value") == ["1", "3"]
    assert table.column("data") == ["points", "points"] and table.column("hardware") == ["a machine"] * 2
    keep("speed", [numbers("b", seed=1, ms=4.0)], **head | {"hardware": "a card"})
    assert index(tmp_path).column("hardware") == ["a machine", "a machine; a card"]
    Comparison([numbers("a", ms=1.0)], question="How fast?", command="here").save(tmp_path / "speed.json")
    assert index(tmp_path).rows[0][-3:] == ("hardware not recorded", "here", "commit not recorded")
