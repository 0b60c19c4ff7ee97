"""`gannb score` with a run on a side: it scores as the images that `gannb sample` writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gannb import cli
from gannb.experiments.particles_sagan.params import ParticlesSagan
from gannb.experiments.tour.params import Tour
from gannb.networks import registry
from gannb.networks.toys import PointGenerator
from gannb.runs.folder import Run
from tests.trained_runs import run_of

FAED = ("--features", "faed", "--no-lpips")


@pytest.fixture
def generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANNB_RUNS", str(tmp_path / "runs"))
    p = ParticlesSagan(latent_dim=8, image_size=16, ngf=8, network="dcgan")
    return run_of(p, "G", lambda: registry.generator("dcgan", 8, 8, 16, 1))


@pytest.mark.parametrize("how", [(), ("--resize", "8", "--channels", "colour")])
def test_a_run_scores_as_its_images_and_its_statistics(generator: Run, tmp_path: Path, how: tuple[str, ...]) -> None:
    def scores(*sides: object) -> dict:
        out = tmp_path / "scores.json"
        assert cli.main(["score", *map(str, sides), *FAED, *how, "--json", str(out)]) == 0
        return json.loads(out.read_text())["metrics"]

    folders = [tmp_path / "real", tmp_path / "fake"]
    for folder, seed in zip(folders, "90"):
        assert cli.main(["sample", str(generator.folder), "-n", "70", "--seed", seed, "--out", str(folder)]) == 0
    real, fake = (folder / "images" for folder in folders)
    expected = scores(real, fake)
    assert expected["faed"]["value"] > 0
    assert scores(real, generator.folder, "-n", "70") == expected
    assert scores(real, "last", "-n", "70") == expected
    assert cli.main(["score", "--save-stats", str(real), str(tmp_path / "real.npz"), *FAED, *how]) == 0
    assert scores(tmp_path / "real.npz", generator.folder.name, "-n", "70") == expected


def test_a_run_that_generates_no_images_and_a_bad_count_are_refused(
    generator: Run, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    points = run_of(Tour(), "G", lambda: PointGenerator(width=64, depth=2))
    assert cli.main(["score", str(points.folder), str(generator.folder)]) == 2
    assert "REAL: " in (said := capsys.readouterr().err) and "a run of tour, which generates no images" in said
    assert cli.main(["score", str(generator.folder), str(generator.folder), "-n", "1"]) == 2
    assert "-n: given 1; allowed: 2" in capsys.readouterr().err
