"""The objective of `03_schedules`: an adversarial loss with three numbers that a schedule moves."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from gannb.control.numbers import Now
from gannb.data.augmentation import augment
from gannb.experiments.schedules.params import Schedules
from gannb.losses.adversarial import LOSSES
from gannb.losses.penalties import PENALTIES
from gannb.random import Draws
from gannb.training.turn import Turn


class Losses:
    """D's loss ℓ_D + w · R and G's loss ℓ_G, as the parameters configure them.

    R is the gradient penalty E(‖∇D‖ − 1)² between real and generated images, or R1; or there is no penalty, and the
    logits are scaled by 10/w under spectral norm (claim S8). Both losses see images through `view`.
    """

    def __init__(self, p: Schedules) -> None:
        self.p, self.adversarial = p, LOSSES[p.loss]

    def inputs(self, draws: Draws, n: int, now: Now, data: Sequence[Tensor] = ()) -> tuple[Tensor, ...]:
        """What G takes: latents `[n, latent_dim]`, and classes `[n]`, drawn as they are frequent, where conditional.

        Args:
            draws: their randomness.
            n: how many.
            now: the numbers.
            data: what a conditional run learns from: images, and their classes.
        """
        z = self.latents(draws, n, now)
        if not self.p.conditional:
            return (z,)
        return z, data[1][draws.randint("classes", n, high=len(data[1]))]

    def latents(self, draws: Draws, n: int, now: Now) -> Tensor:
        """Latents `[n, latent_dim]` of variance `latent_scale`.

        Args:
            draws: their randomness.
            n: how many.
            now: the numbers.
        """
        z = draws.randn("z", n, self.p.latent_dim)
        if self.p.latent == "uniform":
            z = (2 * draws.rand("uniform", n, self.p.latent_dim) - 1) * 3**0.5
        return z * now.latent_scale.sqrt()

    def view(self, turn: Turn, images: Tensor, *, real: bool) -> Tensor:
        """Images as D sees them: augmented, with instance noise.

        Args:
            turn: numbers and randomness.
            images: `[N, C, H, W]`.
            real: whether they are real ones; as the document has it, only those are augmented.
        """
        now = turn.now
        if real or self.p.augment_both:
            strength, probability = now.augment_strength, now.augment_probability
            images = augment(images, turn.draws, self.p.policy, strength=strength, probability=probability)
        return images + now.instance_noise.sqrt() * turn.draws.randn("noise", *images.shape)

    def logits(self, turn: Turn, images: Tensor, *classes: Tensor, real: bool) -> Tensor:
        """D's logits `[N]`.

        Args:
            turn: whose networks, numbers and draws are used.
            images: `[N, C, H, W]` in [-1, 1].
            classes: theirs, `[N]`, where D is conditional.
            real: whether these are real images.
        """
        scale = 10 / turn.now.reg_weight if self.p.regulariser == "spectral" else 1.0
        return scale * turn.D(self.view(turn, images, real=real), *classes)

    def batch(self, turn: Turn) -> tuple[Tensor, ...]:
        """Images `[N, C, H, W]`; and where the networks are conditional, their classes `[N]`, of generated ones too."""
        return turn.batch if self.p.conditional else (turn.batch,)

    def d_loss(self, turn: Turn) -> Tensor:
        """D's loss, 0-d."""
        images, *classes = self.batch(turn)
        generated = turn.G(self.latents(turn.draws, len(images), turn.now), *classes)
        real = self.logits(turn, images, *classes, real=True)
        fake = self.logits(turn, generated, *classes, real=False)
        turn.log(real=real.sigmoid().mean(), fake=fake.sigmoid().mean(), sign_real=real.sign().mean())
        loss = self.adversarial.d(real, fake)
        if self.p.regulariser == "spectral":
            return loss
        penalty, mix = PENALTIES[self.p.regulariser], turn.draws.rand("mix", len(generated))
        return loss + turn.now.reg_weight * penalty(lambda x: turn.D(x, *classes), images, generated, mix)

    def g_loss(self, turn: Turn) -> Tensor:
        """G's loss, 0-d."""
        images, *classes = self.batch(turn)
        generated = turn.G(self.latents(turn.draws, len(images), turn.now), *classes)
        fake = self.logits(turn, generated, *classes, real=False)
        if self.adversarial.paired:
            return self.adversarial.g(self.logits(turn, images, *classes, real=True), fake)
        return self.adversarial.g(fake)
