"""Run folders are found by path, by name, and by being the newest."""

from pathlib import Path

import pytest

from gannb.config.faults import NotFound
from gannb.config.presets import HOME
from gannb.runs.locations import find, folders, home


@pytest.fixture
def runs(tmp_path: Path) -> str:
    made = (("a", "20260101-000000-aaaaaa"), ("a", "20260103-000000-aaaaaa"), ("b", "20260102-000000-bbbbbb"))
    for name, run in made:
        (tmp_path / name / run).mkdir(parents=True)
        (tmp_path / name / run / "params.yaml").write_text("seed: 0\n")
    (tmp_path / "a" / "no-run").mkdir()
    return str(tmp_path)


def test_home_is_given_or_from_the_environment_or_beside_the_notebooks(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GANNB_RUNS", str(tmp_path / "env"))
    assert home(str(tmp_path / "given")) == tmp_path / "given"
    assert home() == tmp_path / "env"
    monkeypatch.delenv("GANNB_RUNS")
    assert home() == HOME / "runs"


def test_folders_are_runs_only_oldest_first(runs: str) -> None:
    assert [folder.name[:8] for folder in folders(runs)] == ["20260101", "20260102", "20260103"]
    assert [folder.name[:8] for folder in folders(runs, "b")] == ["20260102"]


def test_a_run_is_found_by_path_name_or_as_the_last(runs: str) -> None:
    newest = Path(runs, "a", "20260103-000000-aaaaaa")
    assert find(str(newest)) == find(newest.name, runs) == find("last", runs) == newest
    assert find("last", runs, "b").parent.name == "b"


def test_a_run_that_is_not_there_says_where_it_was_looked_for(runs: str) -> None:
    with pytest.raises(NotFound, match=f"no run folder 'no-run'.*{runs}.*3 runs there"):
        find("no-run", runs)
