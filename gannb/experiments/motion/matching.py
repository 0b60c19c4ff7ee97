"""Which speech belongs to which motion: a network fitted to real pairs, whose InfoNCE is a loss for a generator.

An extension that motion_balance names ("contrastive learning").
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.experiments.motion.data.clips import Clips, pack
from gannb.experiments.motion.networks.audio_encoder import AudioEncoder
from gannb.experiments.motion.networks.blocks import ResidualBlock
from gannb.networks.fit import minimise
from gannb.random import generator, seeded

MOMENT = 16
"""Frames of a moment, about a second."""
STEPS, BATCH, RATE, TEMPERATURE = 300, 16, 2e-3, 0.1


def info_nce(one: Tensor, other: Tensor, temperature: Tensor | float = TEMPERATURE) -> Tensor:
    """InfoNCE over both directions, in nats: mean -log softmax(cosine / temperature) at the right partner.

    log N where pairs cannot be matched, 0 where every match is certain (van den Oord et al. 2018; symmetric as in
    Radford et al. 2021).

    Args:
        one: embeddings `[N, d]`.
        other: embeddings `[N, d]`; row i of both is of one moment.
        temperature: above 0.

    Raises:
        ValueError: shapes that differ, or fewer than two rows.
    """
    logits = cosine_similarities(one, other) / temperature
    right = torch.arange(len(one), device=one.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def matching_accuracy(one: Tensor, other: Tensor) -> Tensor:
    """The share of rows `[N, d]` whose nearest in the other is their partner, over both directions; 1/N by chance."""
    similarities = cosine_similarities(one, other)
    right = torch.arange(len(one), device=one.device)
    return ((similarities.argmax(1) == right).float().mean() + (similarities.argmax(0) == right).float().mean()) / 2


def cosine_similarities(one: Tensor, other: Tensor) -> Tensor:
    """Cosines `[N, N]` of all pairs of rows `[N, d]`, in single precision at least; raises as `info_nce`."""
    if one.shape != other.shape or one.ndim != 2 or len(one) < 2:
        raise ValueError(f"pairs need two tables [N, d], N at least 2; given {tuple(one.shape)}, {tuple(other.shape)}")
    one, other = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (one, other))
    return F.normalize(one, dim=1) @ F.normalize(other, dim=1).T


class Matcher(nn.Module):
    """Embeds moments of speech and of motion so that those of one moment lie together.

    Motion enters as scaled changes from frame to frame: a posture alone shows who speaks rather than what is said.

    Args:
        n_mels: mel bands.
        width: channels.
        size: of an embedding.
        spread: standard deviation of the data's poses `[52, 3]`, metres.
        mel_center: mean of the log-mel `[n_mels]`.
        mel_spread: its standard deviation `[n_mels]`.
    """

    def __init__(
        self, n_mels: int, width: int, size: int = 32, *, spread: Tensor, mel_center: Tensor, mel_spread: Tensor
    ) -> None:
        super().__init__()
        self.audio = AudioEncoder(width, n_mels, mel_center, mel_spread)
        self.changes = nn.Conv1d(52 * 3, width, 5, padding=2)
        self.speech = nn.Sequential(ResidualBlock(width), ResidualBlock(width))
        self.motion = nn.Sequential(ResidualBlock(width), ResidualBlock(width))
        self.speech_out, self.motion_out = nn.Linear(width, size), nn.Linear(width, size)
        self.register_buffer("spread", spread.float().clone())

    def embed_speech(self, mel: Tensor) -> Tensor:
        """Log-mel `[B, 4·T, n_mels]` → embeddings of its moments `[B · T/16, size]`."""
        return self._moments(self.speech(self.audio(mel)), self.speech_out)

    def embed_motion(self, pose: Tensor) -> Tensor:
        """Poses `[B, T, 52, 3]` in metres → embeddings of their moments `[B · T/16, size]`."""
        changes = pose.diff(dim=1, prepend=pose[:, :1]) / self.spread
        return self._moments(self.motion(self.changes(pack(changes))), self.motion_out)

    @staticmethod
    def _moments(x: Tensor, out: nn.Linear) -> Tensor:
        if x.shape[2] % MOMENT:
            raise ValueError(f"clips of {x.shape[2]} frames; moments need multiples of {MOMENT}")
        return out(x.unflatten(2, (-1, MOMENT)).mean(3).transpose(1, 2)).flatten(0, 1)

    @torch.no_grad()
    def accuracy(self, mel: Tensor, pose: Tensor) -> float:
        """The share of the moments of a batch (`[B, 4·T, n_mels]`, `[B, T, 52, 3]`) that are matched; 1/N by chance."""
        return float(matching_accuracy(self.embed_speech(mel), self.embed_motion(pose)))

    def loss(self, mel: Tensor, pose: Tensor) -> Tensor:
        """`info_nce` of the moments of a batch: log-mel `[B, 4·T, n_mels]`, poses `[B, T, 52, 3]`; a scalar."""
        return info_nce(self.embed_speech(mel), self.embed_motion(pose))


def fit(real: Clips, scales: Mapping[str, Tensor], *, steps: int = STEPS, width: int = 32, seed: int = 0) -> Matcher:
    """Fit a matcher to real pairs; frozen, in eval mode.

    It depends on the clips and `seed` alone, so variants that share their data share their matcher.

    Args:
        real: clips `[B, …]`, at least two.
        scales: of the data, as `MotionSplit.scales()` gives them.
        steps: of Adam.
        width: channels.
        seed: of weights and order.

    Raises:
        ValueError: fewer than two clips.
    """
    if len(real.pose) < 2:
        raise ValueError(f"{len(real.pose)} clip: at least 2 are needed to match speech and motion")
    known = {name: scales[name] for name in ("spread", "mel_center", "mel_spread")}
    with seeded(seed, "matcher"):
        matcher = Matcher(real.mel.shape[2], width, **known).to(real.mel.device)

    def loss(step: int) -> Tensor:
        some = torch.randperm(len(real.pose), generator=generator("matcher", seed, step))[:BATCH].to(real.mel.device)
        return matcher.loss(real.mel[some], real.pose[some])

    minimise(loss, matcher, steps=steps, rate=RATE, of="the matcher")
    return matcher.eval().requires_grad_(False)
