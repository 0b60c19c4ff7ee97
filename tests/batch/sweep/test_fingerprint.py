"""A trial is known by its parameters, its code and its data, and by nothing else."""

import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gannb.batch.sweep import fingerprint
from gannb.batch.sweep.fingerprint import code_digest, data_digest, trial_id
from gannb.config.experiment import Experiment
from gannb.config.fields import param


class Toy(Experiment):
    name = "toy"
    seed: int = param(0, "seed")
    data: str = param("made", "images", group="data")


def notebook(path: Path, *code: str, prose: str = "why", parameters: str = "seed: int = 0  # seed") -> Path:
    tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[new_markdown_cell(prose), tagged, *map(new_code_cell, code)]), path)
    return path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package whose modules may be changed."""
    copied = tmp_path / "gannb"
    shutil.copytree(fingerprint.PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "PACKAGE", copied)
    return copied


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    fingerprint._tree.cache_clear()
    fingerprint._bare.cache_clear()


def test_prose_comments_parameters_and_magics_do_not_count(tmp_path: Path) -> None:
    plain = code_digest(notebook(tmp_path / "a.ipynb", "x = 1"))
    assert plain == code_digest(notebook(tmp_path / "b.ipynb", "%time\nx  =  1  # one", prose="other"))
    assert plain == code_digest(notebook(tmp_path / "c.ipynb", "x = 1", parameters="seed: int = 5  # seed"))
    assert plain != code_digest(notebook(tmp_path / "d.ipynb", "x = 2"))


def test_modules_count_where_they_are_reached(package: Path, tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", "from gannb.training.player import Player", "import gannb.widgets.live_view")
    before = code_digest(path)
    changed(package / "experiments" / "motion" / "losses.py", "def ", "def unrelated(): ...\n\n\ndef ")
    changed(package / "widgets" / "live_view.py", "REFRESH = 0.2", "REFRESH = 0.3")
    changed(package / "random.py", '"""', '"""Reworded. ')
    assert code_digest(path) == before, "not imported; never shown in a batch; a docstring"
    changed(package / "random.py", "import hashlib", "import hashlib\n\nPLANTED = 1")
    assert code_digest(path) != before, "random is two imports away"


def test_data_count_by_what_they_hold_not_by_where_they_lie(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "a.png").write_bytes(b"abc")
    assert trial_id(Toy(data=str(tmp_path / "one")), "c") == trial_id(Toy(data=str(tmp_path / "two")), "c")
    before = data_digest(tmp_path / "two")
    (tmp_path / "two" / "sub" / "a.png").write_bytes(b"abd")
    data_digest.cache_clear()
    assert data_digest(tmp_path / "two") != before


def test_each_part_makes_another_trial() -> None:
    ids = {trial_id(Toy(), "c"), trial_id(Toy(seed=1), "c"), trial_id(Toy(), "d"), trial_id(Toy(data="made2"), "c")}
    assert len(ids) == 4
    assert trial_id(Toy(device="cpu", threads=3, preset="quick"), "c") == trial_id(Toy(), "c"), "how it is carried out"
