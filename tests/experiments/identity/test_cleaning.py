"""A trained run cleans a user's features; with the residual, frontal ones come back as they went in."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gannb.config.faults import NotFound
from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.experiments.identity import losses, networks
from gannb.experiments.identity.cleaning import Cleaner, clean_file
from gannb.experiments.identity.params import Identity
from gannb.experiments.identity.synthetic import synthesise
from gannb.random import seeded
from gannb.runs.folder import Run, RunError
from gannb.training.player import Player
from gannb.training.trainer import Trainer


def trained(runs: Path, **given: object) -> Trainer:
    """A run of two epochs with the identity loss alone."""
    p = Identity(people=8, images=10, epochs=2, batch_size=16, runs=str(runs), **given)
    train, _ = synthesise(p.people, p.images, seed=0).split(p.held_out, seed=0)
    with seeded(p.seed, "model"):
        model = networks.build(p)

    def loss(turn):
        made = turn.model(turn.batch.features, turn.batch.pose, turn.now.removal, turn.now.blend)
        return losses.identity_similarity(made.output, turn.batch.target)

    player = Player("model", model, loss, lr=lambda now: now.lr)
    data = Batches(train.with_targets().for_batches(), p.batch_size, seed=p.seed)
    trainer = Trainer([player], data, Numbers.of(p), Run.open(p))
    trainer.fit(epochs=p.epochs)
    return trainer


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    return trained(tmp_path_factory.mktemp("runs"))


def test_a_cleaner_is_the_trained_network_at_its_removal(trainer: Trainer) -> None:
    cleaner = Cleaner.of(trainer.run.folder)
    data = synthesise(3, 8, seed=5)
    wanted = networks.clean(data.features, data.pose, trainer.network("model"), removal=1.0, blend=1.0)
    assert torch.equal(cleaner(data.features, data.pose), wanted)
    assert not torch.allclose(wanted, data.features)


def test_the_document_s_network_comes_back_with_its_factors(tmp_path: Path) -> None:
    trainer = trained(tmp_path, model="transformer", width=16, removal=0.3, blend=0.5)
    cleaner = Cleaner.of(trainer.run.folder)
    assert (cleaner.removal, cleaner.blend) == (0.3, 0.5)
    data = synthesise(3, 8, seed=5)
    wanted = networks.clean(data.features, data.pose, trainer.network("model"), removal=0.3, blend=0.5)
    assert torch.equal(cleaner(data.features, data.pose), wanted)


def test_a_cleaned_file_keeps_frontal_features_and_everything_else(trainer: Trainer, tmp_path: Path) -> None:
    data = synthesise(4, 8, seed=9)
    source = tmp_path / "mine.npz"
    yaw = data.pose.clone()
    yaw[::2, 0] = 0
    names = np.array([f"person {number}" for number in data.identity])
    np.savez(source, features=30 * data.features.numpy(), pose=yaw.numpy(), names=names)
    with np.load(clean_file(source, trainer.run.folder, tmp_path / "out" / "clean.npz")) as cleaned:
        assert set(cleaned.files) == {"features", "pose", "names"} and (cleaned["names"] == names).all()
        assert cleaned["features"].dtype == np.float32
        assert np.abs(cleaned["features"][::2] - 30 * data.features.numpy()[::2]).max() <= 1e-3
        assert np.abs(cleaned["features"][1::2] - 30 * data.features.numpy()[1::2]).max() > 0.1


def test_what_is_no_identity_run_is_named(trainer: Trainer, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no run folder"):
        Cleaner.of(tmp_path / "absent")
    other = tmp_path / "other"
    other.mkdir()
    (other / "params.yaml").write_text("experiment: particles_sagan\nngf: 16\n")
    with pytest.raises(RunError, match="no run of identity"):
        Cleaner.of(other)
    (other / "params.yaml").write_text((trainer.run.folder / "params.yaml").read_text())
    with pytest.raises(RunError, match="no whole checkpoint"):
        Cleaner.of(other)
