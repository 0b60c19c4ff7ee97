"""`gannb lab` copies what the notebooks need, and never over a reader's own files."""

from pathlib import Path

import pytest

from gannb import cli
from gannb.batch import lab_command
from gannb.config import presets
from gannb.runs import locations


def test_a_copy_is_complete_and_a_home(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["lab", str(tmp_path / "mine"), "--no-open"]) == 0
    wanted = {path.name for path in (presets.HOME / "notebooks").glob("*.ipynb")}
    assert {path.name for path in (tmp_path / "mine" / "notebooks").glob("*.ipynb")} == wanted
    assert str(tmp_path / "mine" / "notebooks") in capsys.readouterr().out
    nowhere = tmp_path / "site-packages"
    assert presets.find_home(nowhere, tmp_path / "mine" / "notebooks") == tmp_path / "mine"


def test_a_readers_own_files_are_left_as_they_are(tmp_path: Path) -> None:
    total, _ = lab_command.copy(presets.HOME, tmp_path)
    mine = tmp_path / "notebooks" / "00_tour.ipynb"
    mine.write_text("mine")
    (tmp_path / "params" / "tour" / "quick.yaml").unlink()
    assert lab_command.copy(presets.HOME, tmp_path) == (1, total - 1)
    assert mine.read_text() == "mine"


def test_a_checkout_comes_first_and_a_wheels_copies_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = tmp_path / "shipped"
    assert presets.find_home(tmp_path / "repository", tmp_path, shipped) == shipped
    for name in ("repository", "mine"):
        (tmp_path / name / "notebooks").mkdir(parents=True)
        (tmp_path / name / "params" / "tour").mkdir(parents=True)
        (tmp_path / name / "params" / "tour" / "quick.yaml").touch()
    assert presets.find_home(tmp_path / "repository", tmp_path / "mine", shipped) == tmp_path / "repository"
    assert presets.find_home(tmp_path / "none", tmp_path / "mine", shipped) == tmp_path / "mine"
    monkeypatch.setattr(presets, "HOME", presets.SHIPPED)
    monkeypatch.delenv("GANNB_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert locations.home() == tmp_path / "runs", "never among the installed files"


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["lab", str(tmp_path / "file"), "--no-open"]) == 2
    assert "folder: cannot write to" in capsys.readouterr().err
