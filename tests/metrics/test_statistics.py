"""Statistics as files: scores equal those of the images, other tools' files are read, what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from gannb.data.arrays import ArrayError
from gannb.metrics import evaluation, score_folders, statistics
from gannb.metrics.evaluator import Evaluator
from gannb.metrics.score_folders import FileImages, save_statistics
from gannb.metrics.statistics import Statistics, is_statistics
from tests.data.fuzz import damaged
from tests.metrics.test_score_folders import run, save

DAMAGE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def scored(real, fake, features="auto", **how):
    return score_folders.score_folders(real, fake, features=features, lpips=False, **how)


def metrics(*sides, **how):
    return scored(*sides, **how).as_dict()["metrics"]


@pytest.fixture
def folders(tmp_path, blobs):
    return save(tmp_path / "real", blobs(40, 1)), save(tmp_path / "fake", blobs(50, 2))


@pytest.fixture
def few(tmp_path, blobs):
    """Colour images for Inception, few."""
    return [save(tmp_path / name, blobs(12, seed).expand(-1, 3, -1, -1)) for name, seed in (("real", 1), ("fake", 2))]


@pytest.fixture
def nothing_is_computed(monkeypatch):
    def passed(*_):
        raise AssertionError("images were passed through a network")

    monkeypatch.setattr(evaluation.Sample, "of", passed)
    monkeypatch.setattr(torch.nn.Module, "__call__", passed)


# -- gannb's own -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [2500, 30])
def test_statistics_score_as_the_folder_does_to_the_bit(folders, tmp_path, blobs, monkeypatch, kept):
    """Where all features are kept, and where some are."""
    for module in (evaluation, statistics):
        monkeypatch.setattr(module, "KEPT", kept)
    real, fake = folders
    save_statistics(real, tmp_path / "real.npz", features="faed")
    assert metrics(tmp_path / "real.npz", fake) == metrics(real, fake, features="faed")
    np.savez(tmp_path / "fake.npz", x=((blobs(50, 2) + 1) * 127.5).round().byte().squeeze(1).numpy())
    assert metrics(tmp_path / "real.npz", tmp_path / "fake.npz") == metrics(real, fake, features="faed")


def test_a_statistics_file_on_either_side(few, tmp_path, with_inception, monkeypatch):
    real, fake = (tmp_path / f"{folder.name}.npz" for folder in few)
    for folder, file in zip(few, (real, fake)):
        save_statistics(folder, file, features="inception")
    direct = metrics(*few, features="inception")
    assert direct["fid"]["value"] > 0 and direct["kid"]["value"] is not None
    assert metrics(real, few[1]) == direct and metrics(few[0], fake) == direct
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    assert metrics(real, fake) == direct, "without images the network is not needed"


def test_the_command_writes_a_file_and_scores_against_it(folders, tmp_path, capsys):
    real, fake = folders
    assert run("--save-stats", real, tmp_path / "out" / "real.npz", "--features", "faed") == 0
    assert "real.npz: statistics of 40 images (real: 40 used: 16×16 grey, 8-bit)" in capsys.readouterr().out
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / "real.npz"], "nothing is left aside"
    assert run(tmp_path / "out" / "real.npz", fake, "--json", tmp_path / "scores.json") == 0
    shown = capsys.readouterr()
    assert "faed" in shown.out and "generated images" in shown.err, "the table, and a progress bar"
    found = json.loads((tmp_path / "scores.json").read_text())
    assert {"n_real": 40, "features": "faed"}.items() <= found["metrics"]["faed"]["protocol"].items()
    assert run("--save-stats", real, tmp_path / "out" / "real.npz") == 2 and run("--save-stats", real, fake) == 2
    said = capsys.readouterr().err
    assert "is there already" in said and "the name of a new .npz file is needed" in said


def test_training_images_stand_beside_statistics(folders, tmp_path, blobs):
    real, fake = folders
    train = save(tmp_path / "train", blobs(60, 4))
    save_statistics(real, tmp_path / "real.npz", features="faed")
    found = scored(tmp_path / "real.npz", fake, train=train)
    assert found.copies.available and found.faed_50_all.protocol["n_real"] == 100


# -- of other tools ----------------------------------------------------------------------------------------------------


def test_pytorch_fids_file_scores_as_the_folder_does_and_it_reads_ours(few, tmp_path, with_inception):
    from pytorch_fid.fid_score import compute_statistics_of_path, save_fid_stats

    theirs = tmp_path / "theirs.npz"
    save_fid_stats([str(few[0]), str(theirs)], 8, "cpu", 192, num_workers=0)
    direct, found = scored(*few, features="inception_192"), scored(theirs, few[1])
    assert found.fd_inception_192.value == pytest.approx(direct.fd_inception_192.value, rel=1e-3)
    assert found.kid_inception_192.reason == found.precision.reason == "theirs.npz holds no features"
    assert found.fd_inception_192.protocol["n_real"] is None
    assert "their number and size could not be checked" in "\n".join(found.notes)
    save_statistics(few[0], tmp_path / "ours.npz", features="inception_192")
    mean, covariance = compute_statistics_of_path(str(tmp_path / "ours.npz"), None, 8, 192, "cpu")
    expected = compute_statistics_of_path(str(theirs), None, 8, 192, "cpu")
    assert np.allclose(mean, expected[0], rtol=1e-3, atol=1e-6)
    assert np.abs(covariance - expected[1]).max() < 1e-3 * np.abs(covariance).max()


@pytest.fixture
def fidelity(few, tmp_path, with_inception, random_inception_state):
    """torch-fidelity's distance of the two folders, and its caches of the first one by kind."""
    import torch_fidelity

    torch.save(random_inception_state, tmp_path / "weights.pth")
    how = {"feature_extractor": "inception-v3-compat", "feature_extractor_weights_path": str(tmp_path / "weights.pth")}
    how |= {"feature_layer_fid": "192", "cuda": False, "verbose": False, "cache_root": str(tmp_path / "cache")}
    inputs = {"input1": str(few[0]), "input2": str(few[1]), "input1_cache_name": "real", "input2_cache_name": "fake"}
    distance = torch_fidelity.calculate_metrics(fid=True, **inputs, **how)["frechet_inception_distance"]
    name = "{}-inception-v3-compat-{}-192.pt"
    return distance, lambda side, kind: tmp_path / "cache" / name.format(side, kind)


def test_torch_fidelitys_caches_score_as_it_does(few, fidelity):
    distance, cache = fidelity
    for kind in ("stat-fid", "features"):
        found = scored(cache("real", kind), few[1])
        assert found.fd_inception_192.value == pytest.approx(distance, rel=1e-3), "with images prepared as it does"
        assert found.kid_inception_192.available == (kind == "features")
        assert scored(cache("real", kind), cache("fake", kind)).fd_inception_192.value == pytest.approx(distance, 1e-6)
    ours = scored(*few, features="inception_192").fd_inception_192.value
    assert abs(ours - distance) > 1e-3 * distance, "another resize is another score"


# -- what does not fit -------------------------------------------------------------------------------------------------


def refused(*sides, **how):
    with pytest.raises(ValueError) as error:
        scored(*sides, **how)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def pair(folders, tmp_path):
    """A file of statistics on FAED, and what a changed copy of it is refused for."""
    save_statistics(folders[0], tmp_path / "real.npz", features="faed")

    def changed(**protocol):
        with np.load(tmp_path / "real.npz") as stored:
            arrays = dict(stored)
        facts = json.loads(str(arrays["facts"]))
        facts["protocol"] |= protocol
        np.savez(tmp_path / "changed.npz", **arrays | {"facts": np.array(json.dumps(facts))})
        return tmp_path / "changed.npz"

    return tmp_path / "real.npz", changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pixels": "8 bits, reader 1"}, "pixels 8 bits, reader 1 and 8 bits, reader"),
        ({"shape": [1, 32, 32]}, r"changed.npz: .*its weights are not of a network for images \[1, 32, 32\]"),
        ({"fingerprint": "0" * 32}, "changed.npz: its autoencoder for FAED cannot be used .*fingerprint 0{32} and"),
        ({"precision": "bf16"}, "precision bf16 and fp32"),
        ({"precision": "fp8"}, "changed.npz: its facts cannot be used .*precision"),
        ({"depth": 3}, "changed.npz: its facts cannot be used .*depth"),
    ],
)
def test_another_protocol_is_refused_before_anything_is_computed(pair, folders, change, said, nothing_is_computed):
    import re

    assert re.search(said, refused(pair[1](**change), folders[1]))


def test_images_of_another_size_are_refused(pair, tmp_path, blobs, nothing_is_computed):
    other = save(tmp_path / "other", blobs(20, 3, 32))
    said = refused(pair[0], other)
    assert "32×32 grey" in said and "--resize 16 brings all to one size" in said


def test_features_of_another_name_are_refused(pair, folders, nothing_is_computed):
    assert "holds features of 'faed'" in refused(pair[0], folders[1], features="inception")
    assert "FAED) that was not fitted to REAL" in refused(folders[0], pair[0])


def test_other_weights_are_refused(few, tmp_path, with_inception, random_inception_state, monkeypatch):
    save_statistics(few[0], tmp_path / "real.npz", features="inception_64")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    from pytorch_fid.inception import FID_WEIGHTS_URL

    other = {name: 1.1 * tensor for name, tensor in random_inception_state.items()}
    (tmp_path / "home" / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(other, tmp_path / "home" / "hub" / "checkpoints" / FID_WEIGHTS_URL.rpartition("/")[2])
    monkeypatch.setattr(evaluation.Sample, "of", lambda *_: pytest.fail("images were passed through a network"))
    assert "real.npz and this machine cannot be compared: they differ in fingerprint" in refused(
        tmp_path / "real.npz", few[1]
    )


def test_what_a_file_does_not_hold_is_said(few, tmp_path, blobs):
    np.savez(tmp_path / "m.npz", mu=np.zeros(192), sigma=np.eye(192))
    with pytest.raises(ValueError, match=r"--train: m\.npz does not say how many images"):
        scored(tmp_path / "m.npz", few[1], train=few[0])
    with pytest.raises(ValueError, match=r"m\.npz holds statistics already"):
        save_statistics(tmp_path / "m.npz", tmp_path / "again.npz")
    np.savez(tmp_path / "n.npz", mu=np.ones(192), sigma=np.eye(192))
    found = scored(tmp_path / "m.npz", tmp_path / "n.npz")
    assert found.fd_inception_192.value == pytest.approx(192), "|μ₁ − μ₂|², and the same covariance"
    assert [name for name, score in found.items() if score.available] == ["fd_inception_192"]
    assert {score.reason for score in found.values() if not score.available} >= {"m.npz holds no features"}


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mu", "sigma", "said"),
    [
        (np.zeros(192), np.eye(64), r"needed are floats \[d\] and \[d, d\]"),
        (np.zeros((2, 192)), np.eye(192), "needed are floats"),
        (np.zeros(192, int), np.eye(192), "needed are floats"),
        (np.zeros(0), np.zeros((0, 0)), "needed are floats"),
        (np.zeros(100), np.eye(100), "width 100; Inception's layers have 64, 192, 768, 2048"),
        (np.zeros(64), -np.eye(64), "no covariance"),
        (np.zeros(64), np.triu(np.ones((64, 64))), "not symmetric"),
        (np.full(64, 1e40), np.eye(64), "out of range"),
        (np.full(64, np.nan), np.eye(64), "NaN"),
        (np.array(["a"] * 64), np.eye(64), "real numbers"),
    ],
)
def test_moments_that_are_none_are_refused(tmp_path, mu, sigma, said):
    np.savez(tmp_path / "x.npz", mu=mu, sigma=sigma)
    with pytest.raises(ArrayError, match=rf"x\.npz.*{said}"):
        Statistics.read(tmp_path / "x.npz")


@given(data=st.data())
@DAMAGE
def test_any_arrays_are_read_or_refused_by_name(tmp_path, data):
    shapes = arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    of_any = arrays_of.arrays(st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.complex64]), shapes)
    np.savez(tmp_path / "x.npz", mu=data.draw(of_any), sigma=data.draw(of_any), facts=np.array(data.draw(st.text())))
    with pytest.raises(ArrayError, match=r"x\.npz"):
        Statistics.read(tmp_path / "x.npz")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One small file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    np.savez(folder / "theirs.npz", mu=np.zeros(64), sigma=np.eye(64))
    features = torch.randn(20, 64, generator=torch.Generator().manual_seed(0))
    sample = evaluation.Sample(20, statistics.Moments.of(features), features)
    protocol = statistics.FeatureProtocol(features="inception_64", resize=statistics.RESIZE, shape=(3, 8, 8))
    Statistics("own.npz", sample, protocol, "20 images").save(folder / "own.npz")
    torch.save(features, folder / "a-inception-v3-compat-features-64.pt")
    moments = {"mu": np.zeros(64, np.float32), "sigma": np.eye(64)}
    torch.save(moments, folder / "a-inception-v3-compat-stat-fid-64.pt")
    return sorted(folder.iterdir())


def test_whole_files_are_read(whole):
    assert [Statistics.read(path).sample.moments.mean.shape for path in whole] == [(64,)] * 4
    assert all(map(is_statistics, whole))


@given(which=st.integers(0, 3), seed=st.integers(0, 2**32 - 1))
@DAMAGE
def test_damaged_files_are_read_or_refused_by_name(tmp_path, whole, which, seed):
    path = tmp_path / whole[which].name
    path.write_bytes(damaged(whole[which].read_bytes(), np.random.default_rng(seed)))
    try:
        found = Statistics.read(path).sample
        assert found.moments.mean.isfinite().all() and found.moments.covariance.isfinite().all()
    except ArrayError as refusal:
        assert path.name in str(refusal) and "\n" not in str(refusal)


def test_a_cache_holds_arrays_and_nothing_else(tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "a-inception-v3-compat-stat-fid-64.pt"
    torch.save({"mu": Evil(), "sigma": np.eye(64)}, path)
    with pytest.raises(ArrayError, match=r"a-inception-v3-compat-stat-fid-64\.pt cannot be read"):
        Statistics.read(path)
    assert not (tmp_path / "ran").exists()
    torch.save({"mu": 1}, path)
    with pytest.raises(ArrayError, match="holds no arrays mu and sigma"):
        Statistics.read(path)
    torch.save(torch.zeros(4, 64), tmp_path / "renamed.pt")
    with pytest.raises(ArrayError, match=r"renamed\.pt is not named like a cache of torch-fidelity"):
        Statistics.read(tmp_path / "renamed.pt")


def test_images_in_an_npz_are_no_statistics(tmp_path, folders):
    np.savez(tmp_path / "images.npz", x=np.zeros((4, 8, 8), np.uint8))
    assert not is_statistics(tmp_path / "images.npz") and not is_statistics(folders[0])
    assert not is_statistics(f"{tmp_path / 'images.npz'}:x")


def test_evaluator_takes_statistics_beside_tensors(folders, tmp_path, blobs):
    save_statistics(folders[0], tmp_path / "real.npz", features="faed")
    stored = Statistics.read(tmp_path / "real.npz")
    found = Evaluator(stored, features=stored.extractor())(blobs(50, 2))
    assert found.faed.value == pytest.approx(scored(*folders, features="faed").faed.value, rel=1e-9)
    assert FileImages(folders[0]).shape == stored.shape
