"""A compact StyleGAN2 for images of 16 to 256 pixels (Karras et al. 2020, "Analyzing and Improving … StyleGAN").

Mapping network, modulated and demodulated convolutions, noise inputs and image skips in G; residual blocks and the
batch's standard deviation in D; equalised learning rates throughout. Compact (ours): a mapping of 4 layers as wide as
the latent, channels from 8·width at the smallest map down to width, one latent for all layers (no style mixing),
and a tanh at the end, as images here lie in (-1, 1).

Noise: while G trains, fresh from torch's default generator, which the trainer seeds by step and turn as it does for
dropout; in eval mode constant noise drawn with G's weights, so that the same latent gives the same image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.config.image_formats import Size
from gannb.networks.layers import Projection, blur, plain, upsample
from gannb.networks.mapping import ClassEmbedding, Mapping, UnitLength
from gannb.networks.registry import maps
from gannb.networks.spectral_norm import iterated_together, spectral_norm

GAIN = math.sqrt(2)
"""Keeps the variance through a LeakyReLU(0.2)."""


def channels_at(height: int, width: int, size: int) -> int:
    """Channels of a feature map: `width` at the image's height and half of it, doubling down to 8·width.

    Args:
        height: of the map.
        width: channels at the image's height.
        size: height of the image.
    """
    return width * min(8, max(1, size // (2 * height)))


class Linear(nn.Module):
    """A linear layer with an equalised learning rate: weights N(0, 1), scaled by 1/√inputs when they are used.

    Args:
        inputs: features in.
        outputs: features out.
        bias: the bias's initial value.
        rate: what its learning rate is multiplied by, besides the equalisation.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        """`[N, inputs]` → `[N, outputs]`."""
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Convolution(nn.Module):
    """A convolution with an equalised learning rate.

    Args:
        channels: in.
        to: channels out.
        kernel: 1 or 3.
        downsample: whether the map is blurred first and every second place taken.
        bias: whether there is one.
    """

    def __init__(self, channels: int, to: int, kernel: int, *, downsample: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(to, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(to)) if bias else None
        self.scale, self.kernel, self.downsample = 1 / math.sqrt(channels * kernel**2), kernel, downsample

    def forward(self, x: Tensor) -> Tensor:
        """`[N, channels, H, W]` → `[N, to, H, W]`, or half as high and wide."""
        weight = self.weight * self.scale
        if not self.downsample:
            return F.conv2d(x, weight, self.bias, padding=self.kernel // 2)
        return F.conv2d(blur(x, padding=self.kernel // 2 + 1), weight, self.bias, stride=2)


class ModulatedConvolution(nn.Module):
    """A convolution whose weights follow a style (ibid., equations 1 and 3).

    Each sample's weights are w·s, s its style per input channel, divided by their norm per output channel
    (demodulation). Scaling inputs by s and outputs by 1/‖w·s‖ is the same and lets a batch share one convolution.

    Args:
        channels: in.
        to: channels out.
        latent_dim: length of the latents that styles are computed from.
        kernel: 1 or 3.
        upsample: whether the map becomes twice as high and wide, blurred after.
        demodulate: whether outputs are brought to unit variance.
    """

    def __init__(
        self,
        channels: int,
        to: int,
        latent_dim: int,
        kernel: int = 3,
        *,
        upsample: bool = False,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(to, channels, kernel, kernel))
        self.style = Linear(latent_dim, channels, bias=1.0)
        self.scale, self.kernel = 1 / math.sqrt(channels * kernel**2), kernel
        self.upsample, self.demodulate = upsample, demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map `[N, channels, H, W]` and latents `[N, latent_dim]` → `[N, to, H, W]`, or `[N, to, 2H, 2W]`."""
        weight, style = self.weight * self.scale, self.style(w)
        x = x * style[:, :, None, None].to(x.dtype)
        if self.upsample:
            x = blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), padding=1, gain=4.0)
        else:
            x = F.conv2d(x, weight, padding=self.kernel // 2)
        if not self.demodulate:
            return x
        energy = style.float().square() @ weight.float().square().sum(dim=(2, 3)).T  # [N, to]
        return x * (energy + 1e-8).rsqrt()[:, :, None, None].to(x.dtype)


class StyledLayer(nn.Module):
    """A modulated convolution, noise with a learned strength, a bias and a LeakyReLU.

    Args:
        channels: in.
        to: channels out.
        latent_dim: length of the latents.
        shape: height and width of the map, after.
        upsample: whether both double.
    """

    noise: Tensor

    def __init__(
        self, channels: int, to: int, latent_dim: int, shape: tuple[int, int], *, upsample: bool = False
    ) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(channels, to, latent_dim, upsample=upsample)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(to, 1, 1))
        self.register_buffer("noise", torch.randn(1, 1, *shape))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map `[N, channels, H, W]` and latents `[N, latent_dim]` → `[N, to, height, width]`."""
        x = self.convolution(x, w)
        noise = torch.randn_like(x[:, :1]) if self.training else self.noise.to(x.dtype)
        return F.leaky_relu(x + self.strength.to(x.dtype) * noise + self.bias.to(x.dtype), 0.2) * GAIN


class StyledBlock(nn.Module):
    """The layers of one resolution: two, of which the first doubles it; one at the smallest.

    Args:
        channels: in.
        to: channels out.
        latent_dim: length of the latents.
        shape: height and width of the map, after.
        upsample: whether it is doubled.
    """

    def __init__(self, channels: int, to: int, latent_dim: int, shape: tuple[int, int], *, upsample: bool) -> None:
        super().__init__()
        first = [StyledLayer(channels, to, latent_dim, shape, upsample=True)] if upsample else []
        self.layers = nn.ModuleList([*first, StyledLayer(to, to, latent_dim, shape)])

    def forward(self, x: Tensor, latents: Sequence[Tensor]) -> Tensor:
        """Map `[N, channels, H, W]` and one latent `[N, latent_dim]` per layer → `[N, to, height, width]`."""
        for layer, w in zip(self.layers, latents, strict=True):
            x = layer(x, w)
        return x


class ToImage(nn.Module):
    """What a resolution adds to the image: a modulated 1×1 convolution without demodulation, and a bias.

    Args:
        channels: in.
        to: channels of the image.
        latent_dim: length of the latents.
    """

    def __init__(self, channels: int, to: int, latent_dim: int) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(channels, to, latent_dim, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(to, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map `[N, channels, H, W]` and latents `[N, latent_dim]` → `[N, to, H, W]`."""
        return self.convolution(x, w) + self.bias


class Generator(nn.Module):
    """Latents `[N, latent_dim]` → images `[N, channels, height, width]` in (-1, 1).

    Args:
        latent_dim: length of a latent, before and after the mapping.
        width: channels at the image's height.
        size: height and width of the images, one number for a square (`registry.maps`).
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        mapping_layers: layers of the mapping network (the paper: 8; ours 4).
        classes: of the images, embedded beside the latent; 0 for an unconditional generator.

    Attributes:
        layers: how many latents `synthesis` takes where each layer has its own.
    """

    def __init__(
        self,
        latent_dim: int = 128,
        width: int = 32,
        size: Size = 64,
        channels: int = 1,
        *,
        mapping_layers: int = 4,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.latent_dim, self.size, self.channels, self.classes = latent_dim, size, channels, classes
        mapping: list[nn.Module] = []
        for layer in range(mapping_layers):
            mapping += [Linear(latent_dim * (2 if classes and not layer else 1), latent_dim, rate=0.01), Activation()]
        unit = ClassEmbedding(classes, latent_dim) if classes else UnitLength()
        self.mapping = Mapping(unit, *mapping)
        shapes = maps(size)
        wide = [channels_at(height, width, shapes[-1][0]) for height, _ in shapes]
        self.start = nn.Parameter(torch.randn(1, wide[0], *shapes[0]))
        blocks = {
            str(shape[0]): StyledBlock(wide[max(0, i - 1)], wide[i], latent_dim, shape, upsample=i > 0)
            for i, shape in enumerate(shapes)
        }
        self.blocks = nn.ModuleDict(blocks)
        self.images = nn.ModuleDict({h: ToImage(n, channels, latent_dim) for h, n in zip(blocks, wide)})
        self.layers = sum(len(block.layers) for block in blocks.values()) + 1

    def forward(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        """Latents `[N, latent_dim]`, and classes `[N]` where it has any, → images `[N, channels, height, width]`."""
        return self.synthesis(self.mapping(z, classes))

    def synthesis(self, w: Tensor) -> Tensor:
        """Mapped latents → images `[N, channels, height, width]`.

        Args:
            w: `[N, latent_dim]`, one for all layers; or `[N, layers, latent_dim]`, one per layer. What a resolution
                adds to the image uses the latent of the next one's first layer, as in the paper's code.
        """
        latents = w.unbind(1) if w.ndim == 3 else (w,) * self.layers
        first, *others = self.blocks
        x = self.blocks[first](self.start.expand(w.shape[0], -1, -1, -1), latents[:1])
        image = self.images[first](x, latents[1])
        for i, height in enumerate(others):
            x = self.blocks[height](x, latents[2 * i + 1 : 2 * i + 3])
            image = upsample(image) + self.images[height](x, latents[2 * i + 3])
        return image.tanh()


class ResidualBlock(nn.Module):
    """Two convolutions and a linear skip; the map becomes half as high and wide (ibid., figure 7c)."""

    def __init__(self, channels: int, to: int) -> None:
        super().__init__()
        self.first = nn.Sequential(Convolution(channels, channels, 3), Activation())
        self.second = nn.Sequential(Convolution(channels, to, 3, downsample=True), Activation())
        self.skip = Convolution(channels, to, 1, downsample=True, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, channels, H, W]` → `[N, to, H/2, W/2]`."""
        return (self.second(self.first(x)) + self.skip(x)) / math.sqrt(2)


class Discriminator(nn.Module):
    """Images `[N, channels, height, width]` → logits `[N]`.

    Args:
        width: channels at the image's height.
        size: height and width of the images, one number for a square (`registry.maps`).
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        group: samples over which the standard deviation is taken (ibid.: 4); a batch that it does not divide takes
            the largest part that does.
        spectral: spectral norm on every layer in the place of the equalised scale (ours, for comparisons).
        classes: of the images, for a projection of the class; 0 for an unconditional discriminator.
    """

    def __init__(
        self,
        width: int = 32,
        size: Size = 64,
        channels: int = 1,
        *,
        group: int = 4,
        spectral: bool = False,
        classes: int = 0,
    ) -> None:
        super().__init__()
        heights, places = [height for height, _ in reversed(maps(size))], math.prod(maps(size)[0])
        wide = [channels_at(height, width, heights[0]) for height in heights]
        self.image = nn.Sequential(Convolution(channels, wide[0], 1), Activation())
        self.blocks = nn.ModuleDict({str(h): ResidualBlock(*pair) for h, pair in zip(heights, pairwise(wide))})
        self.group, last = group, wide[-1]
        self.last = nn.Sequential(Convolution(last + 1, last, 3), Activation())
        self.head = nn.Sequential(Linear(last * places, last), Activation(), Linear(last, 1))
        for layer in [m for m in self.modules() if spectral and isinstance(m, Linear | Convolution)]:
            layer.scale = 1.0
            spectral_norm(layer)
        self.scale = 1.0 if spectral else last**-0.5
        wrap = spectral_norm if spectral else plain
        self.projection = Projection(classes, last, wrap, deviation=1.0) if classes else None
        iterated_together(self)

    def forward(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """Images `[N, channels, height, width]`, and their classes `[N]` where it has any, → logits `[N]`."""
        x = self.image(x)
        for block in self.blocks.values():
            x = block(x)
        x = self.last(with_deviation(x, self.group))
        logit = self.head(x.flatten(1)).flatten()
        return logit + self.projection(self.scale * x.mean((2, 3)), classes) if self.projection else logit


class Activation(nn.Module):
    """LeakyReLU(0.2) times √2."""

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        return F.leaky_relu(x, 0.2) * GAIN


def with_deviation(x: Tensor, group: int) -> Tensor:
    """Add one channel to `[N, C, H, W]`: the standard deviation over a group of samples, averaged over features.

    It shows D whether a batch lacks variety (Karras et al. 2018, section 3).
    """
    group = next(g for g in range(min(group, len(x)), 0, -1) if len(x) % g == 0)
    grouped = x.float().unflatten(0, (group, -1))  # [G, N/G, C, H, W]
    deviation = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    channel = deviation.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])
    return torch.cat([x, channel.to(x.dtype)], dim=1)
