"""The objective of `04_particles_sagan`: an adversarial loss on augmented images, and penalties."""

from __future__ import annotations

from torch import Tensor

from gannb.data.augmentation import augment
from gannb.experiments.particles_sagan.params import ParticlesSagan
from gannb.losses.adversarial import LOSSES
from gannb.losses.lecam import lecam
from gannb.losses.path_length import path_length_penalty, path_lengths
from gannb.losses.penalties import PENALTIES
from gannb.losses.reconstruction import reconstruction_error
from gannb.training.turn import Turn


class Losses:
    """D's and G's loss, as the parameters configure them; a lazy penalty every k-th step is k times as strong."""

    def __init__(self, p: ParticlesSagan) -> None:
        self.p, self.adversarial = p, LOSSES[p.loss]

    def generate(self, turn: Turn) -> Tensor:
        """Images `[N, C, H, W]` from fresh latents, as many as the batch has."""
        return turn.G(turn.draws.randn("z", len(turn.batch), self.p.latent_dim))

    def view(self, turn: Turn, images: Tensor) -> Tensor:
        """Images `[N, C, H, W]` as D sees them; real and generated ones pass the same augmentation."""
        strength, probability = turn.now.augment_strength, turn.now.augment_probability
        return augment(images, turn.draws, self.p.policy, strength=strength, probability=probability)

    def d_loss(self, turn: Turn) -> Tensor:
        """D's loss, 0-d: towards the two labels where the adversarial loss has labels, plus penalties."""
        real, reconstruction = self.real(turn)
        generated = self.view(turn, self.generate(turn))
        fake = turn.D(generated)
        turn.log(real=real.sigmoid().mean(), fake=fake.sigmoid().mean(), sign_real=real.sign().mean())
        labels = (turn.now.real_label, turn.now.fake_label) if self.adversarial.labels else ()
        penalties = self.gradient_penalty(turn, generated) + self.lecam(turn, real, fake)
        return self.adversarial.d(real, fake, *labels) + reconstruction + penalties

    def g_loss(self, turn: Turn) -> Tensor:
        """G's loss, 0-d: of generated images, or of pairs of a real and a generated one, plus path lengths."""
        fake = turn.D(self.view(turn, self.generate(turn)))
        real = (turn.D(self.view(turn, turn.batch)),) if self.adversarial.paired else ()
        return self.adversarial.g(*real, fake) + self.path_penalty(turn)

    def real(self, turn: Turn) -> tuple[Tensor, Tensor | float]:
        """D's logits `[N]` of real images, and how far its reconstructions of them are off, weighted; 0-d."""
        seen = self.view(turn, turn.batch)
        if turn.now.plain.reconstruction_weight == 0:
            return turn.D(seen), 0.0
        logits, reconstructions = turn.D.reconstruct(seen)
        error = reconstruction_error(reconstructions, seen)
        turn.log(reconstruction=error)
        return logits, turn.now.reconstruction_weight * error

    def gradient_penalty(self, turn: Turn, generated: Tensor) -> Tensor | float:
        """The penalty on images `[N, C, H, W]` as D sees them, every `penalty_every` steps; 0-d."""
        if turn.now.plain.penalty_weight == 0 or not turn.due(self.p.penalty_every):
            return 0.0
        real, mix = self.view(turn, turn.batch), turn.draws.rand("mix", len(generated))
        penalty = PENALTIES[self.p.penalty](turn.D, real, generated, mix)
        return self.p.penalty_every * turn.now.penalty_weight * penalty

    def lecam(self, turn: Turn, real: Tensor, fake: Tensor) -> Tensor | float:
        """LeCam regularisation of D's logits, 0-d; their means are logged for the running means that it reads.

        Args:
            turn: D's.
            real: logits of real images, `[N]`.
            fake: logits of generated images, `[N]`.
        """
        if self.p.lecam_weight == 0:
            return 0.0
        turn.log(logit_real=real.mean(), logit_fake=fake.mean())
        return self.p.lecam_weight * lecam(real, fake, turn.now.lecam_real, turn.now.lecam_fake)

    def path_penalty(self, turn: Turn) -> Tensor | float:
        """Path lengths of a StyleGAN2 on half a batch, every `path_length_every` steps; 0-d."""
        if turn.now.plain.path_length_weight == 0 or not turn.due(self.p.path_length_every):
            return 0.0
        half = turn.batch[: max(1, len(turn.batch) // 2)]
        w = turn.G.mapping(turn.draws.randn("path", len(half), self.p.latent_dim))
        noise = turn.draws.randn("noise", *half.shape)
        lengths = path_lengths(turn.G.synthesis, w[:, None].expand(-1, turn.G.layers, -1), noise)
        turn.log(path_length=lengths.mean())
        weight = self.p.path_length_every * turn.now.path_length_weight
        return weight * path_length_penalty(lengths, turn.now.path_length_target)
