"""A feature extractor: a network, the size and channels it takes, and the names of the scores on its features.

Images come in as float `[N, C, H, W]` in [-1, 1] and are first rounded to the 8 bits that a PNG would hold, so that a
tensor and the folder it is saved to score the same. Transparency lies on white, of real and generated images alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.config.image_formats import Size, sides
from gannb.data.transparency import opaque

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Activations:
    """What a feature extractor computes from `N` images.

    Args:
        features: `[N, d]` float32.
        logits: `[N, classes]` float32, None where the network has no classes.
    """

    features: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True)
class FeatureExtractor:
    """A named feature space.

    Args:
        name: `inception`, `faed`, or the user's own; scores are named after it.
        network: images in [0, 1] `[n, channels, h, w]` of its size → `(features [n, d], logits or None)`.
        prepare: brings 8-bit images in [0, 1] to the network's size.
        resize: what `prepare` does, in words, for the protocol.
        fingerprint: hash of weights and settings; features are cached under it.
        channels: that the network takes; grey images are repeated for one that takes 3.
        precision: `bf16` runs the network under autocast; features stay float32.
        note: a sentence for the reader, such as how the autoencoder was fitted.
    """

    name: str
    network: nn.Module
    prepare: Callable[[Tensor], Tensor]
    resize: str
    fingerprint: str
    precision: Precision = "fp32"
    channels: int = 3
    note: str = ""

    @property
    def frechet_name(self) -> str:
        """`fid` on Inception's 2048 features, `faed` on the autoencoder's, `fd_<name>` on any other."""
        return {"inception": "fid", "faed": "faed"}.get(self.name, f"fd_{self.name}")

    @property
    def kernel_name(self) -> str:
        """`kid` on Inception's 2048 features, `kid_<name>` on any other."""
        return "kid" if self.name == "inception" else f"kid_{self.name}"

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return next(self.network.parameters()).device

    @torch.no_grad()
    def __call__(self, images: Tensor, batch_size: int = 16) -> Activations:
        """Features (and logits) of images `[N, C, H, W]` in [-1, 1]."""
        parts = [self._batch(images[i : i + batch_size]) for i in range(0, len(images), batch_size)]
        features, logits = zip(*parts)
        return Activations(torch.cat(features), None if logits[0] is None else torch.cat(logits))

    def _batch(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        x = self.prepare(as_8_bit(opaque(images.to(self.device))).expand(-1, self.channels, -1, -1))
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            features, logits = self.network(x)
        return features.float().cpu(), None if logits is None else logits.float().cpu()


def as_8_bit(images: Tensor) -> Tensor:
    """Images `[N, C, H, W]` in [-1, 1], rounded to 256 levels, as float32 in [0, 1]."""
    return ((images.float() + 1) * 127.5).round_().clamp_(0, 255).div_(255)


def check_images(images: Any, which: str) -> None:
    """Check that images are floats `[N, C, H, W]` in [-1, 1] with 1, 3 or 4 channels, all finite.

    Raises:
        ValueError: they are not; the message says whose images (`which`).
    """
    if not isinstance(images, Tensor):
        raise ValueError(f"{which} images: a tensor [N, C, H, W] is needed; found {type(images).__name__}")
    if images.ndim != 4 or images.shape[1] not in (1, 3, 4):
        raise ValueError(f"{which} images: [N, C, H, W] with 1, 3 or 4 channels is needed; found {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"{which} images: floats in [-1, 1] are needed; found {images.dtype}")
    if not len(images):
        raise ValueError(f"{which} images: none were given")
    bad = ~torch.isfinite(images).flatten(1).all(1)
    if bad.any():
        first = int(bad.nonzero()[0])
        raise ValueError(
            f"{which} images: {int(bad.sum())} of {len(images)} hold NaN or infinity (first: image {first})"
        )
    low, high = float(images.min()), float(images.max())
    if low < -1.01 or high > 1.01:
        raise ValueError(f"{which} images: values in [-1, 1] are needed; found {low:.3g} … {high:.3g}")


def to_size(x: Tensor, size: Size, antialias: bool = True) -> Tensor:
    """Images `[N, C, H, W]` → `[N, C, height, width]`, bilinear.

    Args:
        x: the images.
        size: height and width that are wanted, one number for a square.
        antialias: average where an image shrinks; pytorch-fid does not.
    """
    if tuple(x.shape[-2:]) == sides(size):
        return x
    return F.interpolate(x, size=sides(size), mode="bilinear", align_corners=False, antialias=antialias)
