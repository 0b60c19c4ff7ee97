"""`gannb export`: a folder from which a fresh process, without the trainer, loads the same network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx.reference
import pytest
import torch
import yaml
from PIL import Image

from gannb import cli
from gannb.experiments.compare_runs.params import CompareRuns
from gannb.experiments.motion.inference import save_speakers
from gannb.experiments.motion.networks import building
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.experiments.particles_sagan.params import ParticlesSagan
from gannb.experiments.tour.params import Tour
from gannb.metrics.score import Score, Scores
from gannb.networks import registry
from gannb.networks.toys import PointGenerator
from gannb.random import generator
from gannb.runs.folder import Run
from gannb.training.trained import Trained
from tests.trained_runs import files_below, run_of

NETWORKS = tuple(registry.NETWORKS)
TRACED = ("sagan", "stylegan2", "gestures")
"""Those of which ONNX is tried, which takes seconds each."""
LOAD = """
import sys, torch
from load import load
network = load()
inputs = torch.load("../inputs.pt")
with torch.no_grad():
    torch.save(network(*inputs), "../outputs.pt")
assert not any(name.startswith(("gannb.training", "gannb.runs")) for name in sys.modules), "without the trainer"
"""


def images(runs: Path, network: str, **given: object) -> Run:
    p = ParticlesSagan(runs=str(runs), network=network, latent_dim=8, image_size=16, ngf=8, **given)
    options = p.network_options
    return run_of(p, "G", lambda: registry.generator(network, 8, 8, 16, 1, **options))


def points(runs: Path) -> Run:
    return run_of(Tour(runs=str(runs)), "G", lambda: PointGenerator(width=64, depth=2))


def gestures(runs: Path) -> Run:
    p = MotionBalance(runs=str(runs), n_mels=16, compared=[])
    run = run_of(p, "G", lambda: building.generator(p, 2))
    save_speakers(run, ["ada", "ben"])
    return run


CASES = {name: lambda runs, name=name: images(runs, name, network_options={}) for name in NETWORKS if name != "sagan"}
CASES["sagan"] = lambda runs: images(runs, "sagan", network_options={"attention_at": [8]})
CASES |= {"points": points, "gestures": gestures}


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("case", CASES)
def test_a_fresh_process_loads_the_same_network_without_the_trainer(case: str, tmp_path: Path, monkeypatch) -> None:
    if case not in TRACED:
        monkeypatch.setattr("gannb.batch.publication.find_spec", lambda name: None)
    run, out = CASES[case](tmp_path / "runs"), tmp_path / "out"
    assert cli.main(["export", str(run.folder), str(out)]) == 0
    network = Trained.of(run.folder).network()
    inputs = network.inputs(5, generator("test"))
    torch.save(inputs, tmp_path / "inputs.pt")
    one_thread_too = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=out, env=one_thread_too, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        expected = network.module(*inputs)
    assert torch.equal(torch.load(tmp_path / "outputs.pt"), expected) and expected.std() > 0
    if case not in TRACED:
        return
    if case == "gestures":
        assert (
            "There is no ONNX file: torch's exporter does not take the graph layers" in (out / "README.md").read_text()
        )
        assert json.loads((out / "config.json").read_text())["speakers"] == ["ada", "ben"]
        return
    model = onnx.reference.ReferenceEvaluator(str(out / "model.onnx"))
    (found,) = model.run(None, dict(zip(model.input_names, (tensor.numpy() for tensor in inputs))))
    assert np.abs(found - expected.numpy()).max() < 1e-4, "the same, at another batch size than it was traced with"


def test_the_folder_is_a_repository_of_the_hub(tmp_path: Path) -> None:
    data = tmp_path / "private name" / "crops"
    data.mkdir(parents=True)
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(data / "1.png")
    run, out = images(tmp_path / "runs", "dcgan", data=str(data)), tmp_path / "out"
    run.summarise(
        **Scores([Score("kid", 0.5, floor=0.1, protocol={"n": 7}), Score.missing("fid", "no weights")]).as_dict()
    )
    assert cli.main(["export", str(run.folder), str(out)]) == 0
    expected = {"README.md", "config.json", "model.safetensors", "model.onnx", "load.py", "samples.png", "gannb.json"}
    assert files_below(out) == expected
    text = (out / "README.md").read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["library_name"] == "gannb" and head["pipeline_tag"] == "unconditional-image-generation"
    assert "| kid | 0.5 | 0.1 | n: 7 |" in text and "| fid | unavailable | – | no weights |" in text
    assert "| ngf | `8` |" in text and "`crops`" in text
    assert not any(str(tmp_path) in (out / name).read_text(errors="replace") for name in expected), (
        "no path of this machine"
    )
    call = next(line for line in text.splitlines() if line.startswith("output = "))
    found: dict = {"torch": torch, "network": Trained.of(run.folder).network().module}
    exec(call, found)
    assert found["output"].shape == (1, 1, 16, 16), "the card's example runs"


def test_an_unfinished_run_has_no_scores_and_onnx_may_be_missing(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("gannb.batch.publication.find_spec", lambda name: None)
    run, out = points(tmp_path / "runs"), tmp_path / "out"
    assert cli.main(["export", str(run.folder), str(out), "--raw"]) == 0
    assert "without ONNX: onnx and onnxscript not installed; pip install onnx onnxscript" in capsys.readouterr().out
    assert "None were measured: the run has not finished." in (out / "README.md").read_text()
    assert not (out / "model.onnx").exists() and json.loads((out / "gannb.json").read_text())["raw"] is True


def test_what_cannot_be_exported_is_refused(tmp_path: Path, capsys) -> None:
    run, full = points(tmp_path / "runs"), tmp_path / "full"
    full.mkdir()
    (full / "mine").touch()
    without = Run.open(CompareRuns(runs=str(tmp_path / "runs")))
    for expected, *argv in [
        ("no run folder 'gone'", "gone", tmp_path / "out"),
        ("FOLDER: name the new folder", run.folder),
        ("is not empty", run.folder, full, "--overwrite"),
        ("trains no network", without.folder, tmp_path / "out"),
        ("--checkpoint: given '77'", run.folder, tmp_path / "out", "--checkpoint", "77"),
    ]:
        assert cli.main(["export", *map(str, argv)]) == 2
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1
    assert files_below(full) == {"mine"} and not (tmp_path / "out").exists()
