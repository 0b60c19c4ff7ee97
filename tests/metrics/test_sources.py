"""Images to be scored come in batches, checked, and the same each time."""

import pytest
import torch
from torch import nn

from gannb.metrics.sources import BATCH, GeneratedImages, TensorImages, evenly


class Generator(nn.Module):
    """Draws noise of its own inside, as StyleGAN does."""

    latent_dim = 3

    def forward(self, z):
        return ((z.mean(1)[:, None, None, None] + 0.1 * torch.randn(len(z), 1, 8, 8)) / 5).clamp(-1, 1)


def test_generated_images_follow_the_seed_alone():
    first, again, other = (torch.cat(list(GeneratedImages(Generator(), 120, seed).batches())) for seed in (1, 1, 2))
    assert first.shape == (120, 1, 8, 8)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not torch.equal(first[:BATCH], first[BATCH : 2 * BATCH])


def test_latent_width_may_be_given():
    flat = nn.Sequential(nn.Linear(5, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    assert len(next(GeneratedImages(flat, 4, latent_dim=5).batches())) == 4


def test_data_that_hold_pixels_are_taken():
    class Data:
        pixels = torch.zeros(7, 1, 8, 8)

    assert TensorImages(Data(), "real").n == 7


def test_some_is_spread_over_all():
    assert evenly(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert evenly(101, 3).tolist() == [0, 50, 100]
    assert len(set(evenly(10_001, 5000).tolist())) == 5000


def test_nan_names_whose_image_it_is():
    with pytest.raises(ValueError, match=r"training images: 1 of 3 hold NaN or infinity \(first: image 2"):
        TensorImages(torch.tensor([0.0, 0.0, float("inf")]).view(3, 1, 1, 1).expand(3, 1, 8, 8), "training")
