"""Inception with seeded random weights in a temporary hub cache: every step is checked but the weights themselves."""

import inspect
from unittest import mock

import pytest
import scipy.linalg
import torch


@pytest.fixture
def with_pytorch_fid():
    """Skip where pytorch-fid's last step cannot run."""
    if "disp" not in inspect.signature(scipy.linalg.sqrtm).parameters:
        pytest.skip("pytorch-fid calls scipy's sqrtm with disp, which this scipy no longer has")


@pytest.fixture(scope="session")
def random_inception_state():
    """A state dict of pytorch-fid's Inception, scaled as He does (else the features, and so the FID, vanish)."""
    from pytorch_fid import inception
    from torchvision.models.inception import Inception3

    with (
        mock.patch.object(inception, "load_state_dict_from_url", lambda *_, **__: {}),
        mock.patch.object(Inception3, "load_state_dict", lambda *_, **__: None),
    ):
        network = inception.fid_inception_v3()
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, generator=draw)
    return network.state_dict()


@pytest.fixture(scope="session")
def hub_cache(tmp_path_factory, random_inception_state):
    """A hub folder that holds those weights under the name that pytorch-fid looks for."""
    from pytorch_fid.inception import FID_WEIGHTS_URL

    home = tmp_path_factory.mktemp("torch_home")
    checkpoints = home / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    torch.save(random_inception_state, checkpoints / FID_WEIGHTS_URL.rpartition("/")[2])
    return home


@pytest.fixture
def with_inception(hub_cache, monkeypatch):
    """Inception's weights are in torch's hub cache."""
    monkeypatch.setenv("TORCH_HOME", str(hub_cache))


@pytest.fixture
def without_inception(tmp_path, monkeypatch):
    """The hub cache is empty, and nothing can be downloaded."""
    from gannb.metrics import inception

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr(inception, "unreachable", lambda url, within: "no network in this test")


@pytest.fixture(scope="session")
def feature_cache(tmp_path_factory):
    """One cache folder for the session: fitted autoencoders are used again by later tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(feature_cache, monkeypatch):
    """No test touches the user's cache."""
    monkeypatch.setenv("GANNB_CACHE", str(feature_cache))


@pytest.fixture
def blobs():
    """A function of (n, seed): `[n, 1, 16, 16]` images, each a bright blob at a random place."""

    def make(n: int, seed: int, size: int = 16) -> torch.Tensor:
        draw = torch.Generator().manual_seed(seed)
        place = torch.rand(n, 2, 1, 1, generator=draw) * size
        width = 1.5 + torch.rand(n, 1, 1, generator=draw)
        y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        image = torch.exp(-((y - place[:, 0]) ** 2 + (x - place[:, 1]) ** 2) / (2 * width**2))
        return (2 * image - 1)[:, None]

    return make
