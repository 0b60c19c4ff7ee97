"""Networks by name: each makes images that its discriminator judges, and takes its own options."""

import pytest
import torch

from gannb.networks import registry
from gannb.random import generator


@pytest.mark.parametrize("network", registry.GENERATORS)
def test_each_generator_has_its_discriminator(network):
    G = registry.generator(network, 8, 8, 32, 1)
    D = registry.discriminator(network, 8, 32, 1)
    images = G(torch.randn(4, 8, generator=generator("networks")))
    assert images.shape == (4, 1, 32, 32) and images.abs().max() <= 1
    assert D(images).shape == (4,)


def test_both_tables_have_the_same_names():
    assert list(registry.GENERATORS) == list(registry.DISCRIMINATORS)


def test_options_reach_the_network():
    assert list(registry.generator("sagan", 8, 8, 32, 1, attention_at=(8, 16)).attention) == ["8", "16"]
    assert len(registry.generator("stylegan2", 8, 8, 32, 1, mapping_layers=2).mapping) == 1 + 2 * 2
    assert "parametrizations" in " ".join(registry.discriminator("dcgan", 8, 32, 1, spectral=True).state_dict())


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(ValueError, match="'vae' is not known; allowed: dcgan, sagan, stylegan2"):
        registry.generator("vae", 8, 8, 32, 1)
