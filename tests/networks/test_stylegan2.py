"""StyleGAN2's parts against closed forms: demodulation, modulated weights, filters, the batch's deviation."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from gannb.figures.tables import layer_table
from gannb.losses import penalties
from gannb.networks import stylegan2
from gannb.networks.layers import blur, downsample, upsample
from gannb.networks.stylegan2 import ModulatedConvolution, channels_at, with_deviation
from gannb.random import generator, seeded


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator("stylegan2", *shape))


def modulated(to: int = 8, **options) -> ModulatedConvolution:
    with seeded("modulated"):
        layer = ModulatedConvolution(16, to, 5, **options)
    torch.nn.init.normal_(layer.style.weight, generator=generator("styles"))
    return layer


@pytest.mark.parametrize("size", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_and_logits_have_their_shapes(size, channels):
    G, D = stylegan2.Generator(8, 4, size, channels), stylegan2.Discriminator(4, size, channels)
    images = G(draw(2, 8))
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    assert D(images).shape == (2,)


def test_channels_double_as_the_height_halves_up_to_eight_times():
    assert [channels_at(h, 16, 64) for h in (64, 32, 16, 8, 4)] == [16, 16, 32, 64, 128]
    assert [channels_at(h, 16, 128) for h in (128, 64, 8, 4)] == [16, 16, 128, 128]


@pytest.mark.parametrize("doubling", [False, True])
def test_scaled_inputs_and_outputs_are_modulated_weights(doubling):
    """Karras et al. 2020: w' = s·w, w'' = w' / ‖w'‖, one convolution a sample."""
    layer, x, w = modulated(upsample=doubling), draw(3, 16, 6, 6), draw(3, 5)
    expected = []
    for sample, style in zip(x, layer.style(w)):
        weight = layer.weight * layer.scale * style[None, :, None, None]
        weight = weight / weight.square().sum(dim=(1, 2, 3), keepdim=True).add(1e-8).sqrt()
        if doubling:
            made = F.conv_transpose2d(sample[None], weight.transpose(0, 1), stride=2)
            expected.append(blur(made, padding=1, gain=4.0))
        else:
            expected.append(F.conv2d(sample[None], weight, padding=1))
    torch.testing.assert_close(layer(x, w), torch.cat(expected))


def test_demodulation_brings_outputs_to_unit_variance_whatever_the_style():
    layer, x = modulated(to=64), draw(16, 16, 24, 24)
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # the border sees zeros
    for strength in (0.1, 1.0, 10.0):
        made = layer(x, strength * draw(16, 5))[inside]
        assert made.var(dim=(2, 3)).mean().item() == pytest.approx(1.0, rel=0.05)
    layer.demodulate = False
    loud, quiet = (layer(x, strength * draw(16, 5))[inside].var().item() for strength in (10.0, 1.0))
    assert loud > 10 * quiet


def test_the_filters_keep_a_constant_and_double_is_linear_interpolation():
    flat = torch.ones(1, 3, 6, 6)
    torch.testing.assert_close(blur(flat, padding=0), torch.ones(1, 3, 3, 3))
    x = draw(2, 3, 6, 6)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample(x)[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1])
    torch.testing.assert_close(downsample(x), blur(x, padding=1)[:, :, ::2, ::2])


def test_equalised_layers_keep_the_variance():
    with seeded("equalised"):
        linear, convolution = stylegan2.Linear(256, 512), stylegan2.Convolution(32, 64, 3)
        slow = stylegan2.Linear(256, 512, rate=0.01)
    assert linear(draw(512, 256)).var().item() == pytest.approx(1.0, rel=0.05)
    assert slow(draw(512, 256)).var().item() == pytest.approx(1.0, rel=0.05), "a slow layer starts as any other"
    assert convolution(draw(8, 32, 16, 16))[:, :, 1:-1, 1:-1].var().item() == pytest.approx(1.0, rel=0.05)


def test_the_deviation_is_that_of_each_group():
    x = torch.zeros(8, 2, 4, 4)
    x[4:] = 1.0  # samples 0 and 4 are one group of 2, as are 1 and 5, …
    torch.testing.assert_close(with_deviation(x, 2)[:, 2], torch.full((8, 4, 4), 0.5), atol=1e-3, rtol=0)
    same = with_deviation(torch.ones(6, 2, 4, 4), 4)
    assert same.shape == (6, 3, 4, 4), "a group of 4 does not divide 6; 3 does"
    assert same[:, 2].max() <= 1e-4 + 1e-8


def test_d_sees_that_a_batch_lacks_variety():
    with seeded("D"):
        D = stylegan2.Discriminator(4, 16)
    one = draw(1, 1, 16, 16)
    alone, among = D(one.expand(4, -1, -1, -1))[0], D(torch.cat([one, draw(3, 1, 16, 16)]))[0]
    assert (alone - among).abs() > 1e-4


def test_noise_is_fresh_in_training_and_constant_after():
    with seeded("G"):
        G = stylegan2.Generator(8, 4, 16)
    for name, parameter in G.named_parameters():
        if name.endswith("strength"):
            torch.nn.init.ones_(parameter)
    z = draw(2, 8)
    assert not torch.equal(G(z), G(z))
    with seeded("step", 3):
        once = G(z)
    with seeded("step", 3):
        assert torch.equal(G(z), once), "what the trainer seeds is repeated exactly"
    G.eval()
    assert torch.equal(G(z), G(z))
    assert torch.equal(copy.deepcopy(G)(z), G(z))


def test_its_layers_can_be_listed():
    G, D = stylegan2.Generator(8, 4, 16), stylegan2.Discriminator(4, 16)
    listed = layer_table(G, D)
    for network, whole in (("G", G), ("D", D)):
        counted = sum(row[4] for row in listed.rows if row[0] == network)
        assert counted == sum(p.numel() for p in whole.parameters()) - (G.start.numel() if whole is G else 0)


def test_a_latents_length_does_not_matter():
    G = stylegan2.Generator(8, 4, 16).eval()
    torch.testing.assert_close(G(draw(2, 8)), G(3 * draw(2, 8)))


def test_a_latent_a_layer_steers_that_layer():
    made = stylegan2.Generator(latent_dim=8, width=4, size=16).eval()
    w = made.mapping(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)))
    each = w[:, None].repeat(1, made.layers, 1)
    torch.testing.assert_close(made.synthesis(each), made.synthesis(w), rtol=0, atol=0)
    assert made.layers == 6, "two a height but one at 4x4, and the last image's"
    for layer in range(made.layers):
        other = each.clone()
        other[:, layer] = 0
        assert not torch.equal(made.synthesis(other), made.synthesis(w))


def test_every_parameter_learns():
    with seeded("all"):
        G, D = stylegan2.Generator(8, 4, 16), stylegan2.Discriminator(4, 16)
    D(G(draw(4, 8))).sum().backward()
    silent = [
        n for network in (G, D) for n, p in network.named_parameters() if p.grad is None or p.grad.abs().max() == 0
    ]
    assert [name for name in silent if not name.endswith("strength")] == []


def test_a_penalty_can_be_trained_through_d():
    with seeded("R1"):
        D = stylegan2.Discriminator(4, 16)
    penalties.r1(D, draw(4, 1, 16, 16)).backward()
    assert D.image[0].weight.grad.abs().max() > 0


def test_a_lazy_penalty_has_the_gradient_of_one_at_every_step():
    """Karras et al. 2020, section 3.1: every k-th step and k times as strong comes to the same in the mean."""
    with seeded("lazy"):
        D = stylegan2.Discriminator(4, 16).double()
    every, weight, batches = 4, 0.3, draw(8, 4, 1, 16, 16)

    def gradient(step: int, factor: float) -> torch.Tensor:
        D.zero_grad()
        critic = lambda x: D(x.double())  # noqa: E731
        (factor * weight * penalties.r1(critic, batches[step % 2])).backward()
        return torch.cat([p.grad.flatten() for p in D.parameters() if p.grad is not None])

    at_every_step = sum(gradient(step // every, 1.0) for step in range(8))
    lazily = sum(gradient(step // every, float(every)) for step in range(8) if step % every == 0)
    torch.testing.assert_close(lazily, at_every_step)


def test_the_mapping_is_slow_and_layers_are_counted():
    G = stylegan2.Generator(8, 4, 16, mapping_layers=3)
    layers = [layer for layer in G.mapping if isinstance(layer, stylegan2.Linear)]
    assert len(layers) == 3 and {layer.rate for layer in layers} == {0.01}
    assert math.isclose(layers[0].scale, 0.01 / math.sqrt(8))


def test_at_64_pixels_it_is_compact():
    G, D = stylegan2.Generator(128, 32, 64), stylegan2.Discriminator(32, 64)
    assert sum(p.numel() for p in G.parameters()) < 3.5e6
    assert sum(p.numel() for p in D.parameters()) < 3.5e6


def test_with_spectral_norm_every_layer_of_d_has_norm_one():
    with seeded("spectral"):
        D = stylegan2.Discriminator(4, 16, spectral=True)
    for _ in range(30):
        D(draw(4, 1, 16, 16))
    layers = [layer for layer in D.eval().modules() if isinstance(layer, stylegan2.Linear | stylegan2.Convolution)]
    norms = [torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for layer in layers]
    assert len(norms) == 1 + 2 * 3 + 1 + 2 and norms == pytest.approx([1.0] * len(norms), abs=0.05)
    assert {layer.scale for layer in layers} == {1.0}


def test_a_step_down_a_penalty_can_be_differentiated():
    """What a hypergradient through a look-ahead takes: three derivatives through D."""
    with seeded("third"):
        D = stylegan2.Discriminator(4, 16)
    weight, x = torch.tensor(1.0, requires_grad=True), draw(4, 1, 16, 16)
    named = dict(D.named_parameters())
    first = weight * penalties.r1(D, x) + D(x).mean()
    slopes = torch.autograd.grad(first, list(named.values()), create_graph=True)
    stepped = {name: p - 0.1 * slope for (name, p), slope in zip(named.items(), slopes)}
    torch.func.functional_call(D, stepped, (x,)).square().mean().backward()
    assert weight.grad.abs() > 0 and weight.grad.isfinite()
