"""Benchmarks run: those that train nothing long, and the words of all."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gannb import cli
from gannb.batch.sweep import plan
from gannb.comparison.results import result, samples_of
from gannb.comparison.trials import Comparison
from gannb.data.particles import load
from gannb.experiments.identity.synthetic import synthesise
from gannb.experiments.particles_sagan.params import ParticlesSagan
from gannb.experiments.tour.params import Tour
from gannb.figures.grids import image_grid
from gannb.metrics.score import Score, Scores
from gannb.networks import registry
from gannb.networks.layers import of_mean
from gannb.networks.toys import PointGenerator
from tests.trained_runs import run_of


def test_steps_of_networks_that_do_nothing_are_timed(root: Path) -> None:
    """On a card where there is one; else on the CPU, which is said."""
    command = [sys.executable, "steps.py", "--experiments", "null", "--steps", "1", "--pairs", "2"]
    done = subprocess.run(command, cwd=root / "benchmarks", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "null networks, fp32 trainer" in done.stdout and "added_us" in done.stdout
    assert "null networks, fp32 captured {" in done.stdout and "over_bare_captured" in done.stdout
    assert ("runs on the CPU" in done.stderr) != torch.cuda.is_available()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_bare_captured_loop_is_the_plain_one(precision: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On static inputs it computes what the plain loop computes, in every precision."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    steps = importlib.import_module("steps")
    logged = []
    for captured in (False, True):
        torch.manual_seed(0)
        step = steps.plain("null", 0, torch.device("cpu"), precision, captured=captured)
        logged.append(torch.stack([step() for _ in range(5)]))
    assert torch.equal(*logged) and len(logged[0].unique(dim=0)) == 5


def test_each_benchmark_says_how_it_is_run(root: Path) -> None:
    """A benchmark's first words name its command; those that train take a device."""
    for path in (root / "benchmarks").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.stem != "device":
            assert f"benchmarks/{path.name}" in text.split('"""')[1], path.name


@pytest.mark.parametrize(
    "name", ["steps", "scores", "live", "sharing", "learned_cost", "variants", "transfer", "laboratory"]
)
def test_what_a_card_is_measured_by_takes_a_device_and_names_it(name: str, root: Path) -> None:
    text = (root / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    assert re.search(r"device(_options)?\.option\(", text), "--device"
    assert re.search(r"\bhardware\([\w.]+\)", text), "its results name the card"
    assert re.search(r"device(_options)?\.named\(", text), "and go to a file of their own"


def test_what_is_trained_beside_a_run_is_no_other_setting(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials that are there are kept when a sweep names more variants, not when a number of it changed."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    deciding = importlib.import_module("variants").deciding
    assert deciding({"lr": 1.0, "compared": ["legacy"]}) == deciding({"lr": 1.0, "compared": []}) == {"lr": 1.0}
    assert deciding({"lr": 2.0}) != deciding({"lr": 1.0})


@pytest.mark.parametrize("wrong", [["--variants", "noise=0.1", "nose"], ["--seeds", "0", "9"]])
def test_a_variant_or_seed_that_a_sweep_has_not_is_named(
    wrong: list[str], root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    monkeypatch.setattr(sys, "argv", ["variants.py", "tour_noise", *wrong])
    with pytest.raises(SystemExit):
        importlib.import_module("variants").main()
    assert f"{wrong[0]} {wrong[-1]}: tour_noise has " in capsys.readouterr().err


def test_the_structure_of_pose_is_kept_for_a_file_and_for_synthetic_people(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    benchmark, faces = importlib.import_module("pose_structure"), synthesise(20, 20, seed=9)
    arrays = {name: getattr(faces, name).numpy() for name in ("features", "identity", "pose")}
    np.savez(tmp_path / "mine.npz", **arrays)
    monkeypatch.setattr("gannb.comparison.results.RESULTS", tmp_path)
    monkeypatch.setattr(benchmark, "SEEDS", range(2))
    monkeypatch.setattr(sys, "argv", ["pose_structure.py", str(tmp_path / "mine.npz")])
    benchmark.main()
    found = Comparison.read(tmp_path / "identity_pose_structure.json")
    assert found.variants == ["mine", "synthetic, overlap 0", "synthetic, overlap 0.63"] and len(found) == 5
    shares = [found.mean(variant, "frontal_share") for variant in found.variants]
    assert shares[2] > 2 * shares[1], "the overlap that is planted is found"


def test_traits_that_hardly_show_are_told_apart(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    benchmark = importlib.import_module("particle_traits")
    monkeypatch.setattr(benchmark, "SEEDS", range(1))
    images = of_mean(load(size=32).pixels[:60], 0.25)
    found = Comparison(benchmark.measured(images[:40], images[40:], ["faed"]))
    distance = {name: found.mean(name, "faed_over_floor") for name in found.variants}
    assert distance["brightness ±3 levels"] > 2 * distance["unchanged"]
    assert found.mean("brightness ±1 levels", "brightness_spread") == pytest.approx(1, rel=0.5)
    detail = [found.mean(f"checkerboard of {levels} levels", "fine_detail") for levels in ("0.5", "1", "2")]
    assert detail[0] < detail[1] < detail[2]
    assert found.mean("noise of 2 levels", "fine_detail") > found.mean("unchanged", "fine_detail") + 3


def of_images(runs: Path, **given: object) -> Path:
    """A run folder with a generator of images, as `gannb run` leaves it."""
    p = ParticlesSagan(runs=str(runs), network="dcgan", latent_dim=8, ngf=16, **given)
    run = run_of(p, "G", lambda: registry.generator("dcgan", 8, 16, p.size, p.channels))
    run.summarise(steps=1, seconds=2.0, **Scores([Score("kid_faed", 0.5)]).as_dict())
    return run.folder


def test_the_samples_of_a_trial_are_those_of_the_command(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    variants = importlib.import_module("variants")
    folder = of_images(tmp_path / "runs")
    picture = variants.pictured(folder)
    assert picture == variants.pictured(folder), "the same latents each time"
    assert len(image_grid(load(size=32).pixels[: variants.SHOWN], 10, scale=1).preview) <= 30_000, "of particles"
    assert cli.main(["sample", str(folder), "-n", "40", "--out", str(tmp_path / "samples")]) == 0
    with np.load(tmp_path / "samples" / "samples.npz") as stored:
        images = torch.tensor(stored["images"]).permute(0, 3, 1, 2) / 127.5 - 1
    assert image_grid(images, 10, scale=1).preview == picture
    points = run_of(Tour(runs=str(tmp_path / "runs")), "G", lambda: PointGenerator(width=64, depth=2))
    assert variants.pictured(points.folder) == b"", "points are no images"


def test_a_sweep_keeps_samples_beside_its_result(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    variants = importlib.import_module("variants")
    broken = of_images(tmp_path / "broken")
    monkeypatch.setattr("gannb.comparison.results.RESULTS", tmp_path / "results")
    folders = {"document": of_images(tmp_path / "runs"), "tuned": broken}
    (checkpoint,) = (broken / "checkpoints").glob("*.safetensors")
    checkpoint.unlink()
    for variant, threads in (("document", 7), ("tuned", 1)):
        path = folders[variant] / "environment.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"threads": threads}))
    monkeypatch.setattr(variants, "run", lambda notebook, trial, options, runs: (folders[trial.variant], 1.0))
    monkeypatch.setattr(sys, "argv", ["variants.py", "particles_long", "--seeds", "1", "--variants", *folders])
    variants.main()
    assert {(trial.variant, trial.seed) for trial in result("particles_long")} == {("document", 1), ("tuned", 1)}
    assert result("particles_long").head["data"] == "rendered (images, 32 px)"
    ran = {trial.variant: trial.hardware.split(", ")[-1] for trial in result("particles_long")}
    assert ran == {"document": "7 threads", "tuned": "1 thread"}, "what the trial ran with, not this process"
    (kept,) = (path for path in (tmp_path / "results" / "samples").rglob("*") if path.is_file())
    assert kept == samples_of("particles_long", "document", 1) and kept.read_bytes() == variants.pictured(
        folders["document"]
    )


def test_a_curve_that_was_not_measured_loses_no_trial(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path, capsys
) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    variants = importlib.import_module("variants")
    folder = of_images(tmp_path / "runs")
    (folder / "metrics.jsonl").write_text('{"step": 1, "choosing": 3.0}\n')
    first = plan.read(root / "params" / "sweeps" / "particles_long.yaml").trials[0]
    found = variants.collected(first, folder, 1.0, ["choosing", "chosing"])
    assert found[""][0].paths == {"choosing": [(1, 3.0)]}
    assert "no curve of chosing; measured: choosing" in capsys.readouterr().out


def test_no_two_variants_of_a_sweep_share_a_picture(root: Path) -> None:
    for path in (root / "params" / "sweeps").glob("*.yaml"):
        sweep = plan.read(path)
        paths = [samples_of(sweep.name, variant, 0) for variant in {trial.variant for trial in sweep.trials}]
        assert len(paths) == len(set(paths)), path.name


def test_a_preset_is_timed_as_a_person_runs_it(root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(root / "benchmarks")
    presets = importlib.import_module("presets")
    (tmp_path / "summary.json").write_text('{"steps": 4, "seconds": 1.5}')
    commands = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        commands.append(" ".join(command[1:]))
        return SimpleNamespace(returncode=len(commands) - 1, stdout=f"run: {tmp_path}\n", stderr="no CUDA device")

    monkeypatch.setattr(presets.subprocess, "run", run)
    found = presets.taken("tour", "quick", "cuda")
    assert found["training_seconds"] == 1.5 and found["seconds"] >= 0
    assert "gannb.cli run tour --preset quick" in commands[0] and "-p device=cuda" in commands[0]
    with pytest.raises(RuntimeError, match=r"tour, quick, cuda failed:(\n.*)+no CUDA device"):
        presets.taken("tour", "quick", "cuda")
