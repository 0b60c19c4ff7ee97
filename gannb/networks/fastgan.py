"""FastGAN for images of 16 to 256 pixels, for few training images (Liu et al., ICLR 2021).

"Towards Faster and Stabilized GAN Training for High-fidelity Few-shot Image Synthesis": the generator doubles its maps
by nearest neighbours, convolution, BatchNorm and GLU, and a small map scales the channels of a larger one (skip-layer
excitation). The discriminator halves its maps on two paths that are averaged; small decoders reconstruct the real image
from its last two maps, for a loss on that (`gannb.losses.reconstruction`).

Ours: excitation reaches 2 to 4 doublings up, as far as images so small allow (the paper: 4); no noise within the
generator; a single logit per image; both decoders see their whole map (the paper crops one, to save memory);
`spectral` puts spectral norm in BatchNorm's place (the authors' code has both). Channels go from 8·width at the
smallest map down to width.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from gannb.config.image_formats import Size
from gannb.networks.layers import dcgan_init
from gannb.networks.registry import maps
from gannb.networks.spectral_norm import spectrally_normed
from gannb.networks.stylegan2 import channels_at


def convolved(
    channels: int, to: int, activation: nn.Module, *, kernel: int = 3, stride: int = 1, normalised: bool = True
) -> nn.Sequential:
    """Convolution, BatchNorm and activation: `[N, channels, H, W]` → `[N, to, H/stride, W/stride]`, GLU halves `to`.

    Args:
        channels: in.
        to: of the convolution.
        activation: what follows.
        kernel: height and width of the kernel.
        stride: 1, or 2 with an even kernel.
        normalised: whether there is a BatchNorm; a bias otherwise.
    """
    convolution = nn.Conv2d(channels, to, kernel, stride, (kernel - 1) // 2, bias=not normalised)
    norms = [dcgan_init(nn.BatchNorm2d(to))] if normalised else []
    return nn.Sequential(dcgan_init(convolution), *norms, activation)


def up(channels: int, to: int, *, convolutions: int = 1, normalised: bool = True) -> nn.Sequential:
    """Nearest neighbours, then convolutions with GLU: `[N, channels, H, W]` → `[N, to, 2H, 2W]`.

    Args:
        channels: in.
        to: channels out.
        convolutions: how many.
        normalised: see `convolved`.
    """
    wide = [channels, *[to] * (convolutions - 1)]
    after = [convolved(each, 2 * to, nn.GLU(1), normalised=normalised) for each in wide]
    return nn.Sequential(nn.Upsample(scale_factor=2), *after)


def excitation(channels: int, to: int, first: tuple[int, int], pool: int) -> nn.Sequential:
    """Factors `[N, to, 1, 1]` in (0, 1) from a map `[N, channels, pool·height, pool·width]`.

    Args:
        channels: in.
        to: channels that the factors are for.
        first: height and width of the smallest map, which a kernel covers.
        pool: how many times larger the given map is.
    """
    squeeze = dcgan_init(nn.Conv2d(channels, to, first, bias=False))
    weigh = dcgan_init(nn.Conv2d(to, to, 1, bias=False))
    return nn.Sequential(nn.AvgPool2d(pool), squeeze, nn.LeakyReLU(0.1), weigh, nn.Sigmoid())


class Generator(nn.Module):
    """Latents `[N, latent_dim]` → images `[N, channels, height, width]` in (-1, 1).

    Args:
        latent_dim: length of a latent (the paper: 256).
        width: channels at the image's height.
        size: height and width of the images, one number for a square (`registry.maps`).
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
    """

    def __init__(self, latent_dim: int, width: int, size: Size, channels: int) -> None:
        super().__init__()
        self.latent_dim, self.size, self.channels = latent_dim, size, channels
        shapes = maps(size)
        wide = [channels_at(height, width, shapes[-1][0]) for height, _ in shapes]
        self.reach = max(2, min(4, len(shapes) - 2))
        first = dcgan_init(nn.ConvTranspose2d(latent_dim, 2 * wide[0], shapes[0], bias=False))
        self.first = nn.Sequential(first, dcgan_init(nn.BatchNorm2d(2 * wide[0])), nn.GLU(1))
        self.blocks = nn.ModuleList(up(*pair, convolutions=2 - i % 2) for i, pair in enumerate(pairwise(wide)))
        pairs = zip(wide, wide[self.reach :])
        self.excitations = nn.ModuleList(excitation(*pair, shapes[0], 2**i) for i, pair in enumerate(pairs))
        self.image = dcgan_init(nn.Conv2d(wide[-1], channels, 3, padding=1, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        """Latents `[N, latent_dim]` → images `[N, channels, height, width]`."""
        found = [self.first(z[:, :, None, None])]
        for i, block in enumerate(self.blocks, 1 - self.reach):
            x = block(found[-1])
            found.append(x * self.excitations[i](found[i]) if i >= 0 else x)
        return self.image(found[-1]).tanh()


class Down(nn.Module):
    """Two paths, averaged: `[N, channels, H, W]` → `[N, to, H/2, W/2]`.

    Args:
        channels: in.
        to: channels out.
        normalised: see `convolved`.
    """

    def __init__(self, channels: int, to: int, *, normalised: bool) -> None:
        super().__init__()
        halved = convolved(channels, to, nn.LeakyReLU(0.2), kernel=4, stride=2, normalised=normalised)
        self.main = nn.Sequential(halved, convolved(to, to, nn.LeakyReLU(0.2), normalised=normalised))
        beside = convolved(channels, to, nn.LeakyReLU(0.2), kernel=1, normalised=normalised)
        self.direct = nn.Sequential(nn.AvgPool2d(2), beside)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, channels, H, W]` → `[N, to, H/2, W/2]`."""
        return (self.main(x) + self.direct(x)) / 2


def decoder(channels: int, to: int, doublings: int, *, normalised: bool) -> nn.Sequential:
    """A map `[N, channels, H, W]` → images `[N, to, 2ⁿH, 2ⁿW]` in (-1, 1), n the doublings.

    Args:
        channels: in; they halve with each doubling.
        to: channels of the images.
        doublings: of height and width.
        normalised: see `convolved`.
    """
    wide = [max(1, channels >> i) for i in range(doublings + 1)]
    after = [up(*pair, normalised=normalised) for pair in pairwise(wide)]
    return nn.Sequential(*after, dcgan_init(nn.Conv2d(wide[-1], to, 3, padding=1, bias=False)), nn.Tanh())


class Discriminator(nn.Module):
    """Images `[N, channels, height, width]` → logits `[N]`.

    Args:
        width: channels at the image's height.
        size: height and width of the images, one number for a square (`registry.maps`).
        channels: of the images, 1 for grey, 3 for colour, 4 for colour with transparency.
        spectral: spectral norm on every layer, and no BatchNorm.
    """

    def __init__(self, width: int, size: Size, channels: int, *, spectral: bool = False) -> None:
        super().__init__()
        shapes, normalised = maps(size)[::-1], not spectral
        wide = [channels_at(height, width, shapes[0][0]) for height, _ in shapes]
        self.image = convolved(channels, wide[1], nn.LeakyReLU(0.2), kernel=4, stride=2, normalised=False)
        self.blocks = nn.ModuleList(Down(*pair, normalised=normalised) for pair in pairwise(wide[1:]))
        mixed = convolved(wide[-1], wide[-1], nn.LeakyReLU(0.2), kernel=1, normalised=normalised)
        last = dcgan_init(nn.Conv2d(wide[-1], 1, shapes[-1], bias=False))
        self.logit = nn.Sequential(mixed, last, nn.Flatten(0))
        ends = ((wide[-1], len(shapes) - 2), (wide[-2], len(shapes) - 3))
        self.decoders = nn.ModuleList(decoder(n, channels, times, normalised=normalised) for n, times in ends)
        if spectral:
            spectrally_normed(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images `[N, channels, height, width]` → logits `[N]`."""
        return self.logit(self._features(x)[-1])

    def reconstruct(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Images `[N, channels, height, width]` → logits `[N]`, and the images at half their height, from two maps."""
        found = self._features(x)
        return self.logit(found[-1]), [decode(each) for decode, each in zip(self.decoders, found[::-1])]

    def _features(self, x: Tensor) -> list[Tensor]:
        found = [self.image(x)]
        for block in self.blocks:
            found.append(block(found[-1]))
        return found
