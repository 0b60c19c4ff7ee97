"""`gannb clean`: a copy of a file of features without pose, what it costs, and bad input that ends at once."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gannb import cli
from gannb.experiments.identity import files
from gannb.experiments.identity.cleaning import Cleaner
from gannb.experiments.identity.networks import build
from gannb.experiments.identity.params import Identity
from gannb.experiments.identity.synthetic import synthesise
from gannb.experiments.tour.params import Tour
from gannb.metrics.score import Score, Scores
from gannb.networks.toys import PointGenerator
from gannb.runs.folder import Run
from tests.trained_runs import run_of


@pytest.fixture
def run(tmp_path: Path) -> Run:
    p = Identity(runs=str(tmp_path / "runs"))
    return run_of(p, "model", lambda: build(p))


@pytest.fixture
def features(tmp_path: Path) -> Path:
    return files.save(tmp_path / "mine.npz", synthesise(4, 10, seed=3))


def test_features_are_cleaned_and_the_price_is_said(run: Run, features: Path, capsys) -> None:
    run.summarise(**Scores([Score("improvement", 0.07, interval=(0.06, 0.08)), Score("harm_rate", 0.19)]).as_dict())
    assert cli.main(["clean", str(features), "--model", str(run.folder)]) == 0
    given = files.load(features)
    with np.load(features.with_name("mine_cleaned.npz")) as written:
        cleaned = torch.from_numpy(written["features"])
        assert set(written.files) == {"features", "identity", "pose"}
    assert torch.equal(cleaned, Cleaner.of(run.folder)(given.features, given.pose))
    frontal = int((given.yaw <= run.params.closed_below).sum())
    said = capsys.readouterr().out
    assert 0 < frontal < 40 and f"40 faces: {40 - frontal} changed" in said and f"{frontal} as given" in said
    assert "held out: improvement 0.070 [0.060, 0.080], harm_rate 0.19" in said


def test_an_unfinished_run_says_that_its_price_is_not_known(run: Run, features: Path, tmp_path: Path, capsys) -> None:
    assert cli.main(["clean", str(features), "--model", str(run.folder), "--out", str(tmp_path / "a" / "b.npz")]) == 0
    assert "gain and harm are not known: the run has not finished" in capsys.readouterr().out


def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    run: Run, features: Path, tmp_path: Path, capsys
) -> None:
    tour = run_of(Tour(runs=str(tmp_path)), "G", lambda: PointGenerator(width=64, depth=2))
    radians = tmp_path / "radians.npz"
    np.savez(radians, features=np.ones((3, 512)), pose=np.full((3, 3), 0.5))
    taken = tmp_path / "taken.npz"
    taken.write_bytes(b"mine")
    before = sorted(tmp_path.iterdir())
    for expected, *argv in [
        ("no such file", "gone.npz", "--model", run.folder),
        ("no run folder 'gone'", features, "--model", "gone"),
        ("is a run of tour; a run of identity is needed", features, "--model", tour.folder),
        ("looks like radians", radians, "--model", run.folder),
        ("add --overwrite", features, "--model", run.folder, "--out", taken),
        ("the name of an .npz file is needed", features, "--model", run.folder, "--out", tmp_path / "x.txt"),
    ]:
        assert cli.main(["clean", *map(str, argv)]) == 2
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before and taken.read_bytes() == b"mine"
