"""What a controller of a GAN is asked for: quality and stability on images held out for it (S1, S3)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.func import functional_call

from gannb.control.numbers import Now
from gannb.experiments.schedules.lookahead import LookAhead, Weights
from gannb.losses.energy_distance import energy_at_scales
from gannb.random import Draws, seeded
from gannb.training.precision import full_precision


class HeldOut:
    """Parts of an objective for players "G" and "D", as they would be after a look-ahead.

    "quality" is the energy distance of G's images from held-out ones, at three scales. "stability" is gap², where
    "gap" is how much higher D scores images that it learned from than held-out ones: a D that knows its images by
    heart is what tips a GAN on few images over. D looks at bare images here, whatever it learns from.

    Args:
        guide: images held out for the controller `[N, C, H, W]`, on the trainer's device.
        latents: what G is fed, from draws, a number of images, and the numbers as they are looked ahead with.
        count: images of each kind that are looked at; the same ones after every resume.

    Raises:
        ValueError: a count below 2.
    """

    def __init__(self, guide: Tensor, latents: Callable[[Draws, int, Now], Tensor], *, count: int = 64) -> None:
        if count < 2:
            raise ValueError(f"count={count}; allowed is 2 or more")
        self.guide, self.latents, self.count = guide, latents, count

    def __call__(self, ahead: LookAhead, weights: Weights, now: Now) -> dict[str, Tensor]:
        trainer = ahead.trainer
        draws = trainer.draws("held out")
        z = self.latents(draws, self.count, now).to(self.guide.dtype)
        held = self.guide[draws.randint("guide", self.count, high=len(self.guide))]
        known = trainer.batches[trainer.step][: self.count]
        G, D = (trainer.players[name].module for name in "GD")
        with full_precision(trainer.device.type), seeded("held out", trainer.seed, trainer.step):
            made = functional_call(G, weights["G"], (z,))
            gap = functional_call(D, weights["D"], (known,)).mean() - functional_call(D, weights["D"], (held,)).mean()
        return {"quality": energy_at_scales(made, held), "stability": gap.square(), "gap": gap}
