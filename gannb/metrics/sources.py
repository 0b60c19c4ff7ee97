"""Sources of images to be scored: a tensor, a generator, a folder. Each is read batch by batch, in constant memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from gannb.data.transparency import opaque
from gannb.metrics.extractor import as_8_bit, check_images
from gannb.metrics.feature_cache import content_hash
from gannb.random import generator as random_generator
from gannb.random import seeded

BATCH = 50


class ImageSource(Protocol):
    """Images to be scored: float32 `[n, C, H, W]` in [-1, 1], in batches, the same ones each time.

    Transparency lies on white.
    """

    n: int

    def batches(self) -> Iterator[Tensor]:
        """All images `[b, C, H, W]`, in order, each batch checked (shape, finite, range)."""
        ...

    def some(self, most: int) -> Tensor:
        """At most `most` images `[n, C, H, W]`, evenly spread over all."""
        ...

    def fingerprint(self) -> str | None:
        """A hash of the content where it is cheap to have, for the cache."""
        ...


class TensorImages:
    """Images that are there as a tensor.

    Args:
        images: `[N, C, H, W]` in [-1, 1], or data that hold them as `pixels`.
        which: `real`, `training` or `generated`, for error messages.

    Attributes:
        transparent: whether they had transparency.
    """

    def __init__(self, images: Tensor, which: str) -> None:
        images = getattr(images, "pixels", images)
        check_images(images, which)
        self.transparent = images.shape[1] == 4
        self.images, self.n = opaque(images), len(images)

    def batches(self) -> Iterator[Tensor]:
        """All images `[b, C, H, W]`."""
        yield from self.images.split(BATCH)

    def some(self, most: int) -> Tensor:
        """At most `most` images `[n, C, H, W]`, evenly spread."""
        return self.images[evenly(self.n, most)]

    def fingerprint(self) -> str:
        """A hash of the images."""
        return content_hash(as_8_bit(self.images))


class GeneratedImages:
    """Images that a generator draws when they are needed; the same seed gives the same images.

    A module is copied and put in eval mode: evaluation changes neither weights nor buffers.

    Args:
        generator: a module called with latents `[b, latent_dim]` (standard normal), or a function of the number of
            images wanted.
        n: how many images.
        seed: of the latents.
        latent_dim: needed where the module has no attribute of that name.

    Raises:
        ValueError: a module whose latent width is not known.
    """

    def __init__(
        self, generator: nn.Module | Callable[[int], Tensor], n: int, seed: int = 0, latent_dim: int | None = None
    ) -> None:
        self.n, self.seed = n, seed
        if not isinstance(generator, nn.Module):
            self._generate: Callable[[int, torch.Generator], Tensor] = lambda size, _: generator(size)
            return
        width = latent_dim or getattr(generator, "latent_dim", None)
        if width is None:
            raise ValueError(f"generator: {type(generator).__name__} has no attribute latent_dim; give latent_dim=…")
        network = copy.deepcopy(generator).eval().requires_grad_(False)
        device = next((p.device for p in network.parameters()), torch.device("cpu"))
        self._generate = lambda size, draw: network(torch.randn(size, width, generator=draw).to(device))

    @torch.no_grad()
    def batches(self) -> Iterator[Tensor]:
        """All images `[b, C, H, W]`, the same ones each time.

        Raises:
            ValueError: another number than requested, another shape, or values out of range.
        """
        draw = random_generator("judged", self.seed)
        for start in range(0, self.n, BATCH):
            size = min(BATCH, self.n - start)
            with seeded(self.seed, "judged", start):  # for noise that a generator draws inside
                images = self._generate(size, draw)
            check_images(images, "generated")
            if len(images) != size:
                raise ValueError(f"generator: {size} images were requested, {len(images)} came")
            yield opaque(images.detach().float().cpu())

    def some(self, most: int) -> Tensor:
        """At most `most` images `[n, C, H, W]`, evenly spread."""
        return torch.cat(list(self.batches()))[evenly(self.n, most)]

    def fingerprint(self) -> None:
        """None: they are not generated only to be hashed."""
        return


def evenly(n: int, most: int) -> Tensor:
    """Indices `[min(n, most)]`, evenly spread over `range(n)`."""
    return torch.arange(n) if n <= most else torch.linspace(0, n - 1, most, dtype=torch.float64).round().long()


def with_progress(batches: Iterable[Sized], total: int, what: str, shown: bool) -> Iterator[Any]:
    """Pass batches on, with a bar over their images.

    Args:
        batches: of images.
        total: how many images there will be.
        what: they are, beside the bar.
        shown: whether there is a bar.
    """
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=what, unit="image", disable=not shown) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch))
