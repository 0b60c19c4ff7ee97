"""Trained networks of a run: the best or the newest, averaged or raw, also while the run goes on."""

import pytest
import torch

from gannb.experiments.tour.params import Tour
from gannb.networks.toys import PointGenerator
from gannb.runs.checks import RunError
from gannb.training.checkpoint import Checkpoint, Checkpoints
from gannb.training.trained import Trained
from tests.trained_runs import run_of


@pytest.fixture
def run(tmp_path):
    names = ("best", "step-00000001", "step-00000002")
    return run_of(Tour(runs=str(tmp_path)), "G", lambda: PointGenerator(width=64, depth=2), *names)


def saved(run, name, part):
    checkpoint = Checkpoint.read(run.folder / "checkpoints" / f"{name}.safetensors")
    return checkpoint.tensors[f"G/{part}/body.0.weight"]


@pytest.mark.parametrize(
    "which, raw, name, part",
    [
        ("", False, "best", "average"),
        ("best", True, "best", "module"),
        ("last", False, "step-00000002", "average"),
        ("1", True, "step-00000001", "module"),
    ],
)
def test_which_network_is_wanted(run, which, raw, name, part) -> None:
    network = Trained.of(run.folder, which, raw=raw).network()
    assert torch.equal(network.module.body[0].weight, saved(run, name, part))
    assert not network.module.training and not any(p.requires_grad for p in network.module.parameters())
    rebuilt = network.builder(**network.arguments)
    rebuilt.load_state_dict(network.module.state_dict())
    (z,) = network.inputs(5, torch.Generator().manual_seed(0))
    assert torch.equal(rebuilt.eval()(z), network.module(z))


def test_without_a_best_one_the_newest_is_taken(run) -> None:
    (run.folder / "checkpoints" / "best.safetensors").unlink()
    assert Trained.of(run.folder).step == 3
    with pytest.raises(RunError, match="there is no checkpoint best"):
        Trained.of(run.folder, "best")


def test_a_checkpoint_that_a_running_run_removes_is_looked_for_again(run, monkeypatch) -> None:
    newest, calls = Checkpoints.newest, []

    def racing(self):
        calls.append(self)
        return newest(self) if len(calls) == 2 else (None, ["there is no checkpoint step-00000002"])

    monkeypatch.setattr(Checkpoints, "newest", racing)
    assert Trained.of(run.folder, "last").step == 3 and len(calls) == 2


def test_what_cannot_be_used_is_named(run) -> None:
    with pytest.raises(RunError, match="is a run of tour, and no run of identity"):
        Trained.of(run.folder, experiment="identity")
    with pytest.raises(RunError, match="no checkpoint '7'; there are: 2, 1, last"):
        Trained.of(run.folder, "7")
    with pytest.raises(RunError, match="weights are of another network"):
        Trained.of(run.folder).load("G", PointGenerator(width=8, depth=2))
    settings = run.folder / "params.yaml"
    settings.write_text(settings.read_text().replace("width: 64", "width: -1"))
    with pytest.raises(RunError, match=r"does not read.*width"):
        Trained.of(run.folder)
