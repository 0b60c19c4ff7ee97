"""DCGAN for images of 16 to 256 pixels, with spectral norm and self-attention as options (what `sagan` switches on).

Radford et al. 2016: 4×4 convolutions of stride 2, BatchNorm, ReLU in G, LeakyReLU in D, tanh at the end.
With width 64 and latent 128 the generator for 64 pixels has 3.8 M parameters, the discriminator 2.8 M.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from gannb.config.image_formats import Size
from gannb.networks.layers import (
    Projection,
    SelfAttention,
    check_attention,
    dcgan_init,
    down,
    of_mean,
    plain,
    up_convolution,
    with_batch_norm,
)
from gannb.networks.registry import maps, resolutions
from gannb.networks.spectral_norm import iterated_together, spectral_norm


def widths(width: int, size: Size) -> list[int]:
    """Channels from the smallest map up to half the image's height: from 8·width (for 64 pixels and more) to width."""
    return [width * min(8, 2**i) for i in range(len(resolutions(size)), -1, -1)]


class Generator(nn.Module):
    """Latents `[N, latent_dim]` → images `[N, channels, height, width]` in (-1, 1).

    Args:
        latent_dim: length of a latent.
        width: channels at half the image's height (the document's `ngf`); each halving doubles them, up to 8 times.
        size: height and width of the images, one number for a square (`registry.maps`).
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        attention_at: heights after which self-attention follows, each between the smallest map's and the image's.
        pooled: whether attention pools its keys and values.
        upsampling: see `layers.up_convolution`.
        mean: brightness that the places of every image have on average, in [-1, 1]; None leaves it to the weights.
        classes: of the images, for conditional BatchNorm; 0 for an unconditional generator.
    """

    def __init__(
        self,
        latent_dim: int = 128,
        width: int = 64,
        size: Size = 64,
        channels: int = 1,
        *,
        attention_at: Sequence[int] = (),
        pooled: bool = True,
        upsampling: str = "transposed",
        mean: float | None = None,
        classes: int = 0,
    ) -> None:
        super().__init__()
        check_attention(attention_at, size)
        self.latent_dim, self.size, self.channels, self.classes, self.mean = latent_dim, size, channels, classes, mean
        wide, heights = widths(width, size), resolutions(size)
        start = dcgan_init(nn.ConvTranspose2d(latent_dim, wide[0], maps(size)[0], bias=False))
        self.start = with_batch_norm(start, wide[0], classes)
        blocks = {
            str(h): with_batch_norm(up_convolution(wide[i], wide[i + 1], upsampling), wide[i + 1], classes)
            for i, h in enumerate(heights)
        }
        self.blocks = nn.ModuleDict(blocks)
        self.image = nn.Sequential(up_convolution(wide[-1], channels, upsampling, bias=True), nn.Tanh())
        at = {height: wide[1 + heights.index(height)] for height in attention_at}
        self.attention = nn.ModuleDict({str(h): SelfAttention(c, pooled=pooled) for h, c in at.items()})

    def forward(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        """Latents `[N, latent_dim]`, and classes `[N]` where it has any, → images `[N, channels, height, width]`."""
        x = self.start(z[:, :, None, None], classes)
        for height, block in self.blocks.items():
            x = block(x, classes)
            if height in self.attention:
                x = self.attention[height](x)
        return self.image(x) if self.mean is None else of_mean(self.image(x), self.mean)


class Discriminator(nn.Module):
    """Images `[N, channels, height, width]` → logits `[N]`.

    Args:
        width: channels at half the image's height (the document's `ndf`).
        size: height and width of the images, one number for a square (`registry.maps`).
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        attention_at: heights after which self-attention follows, each between the smallest map's and the image's.
        spectral: spectral norm on every convolution, attention and last one included, and no BatchNorm;
            without it BatchNorm follows every convolution but first and last, as in DCGAN.
        pooled: whether attention pools its keys and values.
        dropout: share of the features that are dropped after every block while D trains; a gradient penalty needs 0.
        classes: of the images, for a projection of the class; 0 for an unconditional discriminator.
    """

    def __init__(
        self,
        width: int = 64,
        size: Size = 64,
        channels: int = 1,
        *,
        attention_at: Sequence[int] = (),
        spectral: bool = False,
        pooled: bool = True,
        dropout: float = 0.0,
        classes: int = 0,
    ) -> None:
        super().__init__()
        check_attention(attention_at, size)
        self.size, self.channels, self.dropout = size, channels, dropout
        smallest, heights, wide = maps(size)[0], resolutions(size)[::-1], widths(width, size)[::-1]
        into = [channels, *wide]
        self.blocks = nn.ModuleDict(
            {
                str(height): down(into[i], into[i + 1], spectral=spectral, normalised=i > 0)
                for i, height in enumerate([*heights, smallest[0]])
            }
        )
        wrap = spectral_norm if spectral else plain
        at = {height: wide[heights.index(height)] for height in attention_at}
        self.attention = nn.ModuleDict({str(h): SelfAttention(c, wrap, pooled=pooled) for h, c in at.items()})
        self.logit = wrap(dcgan_init(nn.Conv2d(wide[-1], 1, smallest)))
        self.projection = Projection(classes, wide[-1], wrap) if classes else None
        iterated_together(self)

    def forward(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """Images `[N, channels, height, width]`, and their classes `[N]` where it has any, → logits `[N]`."""
        for height, block in self.blocks.items():
            x = block(x)
            if height in self.attention:
                x = self.attention[height](x)
            x = F.dropout(x, self.dropout, self.training) if self.dropout else x
        logit = self.logit(x).flatten()
        return logit + self.projection(x.sum((2, 3)), classes) if self.projection else logit
