"""The objective of motion_balance: a least-squares GAN whose labels move, with reconstruction and physics beside it.

Source: motion_balance, "label smoothing" and "curriculum"; claims M5, M16 and M17.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from gannb.experiments.motion import losses, matching
from gannb.experiments.motion.data.split import MotionSplit
from gannb.experiments.motion.matching import Matcher
from gannb.losses.adversarial import least_squares_d, least_squares_g
from gannb.training.turn import Turn


class Losses:
    """The losses of D and G, functions of a turn whose batch is `Clips`.

    Args:
        split: the clips, from which the `matcher` of the contrastive term is fitted when that term has a weight.
        seed: of that fit; variants that share `split` and `seed` share their matcher.
        device: on which the matcher is used.
    """

    def __init__(self, split: MotionSplit, seed: int = 0, device: torch.device | str = "cpu") -> None:
        self.split, self.seed, self.device = split, seed, device

    def d_loss(self, turn: Turn) -> Tensor:
        """Half the sum of squared distances of patch scores to smoothed, noisy labels; a scalar.

        The label offset pulls both labels together and falls to 0 over the warm-up (M17). Logs D's accuracy: the share
        of patches on the right side of the middle between the labels, before noise.
        """
        now, clips, draws = turn.now, turn.batch, turn.draws
        real = turn.D(clips.pose, clips.mel, clips.speaker)
        fake = turn.D(turn.G(clips.mel, clips.speaker), clips.mel, clips.speaker)
        high, low = now.real_label - now.label_offset, now.fake_label + now.label_offset
        middle = (high + low) / 2
        accuracy = ((real > middle).float().mean() + (fake < middle).float().mean()) / 2
        turn.log(accuracy=accuracy, real=real.mean(), fake=fake.mean())
        high = high + now.label_noise * draws.randn("real", *real.shape)
        low = low + now.label_noise * draws.randn("made", *fake.shape)
        return least_squares_d(real, fake, high, low)

    def g_loss(self, turn: Turn) -> Tensor:
        """Reconstruction + detail weight · (adversarial + smoothness) + physics weight · physics; a scalar.

        Logs the unweighted adversarial term, which the repaired rules read (M5), and whether precision is mixed.
        """
        now, clips = turn.now, turn.batch
        generated = turn.G(clips.mel, clips.speaker)
        adversarial = least_squares_g(turn.D(generated, clips.mel, clips.speaker), now.real_label)
        reconstruction = losses.reconstruction(generated, clips.pose, now.absolute_weight, now.velocity_weight)
        physics = losses.physics(generated, clips.lengths)
        turn.log(adversarial=adversarial, reconstruction=reconstruction, physics=physics)
        turn.log(mixed=float(torch.is_autocast_enabled(generated.device.type)))
        detail = adversarial + losses.smoothness(generated)
        loss = reconstruction + now.detail_weight * detail + now.physics_weight * physics
        if now.plain.contrast_weight:  # an extension: speech and motion of one moment belong together
            loss = loss + now.contrast_weight * self.matcher.loss(clips.mel, generated)
        return loss

    @cached_property
    def matcher(self) -> Matcher:
        """The frozen network that scores which speech belongs to which motion, fitted to the training clips."""
        return matching.fit(self.split.training_clips(), self.split.scales(), seed=self.seed).to(self.device)
