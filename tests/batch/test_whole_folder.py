"""A folder that a command writes: there as a whole or not at all."""

from pathlib import Path

import pytest

from gannb.batch import whole_folder


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with whole_folder.writing(out, {"n": 1}) as folder:
        (folder / "kept").write_text("old")
    rename = Path.rename

    def fails(path: Path, target: Path) -> Path:
        if target == out and not (path / "kept").exists():
            raise OSError(5, "input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="input/output"), whole_folder.writing(out, {"n": 2}) as folder:
        (folder / "new").write_text("new")
    assert (out / "kept").read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["out"]
