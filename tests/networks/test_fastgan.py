"""FastGAN: sizes against closed forms, what reaches what, and a little training."""

from itertools import pairwise

import pytest
import torch

from gannb.data.particles import load
from gannb.losses.adversarial import LOSSES
from gannb.losses.reconstruction import reconstruction_error
from gannb.networks import fastgan
from gannb.networks.stylegan2 import channels_at
from gannb.random import generator, seeded


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator("fastgan", *shape))


def count(network: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def normed(a: int, b: int, kernel: int) -> int:
    """A convolution without bias, and its BatchNorm."""
    return a * b * kernel**2 + 2 * b


@pytest.mark.parametrize(("width", "size", "reach"), [(8, 16, 2), (4, 32, 2), (4, 64, 3), (2, 256, 4)])
def test_sizes_follow_from_width_and_size(width: int, size: int, reach: int) -> None:
    heights = [4 << i for i in range((size // 4).bit_length())]
    wide = [channels_at(height, width, size) for height in heights]
    expected = 20 * 2 * wide[0] * 16 + 4 * wide[0] + 3 * width * 9
    for i, (a, b) in enumerate(pairwise(wide)):
        expected += normed(a, 2 * b, 3) + (1 - i % 2) * normed(b, 2 * b, 3)
    expected += sum(low * high * 16 + high * high for low, high in zip(wide, wide[reach:]))
    assert count(fastgan.Generator(20, width, size, 3)) == expected
    expected = 3 * wide[-2] * 16 + wide[-2]
    for b, a in pairwise(wide[:-1]):
        expected += normed(a, b, 4) + normed(b, b, 3) + normed(a, b, 1)
    expected += normed(wide[0], wide[0], 1) + 16 * wide[0]
    for start, doublings in ((wide[0], len(wide) - 2), (wide[1], len(wide) - 3)):
        halved = [max(1, start >> i) for i in range(doublings + 1)]
        expected += sum(normed(a, 2 * b, 3) for a, b in pairwise(halved)) + halved[-1] * 3 * 9
    assert count(fastgan.Discriminator(width, size, 3)) == expected


@pytest.mark.parametrize("spectral", [False, True])
def test_gradients_reach_every_weight(spectral: bool) -> None:
    with seeded("gradients"):
        G, D = fastgan.Generator(8, 8, 32, 1), fastgan.Discriminator(8, 32, 1, spectral=spectral)
    images = G(draw(4, 8))
    logits, made = D.reconstruct(images)
    (logits.square().sum() + reconstruction_error(made, images.detach())).backward()
    without = [n for net in (G, D) for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


def test_logits_do_not_train_the_decoders_and_reconstructions_do_not_train_the_logit() -> None:
    D = fastgan.Discriminator(8, 32, 1)
    logits, made = D.reconstruct(x := draw(4, 1, 32, 32))
    logits.sum().backward(retain_graph=True)
    assert all(p.grad is None for p in D.decoders.parameters())
    D.zero_grad()
    reconstruction_error(made, x).backward()
    assert all(p.grad is None for p in D.logit.parameters())
    assert all(p.grad.any() for part in (D.image, D.blocks, D.decoders) for p in part.parameters())


def test_a_small_map_scales_the_channels_of_a_larger_one() -> None:
    with seeded("excitation"):
        G = fastgan.Generator(8, 8, 32, 1).eval()
    z, (first, second) = draw(4, 8), G.excitations
    plain = G(z)
    factors = first(G.first(z[:, :, None, None]))
    assert factors.shape == (4, channels_at(16, 8, 32), 1, 1) and factors.min() > 0 and factors.max() < 1
    for gate in (first, second):
        hook = gate.register_forward_hook(lambda *passed: torch.zeros_like(passed[-1]))
        assert not torch.allclose(G(z), plain)
        hook.remove()
    assert torch.equal(G(z), plain)


def test_both_paths_of_a_block_count_equally() -> None:
    with seeded("paths"):
        block = fastgan.Down(4, 6, normalised=True)
    x = draw(4, 4, 8, 8)
    torch.testing.assert_close(2 * block(x), block.main(x) + block.direct(x))
    assert block(x).shape == (4, 6, 4, 4)


def test_d_learns_to_reconstruct_a_few_images() -> None:
    real = load(size=16).pixels[:16]
    with seeded("reconstruct"):
        D = fastgan.Discriminator(8, 16, 1)
    optimiser, errors = torch.optim.Adam(D.parameters(), 2e-3), []
    for _ in range(80):
        optimiser.zero_grad()
        error = reconstruction_error(D.reconstruct(real)[1], real)
        error.backward()
        optimiser.step()
        errors.append(error.item())
    flat = 2 * (real - real.mean()).abs().mean().item()
    assert errors[-1] < errors[0] / 3 and errors[-1] < flat / 2


def test_it_trains_on_rendered_particles_with_its_papers_losses() -> None:
    """Hinge and reconstruction: gradients stay finite, and generated images take on the particles' mean."""
    real = load(size=16).pixels[:64]
    with seeded(0, "networks"):
        G, D = fastgan.Generator(16, 8, 16, 1), fastgan.Discriminator(8, 16, 1)
    steps = [torch.optim.Adam(network.parameters(), 1e-3, betas=(0.5, 0.999)) for network in (D, G)]
    draws, loss = generator("training"), LOSSES["hinge"]
    distance = lambda: (G(draw(64, 16)).mean(0) - real.mean(0)).square().mean().item()  # noqa: E731
    before = distance()
    for _ in range(60):
        batch = real[torch.randperm(64, generator=draws)[:16]]
        fake = G(torch.randn(16, 16, generator=draws))
        logits, made = D.reconstruct(batch)
        d_loss = loss.d(logits, D(fake.detach())) + reconstruction_error(made, batch)
        for objective, optimiser in ((d_loss, steps[0]), (None, steps[1])):
            optimiser.zero_grad()
            (loss.g(D(fake)) if objective is None else objective).backward()
            optimiser.step()
    assert all(weights.grad.isfinite().all() for network in (G, D) for weights in network.parameters())
    assert distance() < before / 3
