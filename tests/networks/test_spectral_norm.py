"""Spectral norm beside the penalty: every weight of the motion critic has norm 1, and the penalty still trains it."""

import copy

import pytest
import torch
from torch import nn

from gannb.experiments.motion.networks.discriminator import Discriminator
from gannb.experiments.motion_wgan_gp.penalties import correct
from gannb.networks.registry import discriminator
from gannb.networks.spectral_norm import spectrally_normed
from gannb.random import generator, seeded


def test_every_convolution_and_linear_layer_has_norm_one() -> None:
    with seeded(0, "spectral"):
        critic = spectrally_normed(Discriminator(width=16, norm="layer"))
        pose = 0.1 * torch.randn(4, 16, 52, 3, generator=generator("pose"))
        for _ in range(30):
            critic(pose)
    layers = [m for m in critic.eval().modules() if isinstance(m, nn.Conv1d | nn.Linear)]
    assert len(layers) > 8
    for layer in layers:
        norm = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        torch.testing.assert_close(norm, torch.ones(()), rtol=0.05, atol=0)


def test_the_penalty_trains_it() -> None:
    with seeded(0, "spectral"):
        critic = spectrally_normed(Discriminator(width=16, norm="layer"))
    real, fake = (0.1 * torch.randn(4, 16, 52, 3, generator=generator(part)) for part in ("real", "fake"))
    correct(critic, real, fake, torch.rand(4, generator=generator("mix")))[0].backward()
    found = [p.grad for name, p in critic.named_parameters() if p.grad is not None and "original" in name]
    assert found and all(g.isfinite().all() for g in found)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["dcgan", "sagan", "stylegan2", "r3gan", "fastgan"])
def test_iterations_done_together_are_those_of_torch(name: str, precision: torch.dtype) -> None:
    """Bit for bit: outputs, gradients and vectors, over forward passes in train mode and one in eval mode."""
    found = []
    for together in (True, False):
        with seeded(0, "spectral"):
            D = discriminator(name, 8, 32, 3, spectral=True)
        if not together:
            D._forward_pre_hooks.clear()
        x = torch.randn(4, 3, 32, 32, generator=generator("images"))
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            scores = [D(x), D(-x), copy.deepcopy(D)(x), D.eval()(x)]
        torch.stack(scores).sum().backward()
        assert any(name.endswith("_u") for name in D.state_dict())
        used = [part for name, part in D.named_children() if name != "decoders"]  # which scores do not read
        state = [tensor for part in used for tensor in part.state_dict().values()]
        found.append([*scores, *state, *(p.grad for part in used for p in part.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
