"""Experiments are found by their folders, presets by their names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import gannb.experiments
from gannb.config import presets
from gannb.config.faults import ParameterError


@pytest.mark.parametrize("name", presets.experiments())
def test_whatever_a_field_is_given_the_error_names_it(name: str) -> None:
    """No rule across fields, and nothing that fills one in, may stumble over another field's bad value first."""
    declared = presets.declaration(name)
    for field in declared.declarations():
        for bad in ({0: "no name"}, object()):
            with pytest.raises(ParameterError, match=rf"(?m)^(  |{name}: ){field}: given"):
                declared(**{field: bad})


def test_an_experiment_is_a_folder_and_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else lists it; they come in the order of their notebooks."""
    for file in ("notebooks/02_tour.ipynb", "notebooks/10_second.ipynb", "notebooks/01_only_a_notebook.ipynb"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("{}")
    monkeypatch.setattr(presets, "HOME", tmp_path)
    monkeypatch.setattr(gannb.experiments, "__path__", [*gannb.experiments.__path__, str(tmp_path / "experiments")])
    assert presets.experiments() == ["tour"], "a notebook without a folder is none, and a folder without a notebook"
    (tmp_path / "experiments" / "second").mkdir(parents=True)
    (tmp_path / "experiments" / "second" / "params.py").write_text(
        "from gannb.config.experiment import Experiment\n\n\nclass Second(Experiment):\n    name = 'second'\n"
    )
    assert presets.experiments() == ["tour", "second"]
    assert presets.declaration("second").name == "second"
    shutil.rmtree(tmp_path / "experiments")
    with pytest.raises(LookupError, match="no experiment is called 'secnd'; there are: tour"):
        presets.declaration("secnd")


def test_a_preset_is_a_name_and_never_a_path(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("seed: 3\n")
    for path in (str(tmp_path / "own"), "../tour/quick", "quick.yaml", ""):
        with pytest.raises(LookupError, match=r"tour has no preset .*there are: quick"):
            presets.preset("tour", path)
