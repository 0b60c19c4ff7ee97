"""The autoencoder's code, its shapes, and that it learns."""

import pytest
import torch
import torch.nn.functional as F

from gannb.metrics.autoencoder import Autoencoder
from gannb.random import seeded


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 16), (1, 32), (3, 64)])
def test_shapes(channels, size):
    network = Autoencoder(channels, size)
    images = torch.rand(2, channels, size, size) * 2 - 1
    code = network.encode(images)
    assert code.shape == (2, network.code_dim)
    assert network.decode(code).shape == network(images).shape == images.shape


@pytest.mark.parametrize("size", [4, 48, 0])
def test_sizes_that_cannot_be_halved(size):
    with pytest.raises(ValueError, match=f"power of two, at least 8; found {size}"):
        Autoencoder(1, size)


def test_texture_of_the_image_itself_is_in_the_code():
    network = Autoencoder(1, 16, layout_dim=4)
    flat = torch.full((1, 1, 16, 16), 0.25)
    stripes = torch.tensor([-0.5, 0.5]).repeat(8).expand(1, 1, 16, 16)
    mean, spread, rough = network.encode(stripes).detach()[0, 4:7]
    assert mean == pytest.approx(0, abs=1e-6)
    assert spread.exp() == pytest.approx(0.5, rel=1e-4) and rough.exp() == pytest.approx(1, rel=1e-4)
    mean, spread, rough = network.encode(flat).detach()[0, 4:7]
    assert mean == 0.25 and spread.exp() == pytest.approx(1e-3, rel=1e-3) and torch.isfinite(rough)


def test_it_learns_and_flat_images_have_finite_gradients():
    with seeded(0):
        network = Autoencoder(1, 16)
    images = F.interpolate(torch.rand(32, 1, 2, 2, generator=torch.Generator().manual_seed(0)), 16) * 2 - 1
    images[0] = 0.5
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = F.mse_loss(network(images), images)
        optimiser.zero_grad()
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]
