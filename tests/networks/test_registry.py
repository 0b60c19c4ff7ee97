"""Networks by name: each generates images that its discriminator takes, with its own options, known without torch."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gannb.config.image_formats import Size, sides, written
from gannb.losses import adversarial
from gannb.networks import registry
from gannb.random import generator, seeded
from gannb.training.tape import Tape

Z = torch.randn(4, 8, generator=generator("networks"))


POWERS = [16, 32, 64, 128, 256]
SIZES = [*POWERS, 24, 96, 192, (48, 64), (160, 96), (16, 64), (112, 80), (256, 192)]


@pytest.mark.parametrize("size", SIZES, ids=written)
@pytest.mark.parametrize("network", registry.NETWORKS)
def test_each_network_generates_and_judges_images_of_every_size(network: str, size: Size) -> None:
    z, channels = Z[:2], 4 if size == 96 else 3
    images = registry.generator(network, 8, 8, size, channels)(z)
    assert images.shape == (2, channels, *sides(size)) and images.abs().max() <= 1
    assert registry.discriminator(network, 8, size, channels)(images).shape == (2,)


@pytest.mark.parametrize("size", [128, 256, (160, 96)], ids=written)
@pytest.mark.parametrize("network", registry.NETWORKS)
def test_each_network_learns_in_one_step_at_large_sizes(network: str, size: Size) -> None:
    with seeded(0, "large"):
        G, D = registry.generator(network, 8, 2, size, 4), registry.discriminator(network, 2, size, 4)
    real = torch.rand(4, 4, *sides(size), generator=generator("large")) * 2 - 1
    for learner, loss in ((D, lambda: adversarial.non_saturating_d(D(real), D(G(Z)))), (G, lambda: -D(G(Z)).mean())):
        optimiser = torch.optim.Adam(learner.parameters(), 1e-3)
        before = [weight.detach().clone() for weight in learner.parameters()]
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        assert all(weight.isfinite().all() for weight in learner.parameters())
        assert any(not torch.equal(weight, old) for weight, old in zip(learner.parameters(), before))


@pytest.mark.parametrize("network", registry.NETWORKS)
def test_a_pass_makes_nothing_from_numbers_of_the_host(network: str) -> None:
    """Or no CUDA graph could hold it; fixed numbers are put on the device once."""
    G, D = registry.generator(network, 8, 8, 32, 3), registry.discriminator(network, 8, 32, 3)

    def both_ways() -> torch.Tensor:
        loss = D(G(Z)).sum()
        loss.backward()
        return loss

    both_ways()
    tape = Tape()
    tape.record(both_ways)
    assert tape.fault == ""


@pytest.mark.parametrize("network", registry.NETWORKS)
def test_a_large_image_needs_no_wider_network(network: str) -> None:
    widest = {size: max((max(w.shape[:2]) for w in convolutions(network, size)), default=0) for size in (64, 256)}
    assert widest[256] == widest[64], "channels are at most eight times the width"


def convolutions(network: str, size: int) -> list[torch.Tensor]:
    built = registry.generator(network, 8, 4, size, 3), registry.discriminator(network, 4, size, 3)
    return [weight for part in built for weight in part.parameters() if weight.ndim == 4 and len(weight) > 1]


@given(st.tuples(st.integers(1, 300), st.integers(1, 300)))
def test_a_size_is_allowed_or_the_nearest_one_is_named(size: tuple[int, int]) -> None:
    if (found := registry.fault("dcgan", size, {})) is None:
        first, *others = shapes = registry.maps(size)
        assert shapes[-1] == size and len(others) >= 2
        assert all(registry.SMALLEST <= side <= registry.WIDEST for side in first)
        assert all((2 * a[0], 2 * a[1]) == b for a, b in zip(shapes, others))
    else:
        height, _, width = found.rpartition("nearest: ")[2].partition("×")
        near = (int(height), int(width or height))
        assert registry.fault("dcgan", near, {}) is None and near != size


def test_every_multiple_of_eight_up_to_128_is_the_side_of_a_square() -> None:
    allowed = [n for n in range(1, 300) if registry.fault("dcgan", n, {}) is None]
    assert allowed == [*range(16, 64, 4), *range(64, 128, 8), *range(128, 257, 16)]


@pytest.mark.parametrize("network", registry.NETWORKS)
def test_every_discriminator_takes_spectral(network: str) -> None:
    for spectral in (False, True):
        D = registry.discriminator(network, 8, 32, 1, spectral=spectral)
        assert any("parametrizations" in name for name in D.state_dict()) == spectral
        has_batch_norm = any(isinstance(part, torch.nn.BatchNorm2d) for part in D.modules())
        assert has_batch_norm == (registry.NETWORKS[network].batch_norm and not spectral)


@pytest.mark.parametrize("network", [name for name, known in registry.NETWORKS.items() if known.mapping])
def test_a_mapping_network_normalises_every_latent(network: str) -> None:
    G = registry.generator(network, 8, 8, 32, 1).eval()
    assert G.synthesis(G.mapping(Z)[:, None].expand(-1, G.layers, -1)).shape == (4, 1, 32, 32)
    torch.testing.assert_close(G(Z), G(3 * Z), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("network", registry.NETWORKS)
def test_a_network_that_reconstructs_says_so(network: str) -> None:
    D = registry.discriminator(network, 8, (48, 64), 4)
    assert hasattr(D, "reconstruct") == registry.NETWORKS[network].reconstructs
    if registry.NETWORKS[network].reconstructs:
        logits, images = D.eval().reconstruct(x := torch.rand(2, 4, 48, 64, generator=generator("x")))
        assert torch.equal(logits, D(x)) and all(image.shape == (2, 4, 24, 32) for image in images)


def test_each_side_takes_its_own_options() -> None:
    options = {"attention_at": [8, 16], "spectral": False}
    assert list(registry.generator("sagan", 8, 8, 32, 1, **options).attention) == ["8", "16"]
    assert list(registry.discriminator("sagan", 8, 32, 1, **options).attention) == ["8", "16"]
    assert len(registry.generator("stylegan2", 8, 8, 32, 1, mapping_layers=2).mapping) == 1 + 2 * 2
    registry.discriminator("stylegan2", 8, 32, 1, mapping_layers=2)


@pytest.mark.parametrize("network", ["dcgan", "sagan"])
def test_images_of_a_stated_mean(network: str) -> None:
    G = registry.generator(network, 8, 8, 32, 3, upsampling="nearest", mean=0.25)
    images = G(torch.randn(4, 8, generator=generator("z")))
    assert torch.allclose(images.mean((1, 2, 3)), torch.tensor(0.25), atol=1e-5)
    images.square().sum().backward()
    assert all(parameter.grad is not None for parameter in G.parameters())


def test_heights_of_attention() -> None:
    assert [registry.resolutions(size) for size in (16, 32, 64)] == [[8], [8, 16], [8, 16, 32]]
    assert registry.resolutions(96) == [12, 24, 48] and registry.resolutions((48, 64)) == [12, 24]
    with pytest.raises(ValueError, match=r"image size 50; allowed: .*; nearest: 48"):
        registry.resolutions(50)


@pytest.mark.parametrize(("size", "height"), [(16, 8), (32, 16), (256, 16), (96, 12), (80, 20), ((160, 96), 20)])
def test_attention_of_a_sagan_is_at_the_map_nearest_to_16(size: Size, height: int) -> None:
    assert list(registry.generator("sagan", 8, 8, size, 1).attention) == [str(height)]
    assert list(registry.discriminator("sagan", 8, size, 1).attention) == [str(height)]


@pytest.mark.parametrize(
    ("network", "size", "options", "message"),
    [
        ("vae", 32, {}, "'vae' is unknown; allowed: dcgan, sagan, stylegan2"),
        ("dcgan", 50, {}, "image size 50; allowed: height and width 4 … 16 times the same power of two"),
        ("dcgan", (64, 300), {}, "image size 64×300; .* at most 256; nearest: 64×256"),
        ("r3gan", 8, {}, "image size 8; .*; nearest: 16"),
        ("dcgan", 32, {"mapping_layers": 2}, "dcgan has no option 'mapping_layers'; it has: spectral, attention_at"),
        ("sagan", 32, {"attention_at": [32]}, r"attention_at \[32\]; allowed: a list of 8, 16 for images of 32 px"),
        ("sagan", 32, {"attention_at": 16}, "attention_at 16; allowed: a list"),
        ("sagan", 32, {"attention_at": [[8]]}, "allowed: a list"),
        ("sagan", 32, {"pooled": 1}, "pooled 1; allowed: true or false"),
        ("sagan", 32, {"upsampling": "bicubic"}, r"upsampling 'bicubic'; allowed: transposed \| nearest"),
        ("sagan", 32, {"mean": 160}, "mean 160; allowed: a number between -1 .black. and 1 .white."),
        ("dcgan", 32, {"mean": True}, "mean True; allowed"),
        ("stylegan2", 32, {"mapping_layers": 0}, "mapping_layers 0; allowed: a whole number from 1 to 16"),
        ("stylegan2", 32, {"mapping_layers": True}, "mapping_layers True"),
    ],
)
def test_what_a_network_cannot_be_is_named(network: str, size: int, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        registry.generator(network, 8, 8, size, 1, **options)


def test_names_and_options_are_known_without_torch() -> None:
    code = "from gannb.networks import registry; registry.fault('sagan', 32, {}); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", "import sys; " + code], check=True)
