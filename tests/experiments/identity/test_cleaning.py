"""A trained run cleans a user's features; with the residual, frontal ones come back as they went in."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gannb.config.faults import NotFound
from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.experiments.identity import files, losses, networks
from gannb.experiments.identity.cleaning import Cleaner, clean_file
from gannb.experiments.identity.params import Identity
from gannb.experiments.identity.synthetic import synthesise
from gannb.random import seeded
from gannb.runs.folder import Run, RunError
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from tests import memory


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


def test_blocks_are_cleaned_as_the_whole_is_and_a_wrong_number_of_rows_is_refused(
    trainer: Trainer, tmp_path: Path, monkeypatch
) -> None:
    data, cleaner = synthesise(6, 8, seed=9), Cleaner.of(trainer.run.folder)
    source, out = files.save(tmp_path / "mine.npz", data), tmp_path / "clean.npz"
    monkeypatch.setattr(files, "BLOCK", 7)
    seen = []
    clean_file(source, trainer.run.folder, out, watch=lambda raw, cleaned: seen.append(len(raw)))
    assert seen == [7] * 6 + [6]
    with np.load(out) as cleaned:
        wanted = cleaner(data.features, data.pose).numpy()
        np.testing.assert_allclose(cleaned["features"], wanted, atol=1e-5, rtol=0)
        assert all(np.array_equal(cleaned[name], getattr(data, name)) for name in ("identity", "pose"))
    before = out.read_bytes()
    with pytest.raises(ValueError, match="has 48 rows, there are 9 cleaned features"):
        files.save_cleaned(source, [torch.zeros(9, 512)], out)
    with pytest.raises(KeyboardInterrupt):
        clean_file(source, trainer.run.folder, out, watch=_interrupted)
    assert out.read_bytes() == before and len(list(tmp_path.iterdir())) == 2


def _interrupted(*given: object) -> None:
    raise KeyboardInterrupt


_MANY = """
import numpy as np
from gannb.experiments.identity.cleaning import clean_file
run, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
draw = np.random.default_rng(0)
pose = np.zeros((count, 3), np.float32)
pose[:, 0] = 80
some = draw.normal(size=(1000, 512)).astype(np.float16)
np.savez(folder / "many.npz", features=np.concatenate([some] * (count // 1000)), pose=pose)
held.clear()
clean_file(folder / "many.npz", run, folder / "clean.npz")
"""


@pytest.mark.skipif(not memory.is_told(), reason="reads memory as Linux tells it")
def test_many_faces_take_the_memory_of_few(trainer: Trainer, tmp_path: Path) -> None:
    few, many = (memory.peak(_MANY, trainer.run.folder, count, tmp_path) for count in (10_000, 50_000))
    assert many < few + 50, "MiB; held as a whole, 40,000 more took 276"


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
