"""A small convolutional autoencoder: the feature space that is always available, since it is fitted to the real images.

Its code has two parts. *Layout* is an ordinary bottleneck: what is where. *Texture* is how bright, how varied and how
rough each channel is, of the image and of the first encoder stages. A bottleneck alone maps whatever it is shown onto
the manifold of real images, so that noise, blur and grids hardly move it; with the texture they do.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STAGES_WITH_TEXTURE = 2
SMALLEST_MAP = 4


class Autoencoder(nn.Module):
    """Images `[N, channels, size, size]` in [-1, 1] → code `[N, code_dim]` → images.

    Args:
        channels: of the images.
        size: their height and width, a power of two, at least 8.
        layout_dim: width of the bottleneck.
        width: channels of the first stage; they double at each stage, up to 8 × width.

    Raises:
        ValueError: a size that is no power of two, or below 8.
    """

    def __init__(self, channels: int, size: int, layout_dim: int = 32, width: int = 8) -> None:
        super().__init__()
        if size < 8 or size & (size - 1):
            raise ValueError(f"size must be a power of two, at least 8; found {size}")
        stages = (size // SMALLEST_MAP).bit_length() - 1
        widths = [width * min(2**i, 8) for i in range(stages)]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2)) for a, b in zip([channels, *widths], widths)
        )
        self.map_shape = (widths[-1], SMALLEST_MAP, SMALLEST_MAP)
        flat = widths[-1] * SMALLEST_MAP**2
        self.layout = nn.Linear(flat, layout_dim)
        self.code_dim = layout_dim + 3 * sum([channels, *widths[:STAGES_WITH_TEXTURE]])
        self.spread = nn.Linear(self.code_dim, flat)
        outs = [*widths[-2::-1], channels]
        self.decoder = nn.Sequential(
            *(
                layer
                for a, b in zip(widths[::-1], outs)
                for layer in (nn.LeakyReLU(0.2), nn.ConvTranspose2d(a, b, 4, 2, 1))
            )
        )

    def encode(self, images: Tensor) -> Tensor:
        """The code `[N, code_dim]`: layout, then the texture of the image and of the first stages."""
        maps = [images]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        texture = [_texture(x) for x in maps[: STAGES_WITH_TEXTURE + 1]]
        return torch.cat([self.layout(maps[-1].flatten(1)), *texture], 1)

    def decode(self, code: Tensor) -> Tensor:
        """Images `[N, channels, size, size]` from a code (not clipped to [-1, 1])."""
        return self.decoder(self.spread(code).unflatten(1, self.map_shape))

    def forward(self, images: Tensor) -> Tensor:
        """The reconstruction, `[N, channels, size, size]` → the same shape."""
        return self.decode(self.encode(images))


def _texture(x: Tensor) -> Tensor:
    """Mean, log spread and log roughness of each channel: `[N, C, H, W]` → `[N, 3C]`."""
    across, down = x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]
    variance = x.var((2, 3), unbiased=False)
    roughness = across.square().mean((2, 3)) + down.square().mean((2, 3))
    # The constant keeps a flat channel finite; it is a tenth of an 8-bit level, squared.
    return torch.cat([x.mean((2, 3)), (variance + 1e-6).log() / 2, (roughness + 1e-6).log() / 2], 1)
