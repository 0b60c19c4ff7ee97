"""Which speech belongs to which motion: embeddings of moments of both, for a contrastive loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gannb.experiments.motion.networks.audio_encoder import AudioEncoder
from gannb.experiments.motion.networks.blocks import ResidualBlock

MOMENT = 16
"""Frames of a moment, about a second."""


class Matcher(nn.Module):
    """Embeds moments of speech and of motion so that those of one moment lie together.

    Motion is seen as its scaled changes from frame to frame: a posture alone says who it is rather than what is said.

    Args:
        n_mels: mel bands.
        width: channels.
        size: of an embedding.
        spread: standard deviation of the data's poses `[52, 3]`, metres.
        mel_center, mel_spread: of the log-mel `[n_mels]`.
    """

    def __init__(
        self,
        n_mels: int,
        width: int = 32,
        size: int = 32,
        spread: Tensor | None = None,
        mel_center: Tensor | None = None,
        mel_spread: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.ears = AudioEncoder(width, n_mels, mel_center, mel_spread)
        self.eyes = nn.Conv1d(52 * 3, width, 5, padding=2)
        self.speech = nn.Sequential(ResidualBlock(width), ResidualBlock(width))
        self.motion = nn.Sequential(ResidualBlock(width), ResidualBlock(width))
        self.speech_out, self.motion_out = nn.Linear(width, size), nn.Linear(width, size)
        self.register_buffer("spread", torch.full((52, 3), 0.1) if spread is None else spread.float().clone())

    def hear(self, mel: Tensor) -> Tensor:
        """Log-mel `[B, 4·T, n_mels]` → embeddings of its moments `[B · T/16, size]`."""
        return self._moments(self.speech(self.ears(mel)), self.speech_out)

    def see(self, pose: Tensor) -> Tensor:
        """Poses `[B, T, 52, 3]` in metres → embeddings of their moments `[B · T/16, size]`."""
        changes = pose.diff(dim=1, prepend=pose[:, :1]) / self.spread
        return self._moments(self.motion(self.eyes(changes.flatten(2).transpose(1, 2))), self.motion_out)

    @staticmethod
    def _moments(x: Tensor, out: nn.Linear) -> Tensor:
        if x.shape[2] % MOMENT:
            raise ValueError(f"clips of {x.shape[2]} frames; moments need multiples of {MOMENT}")
        return out(x.unflatten(2, (-1, MOMENT)).mean(3).transpose(1, 2)).flatten(0, 1)
