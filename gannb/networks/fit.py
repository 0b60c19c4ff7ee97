"""The one small fitting loop, for networks that are fitted beside a run: feature extractors, matchers, pretraining."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from tqdm import tqdm


def minimise(
    loss: Callable[[int], Tensor], network: nn.Module, *, steps: int, rate: float, one_cycle: bool = False, of: str = ""
) -> list[float]:
    """Minimise a loss with Adam, in place.

    Args:
        loss: the scalar loss of a step; it draws its own batch, addressed by the step or from a generator of its own.
        network: all its parameters are fitted.
        steps: updates.
        rate: learning rate; the largest one under `one_cycle`.
        one_cycle: warm up to `rate` and anneal, as `torch.optim.lr_scheduler.OneCycleLR` does.
        of: what is fitted, for the progress bar: in a terminal, from two seconds on.

    Returns:
        The loss of every step.
    """
    optimiser = torch.optim.Adam(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps) if one_cycle else None
    losses = []
    with torch.enable_grad():
        for step in tqdm(range(steps), f"fitting {of}".rstrip(), delay=2, disable=None):
            optimiser.zero_grad()
            value = loss(step)
            value.backward()
            optimiser.step()
            if schedule is not None:
                schedule.step()
            losses.append(value.detach())
    return [value.item() for value in losses]
