"""The cache: addressed by content, whole or not at all, and never in the way."""

import numpy as np
import pytest
import torch
from torch import nn

from gannb.metrics import feature_cache


def test_folder_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path))
    assert feature_cache.cache_dir() == tmp_path
    monkeypatch.delenv("GANNB_CACHE")
    assert feature_cache.cache_dir().parts[-2:] == (".cache", "gannb")


def test_hash_sees_values_shape_type_and_order():
    x = torch.arange(6.0)
    parts = [(x,), (x.view(2, 3),), (x.double(),), (x.flip(0),), (x, 1), (x, "1"), (x[:3], x[3:]), (x + 1e-6,)]
    assert len({feature_cache.content_hash(*part) for part in parts}) == len(parts)
    assert feature_cache.content_hash(x.view(2, 3).T) == feature_cache.content_hash(x.view(2, 3).T.contiguous())


def test_weights_hash_sees_buffers():
    network = nn.BatchNorm1d(2)
    before = feature_cache.weights_hash(network)
    network(torch.randn(4, 2))
    assert feature_cache.weights_hash(network) != before


def test_arrays_both_ways(monkeypatch, tmp_path):
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path))
    assert feature_cache.load_arrays("features", "x") is None
    feature_cache.store_arrays("features", "x", {"n": 3, "features": np.eye(2)})
    assert np.array_equal(feature_cache.load_arrays("features", "x")["features"], np.eye(2))
    assert [file.name for file in (tmp_path / "features").iterdir()] == ["x.npz"]


def test_pickled_content_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path))
    (tmp_path / "features").mkdir()
    np.savez(tmp_path / "features" / "x.npz", bad=np.array([{"a": 1}], dtype=object))
    with pytest.warns(UserWarning, match="damaged"):
        assert feature_cache.load_arrays("features", "x") is None
    assert not (tmp_path / "features" / "x.npz").exists()


@pytest.mark.parametrize("damage", [b"", b"no archive"])
def test_weights_both_ways_and_damaged(monkeypatch, tmp_path, damage):
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path))
    stored, loaded = nn.Linear(3, 2), nn.Linear(3, 2)
    assert not feature_cache.load_weights("faed", "x", loaded)
    feature_cache.store_weights("faed", "x", stored)
    assert feature_cache.load_weights("faed", "x", loaded) and torch.equal(loaded.weight, stored.weight)
    with pytest.warns(UserWarning, match="size mismatch"):
        assert not feature_cache.load_weights("faed", "x", nn.Linear(4, 2))
    feature_cache.store_weights("faed", "x", stored)
    (tmp_path / "faed" / "x.npz").write_bytes(damage)
    with pytest.warns(UserWarning, match="damaged"):
        assert not feature_cache.load_weights("faed", "x", loaded)


def test_a_folder_that_cannot_be_written_to_only_warns(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="was not cached"):
        feature_cache.store_arrays("features", "x", {"n": 3})
