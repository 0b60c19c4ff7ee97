"""Self-attention against a plain transcription of its formula, initial weights, and the places attention may have."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gannb.networks.layers import (
    SelfAttention,
    check_attention,
    dcgan_init,
    down,
    of_mean,
    recalibrate_batchnorm,
    spectral_norms,
    up_convolution,
    with_batch_norm,
)

X = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))


def attention(pooled: bool, gamma: float = 1.0) -> SelfAttention:
    torch.manual_seed(0)
    layer = SelfAttention(16, pooled=pooled)
    nn.init.constant_(layer.gamma, gamma)
    return layer


def test_gamma_starts_at_zero_and_learns():
    layer = SelfAttention(16)
    assert torch.equal(layer(X), X)
    layer(X).square().sum().backward()
    assert layer.gamma.grad.abs() > 0


@pytest.mark.parametrize("pooled", [True, False])
def test_attention_is_what_the_formula_says(pooled):
    layer = attention(pooled, 0.5)
    expected = X.clone()
    pool = (lambda t: F.max_pool2d(t, 2)) if pooled else (lambda t: t)
    for image in range(2):
        query, key, value = (f(X[image : image + 1]) for f in (layer.query, layer.key, layer.value))
        key, value = pool(key)[0].flatten(1), pool(value)[0].flatten(1)
        for row in range(8):
            for column in range(8):
                weights = torch.softmax(query[0, :, row, column] @ key, dim=0)
                seen = layer.out.weight[:, :, 0, 0] @ (value @ weights)
                expected[image, :, row, column] += 0.5 * seen
    torch.testing.assert_close(layer(X), expected)


def test_the_weights_of_attention_sum_to_one_over_all_places():
    assert attention(pooled=True).weights(X).shape == (2, 64, 16) and attention(pooled=False).weights(X).shape[2] == 64
    torch.testing.assert_close(attention(pooled=True).weights(X).sum(dim=-1), torch.ones(2, 64))


def test_attention_looks_everywhere():
    x = X.clone().requires_grad_(True)
    attention(pooled=True)(x)[0, :, 0, 0].sum().backward()
    assert x.grad[0, :, 7, 7].abs().max() > 0, "the far corner matters"
    assert x.grad[1].abs().max() == 0, "another image does not"


def test_pooling_quarters_the_places():
    key = attention(pooled=True).key(X)
    assert F.max_pool2d(key, 2).flatten(2).shape[2] * 4 == key.flatten(2).shape[2]


def test_attention_in_channels_last_gives_the_same():
    layer = attention(pooled=True)
    made = layer.to(memory_format=torch.channels_last)(X.to(memory_format=torch.channels_last))
    torch.testing.assert_close(made, attention(pooled=True)(X))


def test_attention_needs_eight_channels():
    with pytest.raises(ValueError, match="at least 8 channels, got 4"):
        SelfAttention(4)


def test_spectral_norm_wraps_all_four_convolutions():
    layer = SelfAttention(16, spectral_norm).eval()
    for name in ("query", "key", "value", "out"):
        assert torch.linalg.matrix_norm(getattr(layer, name).weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_initial_weights_are_those_of_dcgan():
    torch.manual_seed(0)
    weight = dcgan_init(nn.Conv2d(64, 64, 4)).weight.detach()
    assert weight.std() == pytest.approx(0.02, rel=0.02)
    norm = dcgan_init(nn.BatchNorm2d(4096))
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.002)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert norm.bias.abs().max() == 0


@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_up_doubles(upsampling):
    assert up_convolution(16, 4, upsampling)(X).shape == (2, 4, 16, 16)
    assert with_batch_norm(up_convolution(16, 4, upsampling), 4)(X).min() == 0  # ReLU


def test_an_unknown_upsampling_is_named():
    with pytest.raises(ValueError, match=r"upsampling 'bicubic': allowed: transposed \| nearest"):
        up_convolution(16, 4, "bicubic")


def test_resizing_first_leaves_no_checkerboard():
    unevenness = {}
    for upsampling in ("transposed", "nearest"):
        torch.manual_seed(0)
        inside = up_convolution(16, 4, upsampling)(torch.ones(1, 16, 8, 8))[..., 2:-2, 2:-2]
        unevenness[upsampling] = inside.std((2, 3)).max().item()
    assert unevenness["nearest"] < 1e-6
    assert unevenness["transposed"] > 1e-2


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_get_their_mean_and_keep_contrast_and_transparency(channels):
    torch.manual_seed(0)
    images = (0.3 * torch.rand(5, channels, 8, 8)).bfloat16()
    shifted = of_mean(images, -0.25)
    assert shifted.dtype == torch.float32
    assert torch.allclose(shifted[:, :3].mean((1, 2, 3)), torch.tensor(-0.25), atol=1e-6)
    assert torch.allclose(shifted[:, :3].std((1, 2, 3)), images[:, :3].float().std((1, 2, 3)), atol=1e-6)
    assert torch.equal(shifted[:, 3:], images[:, 3:].float())
    assert of_mean(images, 0.99).max() == 1


def test_down_halves():
    assert down(16, 32, spectral=True)(X).shape == (2, 32, 4, 4)


def test_spectral_norm_takes_the_place_of_batch_norm():
    kinds = [[type(m) for m in down(4, 8, spectral=s, normalised=n)] for s, n in ((1, 1), (0, 1), (0, 0))]
    assert [nn.BatchNorm2d in kind for kind in kinds] == [False, True, False]
    block = copy.deepcopy(down(4, 8, spectral=True)).eval()
    assert torch.linalg.matrix_norm(block[0].weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_places_for_attention():
    check_attention((8, 32), 64)
    with pytest.raises(ValueError, match=r"\[64\] for images of 64 pixels; allowed: 8, 16, 32"):
        check_attention((16, 64), 64)


def test_recalibrated_statistics_are_those_of_the_inputs():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
    for _ in range(3):
        network(100 * torch.randn(16, 4))  # statistics of other inputs
    inputs = torch.randn(256, 4)
    weights = [p.clone() for p in network.parameters()]
    out = recalibrate_batchnorm(network, inputs)(inputs)
    assert not network.training and network[1].momentum == 0.1
    torch.testing.assert_close(network[1].running_mean, network[0](inputs).mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out.mean(0), torch.zeros(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(out.std(0), torch.ones(8), atol=0.03, rtol=0)
    assert all(torch.equal(a, b) for a, b in zip(weights, network.parameters()))


def test_exact_spectral_norms():
    layer = nn.Linear(3, 3, bias=False)
    layer.weight.data = torch.diag(torch.tensor([1.0, 5.0, 2.0]))
    assert spectral_norms(nn.Sequential(layer, nn.ReLU())) == {"0": pytest.approx(5)}


def test_looking_at_spectral_norms_leaves_the_network_as_it_was():
    network = nn.Sequential(spectral_norm(nn.Conv2d(3, 8, 3)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert spectral_norms(network)["0"] == pytest.approx(1, abs=0.2), "in train mode, where a read would iterate"
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_recalibration_leaves_a_network_without_batch_norm_alone():
    network = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    calls = []
    network.register_forward_hook(lambda *_: calls.append(1))
    assert not recalibrate_batchnorm(network.train(), torch.ones(4, 3)).training
    assert calls == [], "nothing is estimated, so nothing is run"
