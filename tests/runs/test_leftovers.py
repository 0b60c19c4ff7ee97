"""What killed processes leave behind, and what the next start removes of it."""

import os
from pathlib import Path

import pytest

from gannb.runs import leftovers


def test_only_what_ended_processes_of_this_machine_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = leftovers.hidden(tmp_path, "01_toy", ".ipynb")
    own.touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 2**22 + 5)  # beyond any process id
        dead = [leftovers.hidden(tmp_path, "01_toy", ".ipynb"), leftovers.hidden(tmp_path, "summary.json", ".part")]
        folder = leftovers.hidden(tmp_path, "ranks")
        patch.setattr(leftovers.platform, "node", lambda: "other-machine")
        far = leftovers.hidden(tmp_path, "01_toy", ".ipynb")
    for path in (*dead, far, tmp_path / "notebook.ipynb", tmp_path / ".lock"):
        path.touch()
    (folder.with_name(f"{folder.name}-abc")).mkdir()
    leftovers.clean(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {own.name, far.name, "notebook.ipynb", ".lock"}


def test_in_a_run_folder_all_halves_go(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in (".summary.json@far@1.part", "checkpoints/.best.safetensors@far@2.part", "summary.json"):
        (tmp_path / name).touch()
    leftovers.clean_run(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["summary.json"]
