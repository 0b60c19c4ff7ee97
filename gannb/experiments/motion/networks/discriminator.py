"""The discriminator of the least-squares regime and the critic of WGAN-GP: one network, two normalisations."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.experiments.motion import skeleton
from gannb.experiments.motion.networks.audio_encoder import MEL_FRAMES, MelScale
from gannb.experiments.motion.networks.blocks import TemporalSelfAttention
from gannb.experiments.motion.networks.graph import GraphBlock, GraphConv, linear, skeleton_edges
from gannb.networks.constants import constant
from gannb.networks.layers import FrameNorm

Norm = Literal["batch", "layer"]

PATCH = 16
"""Frames a patch: four convolutions that halve time."""


class GraphBranch(nn.Module):
    """Features of a part of the body from its joints: two graph convolutions, then the mean over joints."""

    def __init__(self, joints: tuple[int, ...], channels: int) -> None:
        super().__init__()
        inside = {joint: i for i, joint in enumerate(joints)}
        edges = skeleton_edges([inside.get(skeleton.PARENTS[joint], -1) for joint in joints])
        self.joints = tuple(joints)
        self.enter = nn.Linear(6, channels)
        self.layers = nn.Sequential(*(GraphBlock(GraphConv(channels, edges, len(joints)), channels) for _ in range(2)))

    def forward(self, moving: Tensor) -> Tensor:
        """From poses and their differences `[B, T, 52, 6]` to `[B, channels, T]`."""
        part = moving[:, :, constant(self.joints, moving.device)].permute(2, 3, 0, 1).flatten(2)  # [joints, 6, B·T]
        part = self.layers(linear(part, self.enter.weight, self.enter.bias)).mean(0)  # [channels, B·T]
        return part.unflatten(1, moving.shape[:2]).transpose(0, 1)


class Discriminator(nn.Module):
    """Patch scores of a motion: one for every 16 frames; no sigmoid and no dropout.

    Args:
        width: C.
        norm: `batch` for least squares; `layer` for WGAN-GP, whose penalty is per sample while BatchNorm couples the
            batch (W10). Dropout would show the penalty another network at each call (W13).
        n_mels: mel bands, where it is conditioned on speech; None where it is not.
        speakers: how many there are, where it is conditioned on the speaker; 0 where it is not.
        center, spread: the data's mean pose and standard deviation `[52, 3]`, metres, by which poses are scaled.
        mel_center, mel_spread: of the log-mel `[n_mels]`, by which speech is scaled.
        heads: attention heads.

    Raises:
        ValueError: another norm.
    """

    def __init__(
        self,
        width: int = 64,
        norm: Norm = "batch",
        n_mels: int | None = None,
        speakers: int = 0,
        center: Tensor | None = None,
        spread: Tensor | None = None,
        mel_center: Tensor | None = None,
        mel_spread: Tensor | None = None,
        heads: int = 8,
    ) -> None:
        super().__init__()
        if norm not in ("batch", "layer"):
            raise ValueError(f"norm is {norm!r}; allowed: batch, layer")
        normalise = nn.BatchNorm1d if norm == "batch" else FrameNorm
        self.n_mels = n_mels
        narrow, widths = width // 4, [width, width, 2 * width, 2 * width, 4 * width]
        self.body, self.hands = GraphBranch(skeleton.BODY, narrow), GraphBranch(skeleton.HANDS, narrow)
        audio = MEL_FRAMES * n_mels if n_mels else 0
        self.mel_scale = MelScale(n_mels, mel_center, mel_spread) if n_mels else None
        self.enter = nn.Conv1d(len(skeleton.JOINTS) * 6 + audio, width, 3, padding=1)
        self.join = nn.Conv1d(width + 2 * narrow, width, 1)
        self.speaker = nn.Embedding(speakers, width) if speakers else None
        self.convs = nn.ModuleList(nn.Conv1d(a, b, 4, stride=2, padding=1) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(normalise(w) for w in widths[1:])
        self.attention = TemporalSelfAttention(widths[2], heads)
        self.score = nn.Conv1d(widths[-1], 1, 1)
        center = torch.zeros(52, 3) if center is None else center.float()
        spread = torch.full((52, 3), 0.1) if spread is None else spread.float()
        self.register_buffer("center", center.clone())
        self.register_buffer("spread", spread.clone())

    def forward(self, pose: Tensor, mel: Tensor | None = None, speaker: Tensor | None = None) -> Tensor:
        """Patch scores `[B, T / 16]` of poses `[B, T, 52, 3]` in metres, T a multiple of 16.

        Args:
            pose: `[B, T, 52, 3]`.
            mel: log-mel `[B, 4·T, n_mels]`.
            speaker: `[B]` int64.

        Raises:
            ValueError: a shape that does not fit, or speech or speaker missing where the network was built to use it.
        """
        self._check(pose, mel, speaker)
        moving = self._with_differences(pose)
        inputs = [moving.flatten(2)]
        if self.mel_scale is not None:
            inputs.append(self.mel_scale(mel).unflatten(1, (-1, MEL_FRAMES)).flatten(2))
        x = self.enter(torch.cat(inputs, dim=-1).transpose(1, 2))
        x = self.join(torch.cat([F.leaky_relu(x, 0.2), self.body(moving), self.hands(moving)], dim=1))
        if self.speaker is not None:
            x = x + self.speaker(speaker).unsqueeze(-1)
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = F.leaky_relu(norm(conv(x)), 0.2)
            if i == 1:
                x = self.attention(x)
        return self.score(x).squeeze(1)

    def _with_differences(self, pose: Tensor) -> Tensor:
        """Scaled poses beside how they changed since the frame before (0 at the first) `[B, T, 52, 6]`."""
        scaled = (pose - self.center) / self.spread
        change = F.pad(scaled[:, 1:] - scaled[:, :-1], (0, 0, 0, 0, 1, 0))
        return torch.cat([scaled, change], dim=-1)

    def _check(self, pose: Tensor, mel: Tensor | None, speaker: Tensor | None) -> None:
        if pose.ndim != 4 or pose.shape[2:] != (52, 3) or pose.shape[1] % PATCH:
            raise ValueError(f"pose: shape {tuple(pose.shape)}, expected [clips, a multiple of {PATCH} frames, 52, 3]")
        if self.n_mels:
            if mel is None:
                raise ValueError("this discriminator is conditioned on speech: give it mel")
            if mel.shape[1] != MEL_FRAMES * pose.shape[1]:
                raise ValueError(f"mel has {mel.shape[1]} frames, expected {MEL_FRAMES}·{pose.shape[1]}")
        if self.speaker is not None and speaker is None:
            raise ValueError("this discriminator is conditioned on the speaker: give it one")
