"""Images of every format, from files to files: training, resuming, sampling, scoring and exporting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gannb import cli
from gannb.config.image_formats import COLOURS, Size, sides
from gannb.control.numbers import Numbers
from gannb.data import particles
from gannb.data.batches import Batches
from gannb.experiments.particles_sagan.losses import Losses
from gannb.experiments.particles_sagan.params import ParticlesSagan
from gannb.metrics.score import Scores
from gannb.networks import registry
from gannb.random import seeded
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer

FORMATS: list[tuple[Size, str, str]] = [(256, "rgb", "resize"), ((48, 64), "rgba", "pad"), (96, "rgba", "crop")]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight discs on transparent ground, of 110×130 pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:110, :130]
    for i in range(8):
        inside = (rows - rng.uniform(40, 70)) ** 2 + (columns - rng.uniform(50, 80)) ** 2 < rng.uniform(20, 35) ** 2
        image = np.empty((110, 130, 4), dtype=np.uint8)
        image[..., :3], image[..., 3] = rng.integers(0, 256, 3), 255 * inside
        Image.fromarray(image).save(folder / f"{i}.png")
    return folder


def trainer_of(p: ParticlesSagan) -> Trainer:
    images = particles.load(p.data, p.size, p.seed, fit=p.fit, channels=p.channels)
    with seeded(p.seed, "G"):
        G = registry.generator(p.network, p.latent_dim, p.ngf, p.size, p.channels, **p.network_options)
    with seeded(p.seed, "D"):
        D = registry.discriminator(p.network, p.ndf, p.size, p.channels, **p.network_options)
    losses = Losses(p)
    players = [
        Player("D", D, losses.d_loss, lr=lambda now: now.lr_d),
        Player("G", G, losses.g_loss, lr=lambda now: now.lr_g, ema=0.9),
    ]
    return Trainer(
        players, Batches(images.pixels, p.batch_size, seed=0), Numbers.of(p), Run.open(p), checkpoint_every=1
    )


@pytest.mark.parametrize(("size", "colour", "fit"), FORMATS)
@pytest.mark.parametrize("network", registry.NETWORKS)
def test_a_run_resumes_exactly_and_its_samples_are_files(
    network: str, size: Size, colour: str, fit: str, pictures: Path, tmp_path: Path
) -> None:
    height, width = sides(size)
    given: dict[str, Any] = {"network": network, "image_size": height, "image_width": width, "colour": colour}
    given |= {"data": str(pictures), "fit": fit, "augment": "hflip,contrast,rotation", "batch_size": 2}
    narrow = 2 if size == 256 else 4
    given |= {"ngf": narrow, "ndf": narrow, "latent_dim": 8, "penalty_weight": 1.0, "penalty_every": 1, "loss": "bce"}
    given |= {"runs": str(tmp_path), "reconstruction_weight": float(registry.NETWORKS[network].reconstructs)}
    whole = trainer_of(ParticlesSagan(**given))
    whole.fit(steps=2)
    half = trainer_of(ParticlesSagan(**given))
    half.fit(steps=1)
    again = trainer_of(ParticlesSagan(**given, resume=str(half.run.folder))).start()
    again.fit(steps=2)
    assert again.step == 2 and again.weights() == whole.weights()
    samples, shared = tmp_path / "samples", tmp_path / "shared"
    assert cli.main(["sample", str(whole.run.folder), "-n", "3", "--out", str(samples)]) == 0
    written = [Image.open(path) for path in sorted((samples / "images").glob("*.png"))]
    assert {(image.mode, image.size) for image in written} == {(colour.upper(), (width, height))} and len(written) == 3
    with np.load(samples / "samples.npz") as stored:
        assert stored["images"].shape == (3, height, width, COLOURS[colour])
        assert np.array_equal(stored["images"], [np.asarray(image) for image in written])
    if network == "dcgan" and colour == "rgba":
        assert cli.main(["export", str(whole.run.folder), str(shared)]) == 0
        config = json.loads((shared / "config.json").read_text())
        assert config["arguments"]["channels"] == COLOURS[colour] and ("alpha" in str(config)) == (colour == "rgba")


def test_captured_turns_that_reconstruct_are_bit_equal(tmp_path: Path) -> None:
    given = {"network": "fastgan", "loss": "hinge", "reconstruction_weight": 1.0}
    given |= {
        "penalty_weight": 0.1,
        "penalty_every": 2,
        "image_size": 16,
        "ngf": 4,
        "ndf": 4,
        "latent_dim": 8,
        "augment": "hflip,translation,brightness",
    }
    found = []
    for how in ("off", "on"):
        trainer = trainer_of(ParticlesSagan(**given, runs=str(tmp_path), capture=how))
        trainer.fit(steps=24, quiet=True)
        found.append((trainer.weights(), (trainer.run.folder / "metrics.jsonl").read_text()))
    assert found[0] == found[1] and "D/reconstruction" in found[0][1]
    assert {name: str(turns) for name, turns in trainer.captured.items()} == {"D": "2 graphs", "G": "1 graph"}


def test_a_run_scores_as_its_samples_do(pictures: Path, tmp_path: Path) -> None:
    given = {"image_size": 48, "image_width": 64, "colour": "rgba", "data": str(pictures), "augment": "", "fit": "pad"}
    p = ParticlesSagan(runs=str(tmp_path), network="dcgan", ngf=4, ndf=4, latent_dim=8, batch_size=4, **given)
    trainer = trainer_of(p)
    trainer.fit(steps=1)
    run, real, out = str(trainer.run.folder), tmp_path / "real", tmp_path / "samples"
    real.mkdir()
    for path in pictures.glob("*.png"):
        Image.open(path).resize((64, 48)).save(real / path.name)
    assert cli.main(["sample", run, "-n", "12", "--out", str(out)]) == 0
    found = []
    for fake in (["-n", "12", run], [str(out / "images")], [str(out / "samples.npz")]):
        options = ["--features", "faed", "--no-lpips", "--json", str(tmp_path / "scores.json")]
        assert cli.main(["score", *options, *fake[:-1], str(real), fake[-1]]) == 0
        found.append(Scores.from_dict(json.loads((tmp_path / "scores.json").read_text())).faed.value)
    assert found[0] == found[1] == found[2]
