"""How different from each other the samples of a fixed latent batch are: what falls when a generator collapses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gannb.random import Draws
from gannb.training.turn import Turn

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer


def spread(samples: Tensor) -> Tensor:
    """Root of the mean variance over a batch `[N, …]`; 0 where all samples agree."""
    return samples.float().flatten(1).var(0, unbiased=False).mean().sqrt()


class Diversity:
    """Logs "G/diversity" of a fixed latent batch: `trainer.every(steps=50, do=Diversity(fake))`.

    The experiment's own `fake(turn)` generates the samples, with the numbers as they stand, so whatever spoils its
    latents shows too. It sees copies in eval mode: weights and buffers of the players stay as they are.

    Args:
        fake: the samples `[N, …]` that G generates in a turn; takes its randomness from `turn.draws`.
        who: the player that generates them.
        batch: the step of the batch that the turn shows (its length says how many samples).
    """

    def __init__(self, fake: Callable[[Turn], Tensor], who: str = "G", batch: int = 0) -> None:
        self.fake, self.who, self.batch = fake, who, batch

    @torch.no_grad()
    def __call__(self, trainer: Trainer) -> dict[str, float]:
        """The diversity now, by the name it is recorded under."""
        draws = Draws(trainer.seed, 0, "diversity", device=trainer.device)
        networks = {self.who: trainer.network(self.who)}
        turn = Turn(self.who, networks, trainer.batches[self.batch], trainer.numbers.now(trainer.device), draws, 0)
        return {f"{self.who}/diversity": float(spread(self.fake(turn)))}
