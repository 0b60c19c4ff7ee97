"""Adaptive augmentation: as much as D's overfitting asks for (ADA, Karras et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Mapping

from gannb.control.stateful import Stateful

HIGHEST = 0.8
"""The most that the probability may reach: beyond, augmentation leaks into G (ibid., figure 4)."""


class Overfitting(Stateful):
    """Whether D overfits, as a sign now and then: r = mean sign of D on real images, against a target.

    Args:
        watch: what D's loss logged: `turn.log(sign_real=real.sign().mean())`.
        target: the r to steer to.
        every: steps between answers.
    """

    kept = ("sum", "count")

    def __init__(self, watch: str, target: float, every: int) -> None:
        self.watch, self.target, self.every = watch, target, every
        self.sum, self.count = 0.0, 0

    def way(self, step: int, seen: Mapping[str, float]) -> int | None:
        """Whether D overfits (1), does not (−1), or is in between (0); None at steps without an answer."""
        if self.watch in seen:  # a skipped D leaves no evidence
            self.sum += seen[self.watch]
            self.count += 1
        if step == 0 or step % self.every or not self.count:
            return None
        above = self.sum / self.count - self.target
        self.sum, self.count = 0.0, 0
        return (above > 0) - (above < 0)


class AdaptiveAugmentation(Overfitting):
    """Move the probability of augmentation by the sign of D on real images.

    Overfitting shows as D's logits of real images all being positive: r = E[sign D(real)] near 1. Every `every` steps
    the probability goes up where the mean r since then lies above `target`, and down where below, by an amount that
    would take it from 0 to 1 within `images_to_one` real images. D's loss logs r: `turn.log(sign_real=…)`.

    Args:
        name: the probability to move.
        target: r to steer to.
        every: steps between moves.
        batch_size: real images per step.
        images_to_one: images for the whole way; ADA's 500 k suits long runs, small data wants less.

    Raises:
        ValueError: an interval, a batch or a way that is not positive.
    """

    label = "adaptive augmentation"

    def __init__(
        self,
        name: str = "augment_probability",
        *,
        target: float = 0.6,
        every: int = 4,
        batch_size: int = 16,
        images_to_one: int = 50_000,
    ) -> None:
        if min(every, batch_size, images_to_one) < 1:
            raise ValueError(
                f"every={every}, batch_size={batch_size}, images_to_one={images_to_one}; each must be at least 1"
            )
        super().__init__("D/sign_real", target, every)
        self.names = (name,)
        self.stride = batch_size * every / images_to_one

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """Take in what was seen; the new probability every `every` steps, nothing otherwise."""
        way = self.way(step, seen)
        if way is None:
            return {}
        (name,) = self.names
        return {name: min(max(values[name] + way * self.stride, 0.0), HIGHEST)}
