"""Randomness as an address, not a history.

Every random number of a run is a function of `(seed, stream, step, turn)`: the order of the data, latents,
augmentation, penalty mixing, dropout, initial weights. Nothing depends on how often a generator was called before,
which is what makes exact resume, exact replay and paired comparisons cheap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def key(*address: object) -> int:
    """Hash an address to a 32-bit seed.

    A hash, because CPU generators keep only the low 32 bits of a seed: `(seed << 32) | step` would forget the seed.
    """
    text = "|".join(map(str, address)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little")


def generator(*address: object, device: torch.device | str = "cpu") -> torch.Generator:
    """Make a private generator for an address; torch's global generator is left alone."""
    import torch  # here and below: `key` alone needs no torch, and the command line is to start fast

    return torch.Generator(device=device).manual_seed(key(*address))


@contextmanager
def seeded(*address: object) -> Iterator[None]:
    """Seed torch's default generators (CPU and CUDA) within a block, and put them back after.

    For what takes no generator of its own: weight initialisation (`with seeded(seed, "G"): G = …`) and dropout.
    """
    import torch

    before = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    # Not torch.manual_seed: where CUDA is built in and not started, each call keeps a stack trace for later (1 ms).
    torch.default_generator.manual_seed(key(*address))
    if cuda is not None:
        torch.cuda.manual_seed_all(key(*address))
    try:
        yield
    finally:
        torch.set_rng_state(before)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


@dataclass(frozen=True)
class Draw:
    """One draw of a stream: how often the stream was drawn before, the tensor method that fills, and its bounds."""

    stream: str
    index: int
    fill: str
    bounds: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str = "float32"

    def into(self, tensor: Tensor, address: tuple) -> Tensor:
        """Fill a tensor `[*shape]` of the draw with the numbers at an address."""
        draw = generator(self.stream, self.index, *address, device=tensor.device)
        return getattr(tensor, self.fill)(*self.bounds, generator=draw)


class Draws:
    """The random numbers of one turn of one step, by the name of their stream.

    Drawing a stream twice within a turn gives two different draws. Over ranks, everyone draws the global batch and
    keeps its own slice, so that a run on two ranks sees the numbers of a run on one.

    Args:
        seed: the run's seed.
        step: the training step.
        turn: which turn within the step (an index, or a name for a look-ahead).
        rank: this process.
        ranks: how many there are; `n` in every method is this rank's share of the batch.
        device: where the draws live. CPU and CUDA generators give different numbers.
    """

    def __init__(
        self,
        seed: int,
        step: int,
        turn: int | str = 0,
        *,
        rank: int = 0,
        ranks: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.address = (seed, step, turn)
        self.rank, self.ranks, self.device = rank, ranks, device
        self._drawn: dict[str, int] = {}

    def generator(self, stream: str) -> torch.Generator:
        """A fresh generator for the next draw of `stream`; the same on every rank."""
        return generator(stream, self._next(stream), *self.address, device=self.device)

    def randn(self, stream: str, n: int, *shape: int) -> Tensor:
        """Standard normal draws `[n, *shape]`."""
        return self._mine(Draw(stream, self._next(stream), "normal_", (), (n * self.ranks, *shape)))

    def rand(self, stream: str, n: int, *shape: int) -> Tensor:
        """Uniform draws in [0, 1) `[n, *shape]`."""
        return self._mine(Draw(stream, self._next(stream), "uniform_", (), (n * self.ranks, *shape)))

    def randint(self, stream: str, n: int, *shape: int, low: int = 0, high: int) -> Tensor:
        """Integer draws `[n, *shape]`, int64.

        Args:
            stream: their name.
            n: this rank's share of the batch.
            *shape: of one sample.
            low: the lowest integer.
            high: one above the highest.
        """
        return self._mine(Draw(stream, self._next(stream), "random_", (low, high), (n * self.ranks, *shape), "int64"))

    def _next(self, stream: str) -> int:
        """How often a stream was drawn before in this turn."""
        count = self._drawn.get(stream, 0)
        self._drawn[stream] = count + 1
        return count

    def _mine(self, draw: Draw) -> Tensor:
        drawn = self._make(draw)
        share = len(drawn) // self.ranks
        return drawn[self.rank * share : (self.rank + 1) * share]

    def _make(self, draw: Draw) -> Tensor:
        import torch

        return draw.into(torch.empty(draw.shape, dtype=getattr(torch, draw.dtype), device=self.device), self.address)
