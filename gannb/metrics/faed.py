"""FAED: the code of an autoencoder fitted to the real images, a feature space that is always available."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.data.transparency import opaque
from gannb.metrics.autoencoder import Autoencoder
from gannb.metrics.extractor import FeatureExtractor, as_8_bit, check_images, to_size
from gannb.metrics.feature_cache import content_hash, load_weights, store_weights, weights_hash
from gannb.networks.fit import minimise
from gannb.random import generator, seeded

FIT_STEPS, FIT_BATCH, FIT_RATE = 200, 16, 2e-3
FAED_SIZE = 64


class _Standardised(nn.Module):
    """An autoencoder's code, scaled so that each of its numbers has mean 0 and spread 1 over the real images."""

    centre: Tensor
    spread: Tensor

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.register_buffer("centre", torch.zeros(autoencoder.code_dim))
        self.register_buffer("spread", torch.ones(autoencoder.code_dim))

    def calibrate(self, code: Tensor) -> None:
        """Take centre and spread from the codes `[N, code_dim]` of the real images."""
        spread = code.std(0)
        self.centre.copy_(code.mean(0))
        self.spread.copy_(spread + 0.01 * spread.mean())  # a channel that hardly moves must not rule the distance

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return (self.autoencoder.encode(2 * x - 1) - self.centre) / self.spread, None


def faed(real: Tensor, steps: int = FIT_STEPS, seed: int = 0, device: torch.device | str = "cpu") -> FeatureExtractor:
    """Fit an autoencoder to the real images, by gradient descent on the squared error.

    The fit depends on the images and `seed` alone, never on a run's seed: variants that share their real images are
    compared in the same space. It is kept in the cache.

    Args:
        real: the images `[N, C, H, W]` in [-1, 1].
        steps: of the fit.
        seed: of its initial weights and batches.
        device: of the extractor; the fit is on the CPU.

    Raises:
        ValueError: fewer than 2 images, images below 8×8, or images that are all alike.
    """
    check_images(real, "real")
    real = opaque(real)
    if len(real) < 2 or bool((real == real[:1]).all()):
        raise ValueError(f"an autoencoder needs real images that differ; found {len(real)}, all alike")
    size = _size(tuple(real.shape[-2:]))
    pixels = as_8_bit(real).cpu()  # fitted on the CPU wherever it is used: the same space on every machine's GPU
    address = content_hash(pixels, "faed-2", steps, seed, size)
    network = _fitted(address, pixels, size, steps, seed).eval().requires_grad_(False)
    return _extractor(network.to(device), tuple(real.shape[1:]), f"{len(real)} real images")


def restored(weights: Mapping[str, Tensor], shape: tuple[int, ...], of: str) -> FeatureExtractor:
    """The extractor of an autoencoder that was fitted before.

    Args:
        weights: of its network, any shape.
        shape: channels, height and width of the images.
        of: what it was fitted to, in words.

    Raises:
        ValueError: images below 8×8, or weights of another network.
    """
    with seeded(0, "faed"):
        network = _Standardised(Autoencoder(shape[0], _size(shape[1:])))
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as misfit:
        raise ValueError(f"its weights are not of a network for images {list(shape)}") from misfit
    return _extractor(network.eval().requires_grad_(False), shape, of)


def _extractor(network: _Standardised, shape: tuple[int, ...], of: str) -> FeatureExtractor:
    size = _size(shape[1:])
    return FeatureExtractor(
        name="faed",
        network=network.to(memory_format=torch.channels_last),
        prepare=functools.partial(to_size, size=size),
        resize="none" if shape[1:] == (size, size) else f"bilinear to {size}×{size}, antialiased",
        fingerprint=content_hash("faed", weights_hash(network)),
        channels=shape[0],
        note=f"FAED: Fréchet distance in the code of an autoencoder fitted to the {of}",
    )


def _size(sides: tuple[int, ...]) -> int:
    if min(sides) < 8:
        raise ValueError(f"FAED needs images of at least 8×8; found {sides[0]}×{sides[1]}")
    return min(FAED_SIZE, 2 ** int(math.log2(min(sides))))


def _fitted(address: str, pixels: Tensor, size: int, steps: int, seed: int) -> _Standardised:
    with seeded(seed, "faed"):
        network = _Standardised(Autoencoder(pixels.shape[1], size))
    if load_weights("faed", address, network):
        return network
    images = 2 * to_size(pixels, size) - 1
    _fit(network.autoencoder, images, steps, seed)
    with torch.inference_mode():
        network.calibrate(torch.cat([network.autoencoder.encode(part) for part in images.split(256)]))
    store_weights("faed", address, network)
    return network


def _fit(autoencoder: Autoencoder, images: Tensor, steps: int, seed: int) -> None:
    order = generator("faed", "order", seed)

    def loss(step: int) -> Tensor:
        batch = images[torch.randint(len(images), (FIT_BATCH,), generator=order)]
        return F.mse_loss(autoencoder(batch), batch)

    minimise(loss, autoencoder, steps=steps, rate=FIT_RATE, one_cycle=True, of="the autoencoder of FAED")
