"""Parts that several networks share: self-attention, up and down blocks, initial weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from gannb.config.image_formats import Size, written
from gannb.networks.constants import constant
from gannb.networks.registry import resolutions
from gannb.networks.spectral_norm import spectral_norm

Wrap = Callable[[nn.Module], nn.Module]
Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)


def plain(layer: nn.Module) -> nn.Module:
    """Leave a layer as it is: the counterpart of `spectral_norm` where a network may do without."""
    return layer


class SelfAttention(nn.Module):
    """Self-attention over all places of a map: x + γ·Wₒ·softmax(QKᵀ)V, γ learned from 0.

    Query and key have an eighth of the channels, the value half, and no 1/√d, as in Zhang et al. 2019 (SAGAN,
    section 3). With `pooled`, keys and values are max-pooled by 2 as in its published code, which quarters the
    attention map. Softmax and products are written out: `scaled_dot_product_attention` is several times slower on CPU
    where key and value differ in width.

    Args:
        channels: channels in and out; at least 8.
        wrap: applied to each convolution, such as `spectral_norm`.
        pooled: whether keys and values are pooled; needs an even height and width.

    Raises:
        ValueError: fewer than 8 channels.
    """

    def __init__(self, channels: int, wrap: Wrap = plain, *, pooled: bool = True) -> None:
        super().__init__()
        if channels < 8:
            raise ValueError(f"self-attention needs at least 8 channels, got {channels}")
        self.query = wrap(nn.Conv2d(channels, channels // 8, 1, bias=False))
        self.key = wrap(nn.Conv2d(channels, channels // 8, 1, bias=False))
        self.value = wrap(nn.Conv2d(channels, channels // 2, 1, bias=False))
        self.out = wrap(nn.Conv2d(channels // 2, channels, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros(()))
        self.pooled = pooled

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, C, H, W]` to the same shape."""
        weights = self.weights(x)  # before the values: gradients of x add up in this order, and half precision shows it
        value = self._pooled(self.value(x))
        attended = (value.flatten(2) @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])  # [N, C/2, H, W]
        return x + self.gamma * self.out(attended)

    def weights(self, x: Tensor) -> Tensor:
        """How much each place of a map `[N, C, H, W]` takes from each other: `[N, H·W, places]`, rows sum to 1."""
        query, key = self.query(x), self._pooled(self.key(x))
        return (query.flatten(2).transpose(1, 2) @ key.flatten(2)).softmax(dim=-1)

    def _pooled(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 2) if self.pooled else x


def dcgan_init(layer: Layer) -> Layer:
    """Initialise one layer as DCGAN does and return it: weights N(0, 0.02²), BatchNorm's scale N(1, 0.02²), biases 0.

    Apply it before `spectral_norm`, whose first power iterations read the weight (Radford et al. 2016, section 4).
    """
    nn.init.normal_(layer.weight, 1.0 if isinstance(layer, nn.BatchNorm2d) else 0.0, 0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ConditionalBatchNorm(nn.BatchNorm2d):
    """BatchNorm with a scale and a shift per class (Dumoulin et al. 2017, "A learned representation for style").

    Args:
        channels: in and out.
        classes: how many.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(channels, affine=False)
        self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.normal_(self.scale.weight, 1.0, 0.02)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, classes: Tensor) -> Tensor:  # type: ignore[override]
        """Map `[N, channels, H, W]` of classes `[N]` to the same shape."""
        scale, shift = (embedding(classes)[:, :, None, None] for embedding in (self.scale, self.shift))
        return super().forward(x) * scale + shift


class Conditioned(nn.Sequential):
    """Layers one after the other, of which a `ConditionalBatchNorm` gets the classes too."""

    def forward(self, x: Tensor, classes: Tensor | None = None) -> Tensor:
        """Map `[N, C, H, W]`, with classes `[N]` where a layer needs them."""
        for layer in self:
            x = layer(x, classes) if isinstance(layer, ConditionalBatchNorm) else layer(x)
        return x


class Projection(nn.Module):
    """What a class adds to D's logit: its embedding times D's features (Miyato & Koyama 2018, equation 3).

    Args:
        classes: how many.
        channels: of the features.
        wrap: applied to the embedding, such as `spectral_norm`.
        deviation: of the embedding's initial weights, which are normal.
    """

    def __init__(self, classes: int, channels: int, wrap: Wrap = plain, *, deviation: float = 0.02) -> None:
        super().__init__()
        embedding = nn.Embedding(classes, channels)
        nn.init.normal_(embedding.weight, 0.0, deviation)
        self.embedding = wrap(embedding)

    def forward(self, features: Tensor, classes: Tensor) -> Tensor:
        """Features `[N, channels]` and classes `[N]` → `[N]`."""
        return (self.embedding(classes) * features).sum(1)


def up_convolution(channels: int, to: int, upsampling: str, *, bias: bool = False) -> nn.Module:
    """A layer with learned weights that doubles height and width: `[N, channels, H, W]` → `[N, to, 2H, 2W]`.

    A transposed convolution whose kernel overlaps itself unevenly leaves a checkerboard; resizing first does not
    (Odena et al. 2016, "Deconvolution and checkerboard artifacts").

    Args:
        channels: in.
        to: channels out.
        upsampling: "transposed", a 4×4 transposed convolution; "nearest", nearest neighbours and a 3×3 convolution.
        bias: whether the convolution has one.

    Raises:
        ValueError: another upsampling.
    """
    if upsampling == "transposed":
        return dcgan_init(nn.ConvTranspose2d(channels, to, 4, 2, 1, bias=bias))
    if upsampling == "nearest":
        return nn.Sequential(nn.Upsample(scale_factor=2), dcgan_init(nn.Conv2d(channels, to, 3, padding=1, bias=bias)))
    raise ValueError(f"upsampling {upsampling!r}: allowed: transposed | nearest")


def with_batch_norm(convolution: nn.Module, channels: int, classes: int = 0) -> Conditioned:
    """A convolution, BatchNorm, ReLU; shapes are the convolution's.

    Args:
        convolution: without bias.
        channels: that it gives.
        classes: of a conditional BatchNorm; 0 for a plain one.
    """
    norm = ConditionalBatchNorm(channels, classes) if classes else dcgan_init(nn.BatchNorm2d(channels))
    return Conditioned(convolution, norm, nn.ReLU())


def down(channels: int, to: int, *, spectral: bool, normalised: bool = True) -> nn.Sequential:
    """Convolution, a norm, LeakyReLU: `[N, channels, H, W]` → `[N, to, H/2, W/2]`.

    Args:
        channels: in.
        to: channels out.
        spectral: spectral norm on the convolution, and no BatchNorm.
        normalised: whether BatchNorm follows where there is no spectral norm.
    """
    batch_norm = normalised and not spectral
    convolution = dcgan_init(nn.Conv2d(channels, to, 4, stride=2, padding=1, bias=not batch_norm))
    parts: list[nn.Module] = [spectral_norm(convolution) if spectral else convolution]
    parts += [dcgan_init(nn.BatchNorm2d(to))] if batch_norm else []
    return nn.Sequential(*parts, nn.LeakyReLU(0.2))


def check_attention(places: Sequence[int], size: Size) -> None:
    """Check the heights at which self-attention is wanted.

    Raises:
        ValueError: a height that a network for images of this size does not have.
    """
    if wrong := [place for place in places if place not in resolutions(size)]:
        allowed = ", ".join(map(str, resolutions(size)))
        raise ValueError(f"attention at {wrong} for images of {written(size)} pixels; allowed: {allowed}")


def blur(x: Tensor, *, padding: int, gain: float = 1.0) -> Tensor:
    """Convolve `[N, C, H, W]` with [1, 3, 3, 1] along both axes, zeros beyond its edge.

    Args:
        x: the map.
        padding: on each side; the result is 2·padding − 3 higher and wider.
        gain: what the kernel, which sums to 1, is multiplied by.
    """
    return F.conv2d(x, _kernel(x, gain).expand(x.shape[1], 1, 4, 4), padding=padding, groups=x.shape[1])


def of_mean(images: Tensor, mean: float) -> Tensor:
    """Shift the colours of each image to a mean brightness, in float32; what leaves [-1, 1] is cut off.

    Args:
        images: `[N, C, H, W]` in [-1, 1]; a fourth channel is transparency, and stays.
        mean: brightness, averaged over places and colours.
    """
    images = images.float()
    colours = images[:, :3]
    shifted = (colours - colours.mean((1, 2, 3), keepdim=True) + mean).clamp(-1, 1)
    return torch.cat([shifted, images[:, 3:]], dim=1)


def downsample(x: Tensor) -> Tensor:
    """Halve the height and width of `[N, C, H, W]`, smoothed by [1, 3, 3, 1], zeros beyond the edge."""
    return F.conv2d(x, _kernel(x, 1.0).expand(x.shape[1], 1, 4, 4), stride=2, padding=1, groups=x.shape[1])


def upsample(x: Tensor) -> Tensor:
    """Double the height and width of `[N, C, H, W]`, interpolating by [1, 3, 3, 1], zeros beyond the edge."""
    kernel = _kernel(x, 4.0).expand(x.shape[1], 1, 4, 4)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


def _kernel(x: Tensor, gain: float) -> Tensor:
    row = constant((1.0, 3.0, 3.0, 1.0), x.device) / 8
    return (row[:, None] * row * gain)[None, None].to(x.dtype)


@torch.no_grad()
def spectral_norms(network: nn.Module) -> dict[str, float]:
    """The exact spectral norm of every convolution's and linear layer's weight, as a matrix `[out, rest]`.

    A copy is looked at: in train mode, reading a spectrally normalised weight moves its power iteration.
    """
    modules = copy.deepcopy(network).eval().named_modules()
    layers = {name: layer for name, layer in modules if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)}
    return {n: float(torch.linalg.matrix_norm(layer.weight.float().flatten(1), 2)) for n, layer in layers.items()}


class _OnParts(nn.Module):
    """A network that takes its inputs from a dictionary, which `update_bn` passes on whole."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, given: dict[str, tuple[Tensor, ...]]) -> Tensor:
        """The network's output, of any shape."""
        return self.network(*given["inputs"])


def recalibrate_batchnorm(network: nn.Module, *inputs: Tensor, batch_size: int = 32) -> nn.Module:
    """Estimate BatchNorm's statistics for the current weights, in place; returns the network in eval mode.

    The running statistics after training belong to the weights of the last hundred steps, and an average of weights
    has none of its own. A network without BatchNorm stays as it is.

    Args:
        network: a copy (`trainer.ema("G")`); never a player's own network, whose statistics would change.
        inputs: of the network, `[N, …]` each; a few hundred are enough.
        batch_size: inputs per forward pass.
    """
    parts = zip(*(tensor.split(batch_size) for tensor in inputs))
    update_bn(({"inputs": part} for part in parts), _OnParts(network))
    return network.eval()


class FrameNorm(nn.LayerNorm):
    """LayerNorm over the channels of each frame of `[B, C, T]`; samples and frames stay independent."""

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, C, T]` to the same shape."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)
