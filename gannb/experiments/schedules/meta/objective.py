"""The objective of a GAN's controller: quality and stability on validation images (claims S1, S3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call
from torch.utils._pytree import tree_leaves

from gannb.control.numbers import Now
from gannb.experiments.schedules.meta.lookahead import LookAhead, Weights
from gannb.losses.energy_distance import energy_at_scales
from gannb.random import Draws, seeded


class ValidationObjective:
    """Parts of an objective for players "G" and "D", as they would be after a look-ahead.

    "quality" is the energy distance of G's images from validation images, at three scales. "stability" is gap², where
    "gap" is how much higher D scores training images than validation images: memorisation by D is what makes a GAN on
    few images diverge. D gets plain images here, without augmentation or noise.

    Args:
        images: validation images `[N, C, H, W]`, on the trainer's device; with their classes `[N]`, as the batches have
            them, where the networks are conditional.
        latents: G's input, from draws, a number of images, and the numbers of the look-ahead.
        count: images of each kind; the same ones after every resume.

    Raises:
        ValueError: a count below 2.
    """

    def __init__(
        self,
        images: Tensor | tuple[Tensor, ...],
        latents: Callable[[Draws, int, Now], Tensor],
        *,
        count: int = 64,
    ) -> None:
        if count < 2:
            raise ValueError(f"count={count}; allowed is 2 or more")
        self.parts = (images,) if isinstance(images, Tensor) else images
        self.latents, self.count = latents, count

    def __call__(self, ahead: LookAhead, weights: Weights, now: Now) -> dict[str, Tensor]:
        """The parts by name, 0-d.

        Args:
            ahead: the players.
            weights: of the players, after the look-ahead.
            now: its numbers.
        """
        trainer = ahead.trainer
        draws = trainer.draws("held out")
        z = self.latents(draws, self.count, now).to(self.parts[0].dtype)
        places = draws.randint("guide", self.count, high=len(self.parts[0]))
        held, *classes = (part[places] for part in self.parts)
        known = tuple(part[: self.count] for part in tree_leaves(trainer.batches[trainer.step]))
        G, D = (trainer.players[name].module for name in "GD")
        with torch.autocast(trainer.device.type, enabled=False), seeded("held out", trainer.seed, trainer.step):
            generated = functional_call(G, weights["G"], (z, *classes))
            seen, unseen = (functional_call(D, weights["D"], given).mean() for given in (known, (held, *classes)))
            gap = seen - unseen
        return {"quality": energy_at_scales(generated, held), "stability": gap.square(), "gap": gap}
