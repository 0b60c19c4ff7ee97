"""Batches by their step: which images step 1,234 sees depends on the seed and on nothing else."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.data import DataLoader

from gannb import distributed
from gannb.random import generator

Structure = Any
"""A tensor, or a dict or tuple of tensors with one length."""


class Order:
    """Which samples each step sees: every sample once an epoch, shuffled anew, the incomplete last batch left out.

    Args:
        count: how many samples there are.
        size: samples per step, over all ranks.
        seed: the run's seed.
        device: where the indices are; they go there once an epoch, so that no step waits for them.

    Raises:
        ValueError: more samples per step than there are, or a number that the ranks do not divide.
    """

    def __init__(self, count: int, size: int, seed: int, device: torch.device | str = "cpu") -> None:
        if not 1 <= size <= count:
            raise ValueError(f"batch_size: given {size}; allowed: 1 … {count}, the number of training samples")
        if size % distributed.ranks():
            raise ValueError(f"batch_size: given {size}; it must be a multiple of the {distributed.ranks()} ranks")
        self.count, self.size, self.seed, self.device = count, size, seed, device
        self.per_epoch = count // size
        self._epoch, self._shuffled = -1, torch.empty(0, dtype=torch.int64)

    def __getitem__(self, step: int) -> Tensor:
        """This rank's sample indices `[size / ranks]` for a step."""
        epoch, batch = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            shuffled = torch.randperm(self.count, generator=generator("order", self.seed, epoch))
            self._shuffled = shuffled.to(self.device)
            self._epoch = epoch
        mine = self.size // distributed.ranks()
        start = batch * self.size + distributed.rank() * mine
        return self._shuffled[start : start + mine]


class Batches:
    """Small data, held on the device whole: `batches[step]` is a function of the step.

    Args:
        data: a tensor `[N, …]`, or a dict or tuple of such tensors.
        size: samples per step.
        seed: the run's seed.
        device: where the data is put, once.
    """

    def __init__(self, data: Structure, size: int, *, seed: int, device: torch.device | str = "cpu") -> None:
        self.data = tree_map(lambda t: t.to(device), data)
        self.order = Order(_length(data), size, seed, device)
        self.per_epoch, self.size = self.order.per_epoch, self.order.size

    def __getitem__(self, step: int) -> Structure:
        """The samples of a step: every tensor of `data` at its indices, `[size / ranks, …]`."""
        index = self.order[step]
        return tree_map(lambda t: t[index.to(t.device)], self.data)

    def digest(self) -> str:
        """Twelve hex digits of the content, so that a replay on other data is noticed."""
        state = hashlib.sha256()
        for part in tree_leaves(self.data):
            state.update(part.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return state.hexdigest()[:12]


class StreamedBatches:
    """Large data, streamed through a DataLoader in the same step-addressed order.

    A step that does not follow the last one (after a resume) restarts the stream there.

    Args:
        dataset: a map-style dataset of tensors, dicts or tuples.
        size: samples per step.
        seed: the run's seed.
        device: where each batch is moved to.
        workers: loader processes, which load ahead; 0 loads in this one. By default 2 for a card, which must not wait.
        name: what stands for the content in a replay's check, such as a hash of the file list.
    """

    def __init__(
        self,
        dataset: Any,
        size: int,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        workers: int | None = None,
        name: str = "",
    ) -> None:
        self.dataset, self.device, self.name = dataset, torch.device(device), name
        self.workers = workers if workers is not None else 2 * (self.device.type == "cuda")
        self.order = Order(len(dataset), size, seed)
        self.per_epoch, self.size = self.order.per_epoch, self.order.size
        self._next, self._stream = -1, iter(())

    def __getitem__(self, step: int) -> Structure:
        """The samples of a step, `[size / ranks, …]`, on the device."""
        if step != self._next:
            self._stream = iter(self._loader(step))
        self._next = step + 1
        return tree_map(lambda t: t.to(self.device, non_blocking=True), next(self._stream))

    def digest(self) -> str:
        """The name and the length: streamed data is not read to be hashed."""
        return hashlib.sha256(f"{self.name}|{len(self.dataset)}".encode()).hexdigest()[:12]

    def _loader(self, first: int) -> DataLoader:
        return DataLoader(
            self.dataset,
            batch_sampler=(self.order[step].tolist() for step in itertools.count(first)),
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )


def _length(data: Structure) -> int:
    lengths = {len(part) for part in tree_leaves(data)}
    if len(lengths) != 1:
        raise ValueError(f"the parts of a batch must have one length, not {sorted(lengths)}")
    return lengths.pop()
