"""Trained numbers beside a stored reference: as it is, too far off, no reference for other parameters."""

import pytest
import torch

from gannb.metrics.score import Score, Scores
from gannb.runs import reference
from gannb.runs.folder import Run
from gannb.runs.reference import Trained, store
from tests.training.regimes import Toy


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "FOLDER", tmp_path / "references")
    return Run.open(Toy(runs=str(tmp_path / "runs")))


def test_without_a_reference_it_says_so(run):
    assert f"no reference for parameters {run.params.hash}" in repr(Trained(Scores([Score("kid", 1.0)]), run))


def test_within_tolerance_the_text_names_no_digit(run):
    Trained(Scores([Score("kid", 1.0)]), run)
    store(run.folder, "toy", run.params.hash)
    assert repr(Trained(Scores([Score("kid", 1.4)]), run)) == "kid: as in the reference, within 50%"
    assert repr(Trained(Scores([Score("kid", 1.6)]), run)) == "kid: 1.6, the reference is 1 (within 50% is allowed)"
    assert "not in the reference" in repr(Trained(Scores([Score("fid", 1.0)]), run))


def test_other_parameters_have_no_reference(run, tmp_path):
    Trained(Scores([Score("kid", 1.0)]), run)
    store(run.folder, "toy", run.params.hash)
    other = Run.open(Toy(runs=str(tmp_path / "runs"), seed=1))
    assert "no reference" in repr(Trained(Scores([Score("kid", 1.0)]), other))


def test_a_person_sees_every_digit(run):
    assert "1.234" in Trained(Scores([Score("kid", 1.234)]), run)._repr_html_()


def test_not_finite_is_never_as_in_the_reference(run):
    Trained("a table", run, {"loss": 1.0})
    store(run.folder, "toy", run.params.hash)
    assert "nan" in repr(Trained("a table", run, {"loss": float("nan")}))


def test_a_fingerprint_is_compared_exactly_on_the_same_kind_of_machine_alone(run, monkeypatch):
    Trained("weights", run, {"weights": "ab12", "norm": 1.0})
    store(run.folder, "toy", run.params.hash)
    same = "weights: as in the reference, exactly on its kind of machine"
    assert repr(Trained("weights", run, {"weights": "ab12"})) == same
    changed = Trained("weights", run, {"weights": "cd34", "norm": 1.01}, within=0.02)
    differs = "weights: cd34, the reference is ab12, from the same kind of machine"
    assert repr(changed) == f"{differs}\nnorm: as in the reference, within 2%"
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX9")
    assert repr(changed) == f"{same}\nnorm: as in the reference, within 2%"
