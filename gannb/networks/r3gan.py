"""R3GAN for images of 16 to 256 pixels (Huang et al., NeurIPS 2024, "The GAN is dead; long live the GAN!", config E).

Residual blocks of 1×1, grouped 3×3 and 1×1 convolutions with LeakyReLU, twice as wide inside, without any
normalisation; fix-up initialisation (Zhang et al. 2019); resampling by a fixed filter; the discriminator mirrors the
generator. The paper trains it with the relativistic pairing loss and both zero-centred penalties: `relativistic` and
`r1_r2` in the registries of losses. Ours: channels from 8·width at the smallest map down to width, and a final tanh.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from gannb.config.image_formats import Size
from gannb.networks.layers import downsample, upsample
from gannb.networks.registry import maps
from gannb.networks.spectral_norm import spectrally_normed
from gannb.networks.stylegan2 import channels_at

EXPANSION = 2
GROUP = 16
"""Channels per group of a grouped convolution, where they divide the width."""
GAIN = math.sqrt(2 / (1 + 0.2**2))
"""Keeps the variance through a LeakyReLU(0.2) (He et al. 2015)."""


def scaled(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Initialise a layer and return it: weights N(0, gain² / inputs), biases 0."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """x + f(x), f three convolutions with LeakyReLU between them; f is 0 at first.

    The first two start scaled by depth^(−1/4), the last at 0, so that the signal neither grows nor fades with depth
    (fix-up, Zhang et al. 2019, for branches of three layers).

    Args:
        channels: in and out.
        depth: residual blocks of the whole network.
        last_gain: of the last convolution's initial weights.
    """

    def __init__(self, channels: int, depth: int, last_gain: float = 0.0) -> None:
        super().__init__()
        inside, gain = EXPANSION * channels, GAIN * depth**-0.25
        groups = inside // math.gcd(inside, GROUP)
        self.branch = nn.Sequential(
            scaled(nn.Conv2d(channels, inside, 1), gain),
            nn.LeakyReLU(0.2),
            scaled(nn.Conv2d(inside, inside, 3, padding=1, groups=groups), gain),
            nn.LeakyReLU(0.2),
            scaled(nn.Conv2d(inside, channels, 1, bias=False), last_gain),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, channels, H, W]` to the same shape."""
        return x + self.branch(x)


def stage(channels: int, blocks: int, depth: int, last_gain: float = 0.0) -> nn.Sequential:
    """The residual blocks of one resolution, `[N, channels, H, W]` → the same shape.

    Args:
        channels: in and out.
        blocks: how many.
        depth: residual blocks of the whole network.
        last_gain: see `ResidualBlock`.
    """
    return nn.Sequential(*(ResidualBlock(channels, depth, last_gain) for _ in range(blocks)))


def transition(channels: int, to: int) -> nn.Module:
    """A 1×1 convolution where the width changes between two resolutions."""
    return nn.Identity() if channels == to else scaled(nn.Conv2d(channels, to, 1, bias=False))


class Generator(nn.Module):
    """Latents `[N, latent_dim]` → images `[N, channels, height, width]` in (-1, 1).

    Args:
        latent_dim: length of a latent (the paper: 64).
        width: channels at the image's height.
        size: height and width of the images, one number for a square (`registry.maps`).
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        blocks: residual blocks per resolution.
    """

    def __init__(self, latent_dim: int, width: int, size: Size, channels: int, *, blocks: int = 2) -> None:
        super().__init__()
        self.latent_dim, self.size, self.channels = latent_dim, size, channels
        heights = [height for height, _ in maps(size)]
        wide = [channels_at(height, width, heights[-1]) for height in heights]
        self.basis = nn.Parameter(torch.randn(wide[0], *maps(size)[0]))
        self.weights = scaled(nn.Linear(latent_dim, wide[0], bias=False))
        self.stages = nn.ModuleList(stage(n, blocks, blocks * len(wide)) for n in wide)
        self.transitions = nn.ModuleList(transition(*pair) for pair in pairwise(wide))
        self.image = scaled(nn.Conv2d(wide[-1], channels, 1, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        """Latents `[N, latent_dim]` → images `[N, channels, height, width]`."""
        x = self.stages[0](self.basis * self.weights(z)[:, :, None, None])
        for narrower, blocks in zip(self.transitions, self.stages[1:]):
            x = blocks(upsample(narrower(x)))
        return self.image(x).tanh()


class Discriminator(nn.Module):
    """Images `[N, channels, height, width]` → logits `[N]`.

    Args:
        width: channels at the image's height.
        size: height and width of the images, one number for a square (`registry.maps`).
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        blocks: residual blocks per resolution.
        spectral: spectral norm on every layer (ours, for comparisons). No layer starts at 0 then, as its weight is
            divided by its norm.
    """

    def __init__(self, width: int, size: Size, channels: int, *, blocks: int = 2, spectral: bool = False) -> None:
        super().__init__()
        heights = [height for height, _ in reversed(maps(size))]
        wide = [channels_at(height, width, heights[0]) for height in heights]
        self.image = scaled(nn.Conv2d(channels, wide[0], 1, bias=False))
        self.stages = nn.ModuleList(stage(n, blocks, blocks * len(wide), float(spectral)) for n in wide)
        self.transitions = nn.ModuleList(transition(*pair) for pair in pairwise(wide))
        self.basis = scaled(nn.Conv2d(wide[-1], wide[-1], maps(size)[0], groups=wide[-1], bias=False))
        self.logit = scaled(nn.Linear(wide[-1], 1, bias=False))
        if spectral:
            spectrally_normed(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images `[N, channels, height, width]` → logits `[N]`."""
        x = self.stages[0](self.image(x))
        for wider, blocks in zip(self.transitions, self.stages[1:]):
            x = blocks(wider(downsample(x)))
        return self.logit(self.basis(x).flatten(1)).flatten()
