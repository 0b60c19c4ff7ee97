"""Fit a `Matcher` to real pairs of speech and motion, before a generator is asked to satisfy it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gannb.experiments.motion.contrastive import info_nce, told_apart
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.networks.matcher import Matcher
from gannb.networks.fit import minimise
from gannb.random import generator, seeded

STEPS, BATCH, RATE, TEMPERATURE = 300, 16, 2e-3, 0.1


def fit(real: Clips, scales: Mapping[str, Tensor], *, steps: int = STEPS, width: int = 32, seed: int = 0) -> Matcher:
    """Teach a matcher to tell which speech belongs to which motion; frozen, in eval mode.

    It depends on the clips and `seed` alone, so arms that share their data share their matcher.

    Args:
        real: clips to learn from, at least two.
        scales: of the data, as `MotionSplit.scales()` gives them.
        steps: of Adam.
        width: channels.
        seed: of weights and order.

    Raises:
        ValueError: fewer than two clips.
    """
    if len(real.pose) < 2:
        raise ValueError(f"{len(real.pose)} clip: at least 2 are needed to tell speech and motion apart")
    known = {name: scales[name] for name in ("spread", "mel_center", "mel_spread") if name in scales}
    with seeded(seed, "matcher"):
        matcher = Matcher(real.mel.shape[2], width, **known).to(real.mel.device)

    def loss(step: int) -> Tensor:
        some = torch.randperm(len(real.pose), generator=generator("matcher", seed, step))[:BATCH].to(real.mel.device)
        return mismatch(matcher, real.mel[some], real.pose[some])

    minimise(loss, matcher, steps=steps, rate=RATE)
    return matcher.eval().requires_grad_(False)


def mismatch(matcher: Matcher, mel: Tensor, pose: Tensor) -> Tensor:
    """InfoNCE of the moments of a batch, in nats: log of their number where nothing fits, 0 where all does."""
    return info_nce(matcher.hear(mel), matcher.see(pose), TEMPERATURE)


@torch.no_grad()
def matched(matcher: Matcher, mel: Tensor, pose: Tensor) -> float:
    """The share of moments whose speech and motion are told to belong together; one over their number by chance."""
    return float(told_apart(matcher.hear(mel), matcher.see(pose)))
