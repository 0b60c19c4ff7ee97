"""Every experiment says what its network is for, and gives it: with its weights, and built again the same."""

import pytest
import torch

from gannb.config import presets
from gannb.experiments.identity import networks
from gannb.experiments.motion.inference import save_speakers
from gannb.experiments.motion.networks import building
from gannb.networks import registry
from gannb.networks.toys import PointGenerator
from gannb.runs.locations import EXPERIMENTS
from gannb.training.trained import Trained
from tests.trained_runs import run_of

SMALL = {"network": "dcgan", "latent_dim": 8, "image_size": 16}
CASES = {
    "tour": ({"width": 8}, "G", lambda p: PointGenerator(width=8, depth=2)),
    "particles_sagan": (
        {**SMALL, "ngf": 8, "network_options": {"attention_at": [8]}},
        "G",
        lambda p: registry.generator("dcgan", 8, 8, 16, 1, attention_at=[8]),
    ),
    "schedules": ({**SMALL, "width": 8, "latent": "uniform"}, "G", lambda p: registry.generator("dcgan", 8, 8, 16, 3)),
    "identity": ({"model": "transformer", "width": 16, "depth": 1}, "model", networks.build),
    "motion_balance": ({"n_mels": 16}, "G", lambda p: building.generator(p, 2)),
    "motion_wgan_gp": ({"n_mels": 16}, "G", lambda p: building.generator(p, 2)),
}


def test_what_generates_something_says_how() -> None:
    generating = {name for name in presets.experiments() if presets.declaration(name).generates}
    assert {path.parent.name for path in EXPERIMENTS.glob("*/inference.py")} - {"motion"} == generating == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_network_is_built_again_the_same(name: str, tmp_path) -> None:
    given, player, build = CASES[name]
    p = presets.declaration(name)(runs=str(tmp_path), **given)
    run = run_of(p, player, lambda: build(p))
    if p.generates == "gestures":
        save_speakers(run, ["ada", "ben"])
    network = Trained.of(run.folder).network()
    rebuilt = network.builder(**network.arguments)
    rebuilt.load_state_dict(network.module.state_dict())
    inputs = network.inputs(2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        found, again = network.module(*inputs), rebuilt.eval()(*inputs)
    if name == "identity":
        found, again = found.output, again.output
    assert torch.equal(found, again) and found.isfinite().all() and len(found) == 2
    average = Trained.of(run.folder).weights(player)
    assert all(torch.equal(average[key], weight) for key, weight in network.module.named_parameters())
