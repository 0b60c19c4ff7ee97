"""DCGAN and SAGAN: shapes at every size, sizes of the networks, where norms and attention sit, and pairing of arms."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from gannb.figures.tables import layer_table
from gannb.networks import dcgan, sagan
from gannb.networks.layers import SelfAttention
from gannb.random import generator, seeded


def convolutions(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_and_logits_have_their_shapes(size, channels):
    G = sagan.Generator(8, 8, size, channels, attention_at=(8,))
    D = sagan.Discriminator(8, size, channels, attention_at=(8,))
    images = G(torch.randn(2, 8))
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() < 1
    assert D(images).shape == (2,)


@pytest.mark.parametrize("size", [32, 64])
def test_dcgan_keeps_to_four_million_parameters(size):
    for network in (dcgan.Generator(128, 64, size, 3), dcgan.Discriminator(64, size, 3)):
        assert sum(p.numel() for p in network.parameters()) <= 4e6


def test_every_convolution_of_the_discriminator_has_spectral_norm():
    D = sagan.Discriminator(8, attention_at=(8, 16, 32))
    assert len(convolutions(D)) == 5 + 3 * 4
    assert all(parametrize.is_parametrized(layer, "weight") for layer in convolutions(D))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in D.modules())


def test_the_plain_discriminator_has_batch_norm_but_in_first_and_last_layer():
    D = dcgan.Discriminator(8)
    assert not any(parametrize.is_parametrized(layer) for layer in convolutions(D))
    assert sum(isinstance(m, nn.BatchNorm2d) for m in D.modules()) == len(convolutions(D)) - 2


def test_every_layer_of_the_generator_but_the_last_has_batch_norm():
    G = sagan.Generator(8, 8)
    ups = [m for m in convolutions(G) if isinstance(m, nn.ConvTranspose2d)]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in G.modules()) == len(ups) - 1


@pytest.mark.parametrize("place", [8, 16, 32])
def test_attention_sees_features_of_the_height_it_was_asked_for(place):
    G, D = sagan.Generator(8, 8, attention_at=(place,)), sagan.Discriminator(8, attention_at=(place,))
    heights = []
    for network in (G, D):
        for module in network.modules():
            if isinstance(module, SelfAttention):
                module.register_forward_hook(lambda _, given, __: heights.append(given[0].shape[2]))
    D(G(torch.randn(1, 8)))
    assert heights == [place, place]


def test_attention_follows_at_sixteen_by_default():
    assert list(sagan.Generator(8, 8).attention) == ["16"]
    assert list(sagan.Discriminator(8).attention) == ["16"]


def test_arms_with_and_without_attention_start_from_the_same_weights():
    with seeded(0, "G"):
        plain = dcgan.Generator(8, 8)
    with seeded(0, "G"):
        with_attention = sagan.Generator(8, 8)
    z = torch.randn(2, 8)
    assert torch.equal(plain.eval()(z), with_attention.eval()(z))


def test_channels_last_gives_the_same():
    torch.manual_seed(0)
    G, D = sagan.Generator(8, 8).eval(), sagan.Discriminator(8).eval()
    z = torch.randn(2, 8)
    before = D(G(z))
    G, D = G.to(memory_format=torch.channels_last), D.to(memory_format=torch.channels_last)
    torch.testing.assert_close(D(G(z)), before, atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_weight():
    G, D = sagan.Generator(8, 8), sagan.Discriminator(8)
    for network in (G, D):
        for module in network.modules():
            if isinstance(module, SelfAttention):
                nn.init.constant_(module.gamma, 1.0)
    D(G(torch.randn(4, 8))).square().sum().backward()
    still = [name for network in (G, D) for name, p in network.named_parameters() if p.grad is None]
    assert still == []
    assert all(p.grad.abs().max() > 0 for name, p in G.named_parameters() if "weight" in name)


@pytest.mark.parametrize("make", [sagan.Generator, sagan.Discriminator])
def test_impossible_places_and_sizes_are_named(make):
    with pytest.raises(ValueError, match="attention at"):
        make(attention_at=(64,))
    with pytest.raises(ValueError, match="image size 18"):
        make(size=18)


def test_the_layer_table_lists_shapes_and_counts_and_moves_nothing():
    G, D = sagan.Generator(), sagan.Discriminator()
    before = [t.clone() for t in (*G.state_dict().values(), *D.state_dict().values())]
    table = layer_table(G, D)
    assert all(torch.equal(a, b) for a, b in zip(before, (*G.state_dict().values(), *D.state_dict().values())))
    assert table.column("output") == [
        "512×4×4", "256×8×8", "128×16×16", "128×16×16", "64×32×32", "1×64×64",
        "64×32×32", "128×16×16", "128×16×16", "256×8×8", "512×4×4", "1×1×1",
    ]  # fmt: skip
    assert sum(table.column("parameters")) == sum(p.numel() for n in (G, D) for p in n.parameters())
    assert table.column("made of")[8] == "SelfAttention (spectral norm)"
    assert "G 3,824,514 parameters" in repr(table)


def test_dropout_keeps_the_mean_of_the_features_and_acts_in_training_alone():
    with seeded(0, "D"):
        plain = dcgan.Discriminator(8, 16)
    with seeded(0, "D"):
        dropping = dcgan.Discriminator(8, 16, dropout=0.25)
    images = torch.rand(64, 1, 16, 16, generator=generator("dropout"))
    assert torch.equal(dropping.eval()(images), plain.eval()(images)), "no weights of its own, and none in eval mode"
    blocks = len(dropping.blocks)
    dropping.blocks = nn.ModuleDict({name: nn.Identity() for name in dropping.blocks})
    dropping.logit = nn.Identity()
    with seeded(0, "dropout"):
        features = dropping.train()(torch.ones(64, 1, 16, 16))
    assert features.unique().tolist() == pytest.approx([0.0, 0.75**-blocks])
    assert features.mean().item() == pytest.approx(1.0, abs=0.05)
