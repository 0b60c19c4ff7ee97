"""R3GAN: sizes against closed forms, its initialisation, and a little training with its paper's losses."""

import math
from itertools import pairwise

import pytest
import torch

from gannb.data.particles import load
from gannb.losses.adversarial import LOSSES
from gannb.losses.penalties import PENALTIES
from gannb.networks import r3gan
from gannb.networks.stylegan2 import channels_at
from gannb.random import generator, seeded


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator("r3gan", *shape))


def count(network: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def block_size(n: int) -> int:
    """1×1 from n to 2n, 3×3 in groups of 16 (or of all), both with biases, and 1×1 back without."""
    group = math.gcd(2 * n, 16)
    return (n * 2 * n + 2 * n) + (2 * n * group * 9 + 2 * n) + 2 * n * n


def descend(network: torch.nn.Module, loss: torch.Tensor, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    loss.backward()
    assert all(weights.grad.isfinite().all() for weights in network.parameters())
    optimiser.step()


@pytest.mark.parametrize(("width", "size", "blocks"), [(8, 16, 2), (12, 32, 1), (16, 64, 3)])
def test_sizes_follow_from_width_size_and_blocks(width: int, size: int, blocks: int) -> None:
    heights = [4 << i for i in range((size // 4).bit_length())]
    wide = [channels_at(height, width, size) for height in heights]
    bodies = blocks * sum(map(block_size, wide))
    changes = sum(a * b for a, b in pairwise(wide) if a != b)
    G, D = r3gan.Generator(20, width, size, 3, blocks=blocks), r3gan.Discriminator(width, size, 3, blocks=blocks)
    assert count(G) == wide[0] * 16 + 20 * wide[0] + bodies + changes + 3 * width
    assert count(D) == 3 * width + bodies + changes + 16 * wide[0] + wide[0]


def test_every_block_is_the_identity_at_first_and_learns_to_be_more() -> None:
    with seeded("block"):
        block = r3gan.ResidualBlock(16, depth=8)
    x = draw(4, 16, 6, 6)
    assert torch.equal(block(x), x)
    block(x).square().sum().backward()
    first, _, second, _, last = block.branch
    assert last.weight.grad.abs().max() > 0 and first.weight.grad.abs().max() == 0 == second.weight.grad.abs().max()
    with torch.no_grad():
        last.weight.add_(0.1)
    block(x).square().sum().backward()
    assert first.weight.grad.abs().max() > 0 and second.weight.grad.abs().max() > 0


@pytest.mark.parametrize("depth", [1, 16])
def test_branches_start_scaled_by_the_depth(depth: int) -> None:
    with seeded("scale"):
        first, _, second, *_ = r3gan.ResidualBlock(128, depth).branch
    expected = math.sqrt(2 / 1.04) * depth**-0.25
    assert first.weight.std().item() == pytest.approx(expected / math.sqrt(128), rel=0.02)
    assert second.weight.std().item() == pytest.approx(expected / math.sqrt(16 * 9), rel=0.02)
    assert second.groups == 16 and first.bias.abs().max() == 0


def test_the_signal_neither_grows_nor_fades_with_depth() -> None:
    """The same features enter and leave however many blocks there are."""
    with seeded("deep"):
        shallow, deep = (r3gan.stage(32, blocks, blocks) for blocks in (1, 40))
    x = draw(4, 32, 8, 8)
    assert torch.equal(shallow(x), x) and torch.equal(deep(x), x)
    with seeded("logits"):
        shallow, deep = (r3gan.Discriminator(16, 32, 1, blocks=blocks) for blocks in (1, 8))
    constant = draw(256, 1, 1, 1).expand(-1, -1, 32, 32)
    for D in (shallow, deep):
        assert 0.1 < D(constant).std().item() < 3


def test_no_sample_sees_another() -> None:
    with seeded("alone"):
        G, D = r3gan.Generator(8, 8, 16, 1), r3gan.Discriminator(8, 16, 1)
    z = draw(4, 8)
    torch.testing.assert_close(G(z)[:1], G(z[:1]))
    torch.testing.assert_close(D(G(z))[:1], D(G(z[:1])))


def test_with_spectral_norm_no_layer_starts_at_zero() -> None:
    with seeded("spectral"):
        D = r3gan.Discriminator(8, 16, 1, spectral=True)
    logits = D(draw(4, 1, 16, 16))
    logits.sum().backward()
    assert logits.isfinite().all() and all(weights.grad.isfinite().all() for weights in D.parameters())


def test_it_trains_on_rendered_particles_with_its_papers_losses() -> None:
    """Pairs, R1 and R2 at every step: gradients stay finite, and generated images take on the particles' mean."""
    real = load(size=16).pixels[:64]
    with seeded(0, "G"):
        G = r3gan.Generator(16, 8, 16, 1, blocks=1)
    with seeded(0, "D"):
        D = r3gan.Discriminator(8, 16, 1, blocks=1)
    steps = [torch.optim.Adam(network.parameters(), 2e-3, betas=(0.0, 0.99)) for network in (D, G)]
    draws, loss, penalty = generator("training"), LOSSES["relativistic"], PENALTIES["r1_r2"]
    distance = lambda: (G(draw(64, 16)).mean(0) - real.mean(0)).square().mean().item()  # noqa: E731
    before = distance()
    for _ in range(60):
        batch = real[torch.randperm(64, generator=draws)[:16]]
        fake, mix = G(torch.randn(16, 16, generator=draws)), torch.rand(16, generator=draws)
        d_loss = loss.d(D(batch), D(fake.detach())) + 0.5 * penalty(D, batch, fake, mix)
        descend(D, d_loss, steps[0])
        descend(G, loss.g(D(batch), D(fake)), steps[1])
    assert distance() < before / 3
