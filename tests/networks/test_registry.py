"""Networks by name: each generates images that its discriminator takes, with its own options, known without torch."""

import subprocess
import sys

import pytest
import torch

from gannb.losses import adversarial
from gannb.networks import registry
from gannb.random import generator, seeded

Z = torch.randn(4, 8, generator=generator("networks"))


@pytest.mark.parametrize("size", registry.SIZES)
@pytest.mark.parametrize("network", registry.NETWORKS)
def test_each_network_generates_and_judges_images_of_every_size(network: str, size: int) -> None:
    z, options = Z[:2], {"attention_at": [8]} if network == "sagan" else {}
    images = registry.generator(network, 8, 8, size, 3, **options)(z)
    assert images.shape == (2, 3, size, size) and images.abs().max() <= 1
    assert registry.discriminator(network, 8, size, 3, **options)(images).shape == (2,)


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("network", registry.NETWORKS)
def test_each_network_learns_in_one_step_at_large_sizes(network: str, size: int) -> None:
    with seeded(0, "large"):
        G, D = registry.generator(network, 8, 2, size, 3), registry.discriminator(network, 2, size, 3)
    real = torch.rand(4, 3, size, size, generator=generator("large")) * 2 - 1
    for learner, loss in ((D, lambda: adversarial.non_saturating_d(D(real), D(G(Z)))), (G, lambda: -D(G(Z)).mean())):
        optimiser = torch.optim.Adam(learner.parameters(), 1e-3)
        before = [weight.detach().clone() for weight in learner.parameters()]
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        assert all(weight.isfinite().all() for weight in learner.parameters())
        assert any(not torch.equal(weight, old) for weight, old in zip(learner.parameters(), before))


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


def test_each_side_takes_its_own_options() -> None:
    options = {"attention_at": [8, 16], "spectral": False}
    assert list(registry.generator("sagan", 8, 8, 32, 1, **options).attention) == ["8", "16"]
    assert list(registry.discriminator("sagan", 8, 32, 1, **options).attention) == ["8", "16"]
    assert len(registry.generator("stylegan2", 8, 8, 32, 1, mapping_layers=2).mapping) == 1 + 2 * 2
    registry.discriminator("stylegan2", 8, 32, 1, mapping_layers=2)


def test_heights_of_attention() -> None:
    assert [registry.resolutions(size) for size in (16, 32, 64)] == [[8], [8, 16], [8, 16, 32]]
    with pytest.raises(ValueError, match="image size 48; allowed: 16, 32"):
        registry.resolutions(48)


@pytest.mark.parametrize(
    ("network", "size", "options", "message"),
    [
        ("vae", 32, {}, "'vae' is unknown; allowed: dcgan, sagan, stylegan2"),
        ("dcgan", 48, {}, "image size 48; allowed: 16, 32, 64, 128, 256"),
        ("dcgan", 32, {"mapping_layers": 2}, "dcgan has no option 'mapping_layers'; it has: spectral, attention_at"),
        ("sagan", 32, {"attention_at": [32]}, r"attention_at \[32\]; allowed: a list of 8, 16 for images of 32 px"),
        ("sagan", 32, {"attention_at": 16}, "attention_at 16; allowed: a list"),
        ("sagan", 32, {"attention_at": [[8]]}, "allowed: a list"),
        ("sagan", 32, {"pooled": 1}, "pooled 1; allowed: true or false"),
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
