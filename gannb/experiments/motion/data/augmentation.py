"""Augmentation of clips: noise under the speech, and time that runs faster and slower for speech and motion alike.

An extension that motion_balance names ("audio augmentation"). Everything follows from addressed draws, so a batch is a
function of its step.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import torch
from torch import Tensor

from gannb import distributed
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.data.speech import FLOOR, MELS_PER_FRAME
from gannb.experiments.motion.kinematics import with_bones
from gannb.random import Draws

LOUDEST, SOFTEST = 5.0, 40.0
"""Signal to noise in decibels between which the noise of a clip is drawn."""
WAVES = 3
"""Half waves of a warp."""


class AugmentedBatches:
    """Batches of clips, each augmented anew by its step; otherwise equal to `batches`.

    Args:
        batches: of `Clips`, by step.
        seed: the run's seed.
        noise: share of the clips that get noise, 0 to 1.
        warp: the most by which time runs faster or slower, 0 to less than 1; see `warped`.

    Raises:
        ValueError: a share or a warp outside its range.
    """

    def __init__(self, batches: Any, *, seed: int, noise: float = 0.0, warp: float = 0.0) -> None:
        if not 0 <= noise <= 1 or not 0 <= warp < 1:
            raise ValueError(f"noise={noise}, warp={warp}; allowed: noise in [0, 1], warp in [0, 1)")
        self.batches, self.seed, self.noise, self.warp = batches, seed, noise, warp
        self.per_epoch, self.size = batches.per_epoch, batches.size

    def __getitem__(self, step: int) -> Clips:
        clips = self.batches[step]
        where = {"rank": distributed.rank(), "ranks": distributed.ranks(), "device": clips.mel.device}
        draws = Draws(self.seed, step, "clips", **where)
        clips = warped(clips, draws, self.warp) if self.warp else clips
        return noisy(clips, draws, self.noise) if self.noise else clips

    def digest(self) -> str:
        """Twelve hex digits of the content and of what is done to it."""
        settings = f"{self.batches.digest()}|{self.noise}|{self.warp}"
        return hashlib.sha256(settings.encode()).hexdigest()[:12]


def noisy(clips: Clips, draws: Draws, share: float = 1.0) -> Clips:
    """Put white noise under the speech of a share of the clips; poses stay.

    The power of Gaussian noise is exponentially distributed in each cell of a spectrogram. Its level is drawn between
    `LOUDEST` and `SOFTEST` decibels below the clip's own mean power.

    Args:
        clips: with log-mel `[B, 4T, n_mels]`.
        draws: addressed randomness.
        share: of the clips that get noise.
    """
    count = len(clips.mel)
    decibels = LOUDEST + (SOFTEST - LOUDEST) * draws.rand("level", count)
    chosen = draws.rand("chosen", count) < share
    power = (clips.mel.exp() - FLOOR).clamp_min(0.0)
    level = power.mean(dim=(1, 2)) * 10 ** (-decibels / 10) * chosen
    grain = -torch.log1p(-draws.rand("grain", *clips.mel.shape))  # of mean 1
    return clips._replace(mel=(power + level[:, None, None] * grain + FLOOR).log())


def warped(clips: Clips, draws: Draws, most: float) -> Clips:
    """Let time run up to `most` faster or slower within a clip, for motion and speech alike; ends stay where they are.

    Between two frames, log-mels and directions of bones are interpolated, and every bone keeps its length.

    Args:
        clips: poses `[B, T, 52, 3]` and log-mels `[B, 4T, n_mels]`.
        draws: addressed randomness.
        most: the largest change of speed, 0 to less than 1, so that time never runs back.
    """
    frames = clips.pose.shape[1]
    waves = 2 * draws.rand("warp", len(clips.pose), WAVES) - 1
    pose = _at(clips.pose.flatten(2), warp_times(waves, frames, most)).view_as(clips.pose)
    mel_times = _mel_times(warp_times(waves, _STEPS_PER_FRAME * frames, most), frames)
    return clips._replace(pose=with_bones(pose, clips.lengths[:, None]), mel=_at(clips.mel, mel_times))


def warp_times(waves: Tensor, count: int, most: float) -> Tensor:
    """From where each of `count` evenly spaced moments of a clip takes its content: `[B, count]`, in moments.

    w(u) = u + Σ a_k sin(πku) / (πk) on [0, 1], with Σ|a_k| ≤ `most`: both ends stay, and the speed w′ = 1 + Σ a_k
    cos(πku) is within 1 ± `most`.

    Args:
        waves: `[B, K]` in [-1, 1).
        count: how many moments.
        most: the largest change of speed.
    """
    number = torch.arange(1, waves.shape[1] + 1, device=waves.device)
    sizes = most * waves / waves.shape[1]
    u = torch.linspace(0, 1, count, device=waves.device)
    sines = torch.sin(math.pi * number[:, None] * u) / (math.pi * number[:, None])  # [K, count]
    return (u + sizes @ sines) * (count - 1)


_STEPS_PER_FRAME = 2 * MELS_PER_FRAME
"""Mel frame m lies at (m - 1.5) / 4 pose frames: with eighths of a frame every centre is a moment of the grid."""


def _mel_times(fine: Tensor, frames: int) -> Tensor:
    """The warp of pose time on a fine grid `[B, 8T]` → where each mel frame comes from `[B, 4T]`, in mel frames."""
    pose_time = fine * (frames - 1) / (fine.shape[1] - 1)  # in pose frames
    centres = (torch.arange(MELS_PER_FRAME * frames, device=fine.device) - (MELS_PER_FRAME - 1) / 2) / MELS_PER_FRAME
    inside = centres.clamp(0, frames - 1)
    at = inside * (fine.shape[1] - 1) / (frames - 1)
    moved = _at(pose_time.unsqueeze(-1), at.expand(len(fine), -1)).squeeze(-1) + (centres - inside)
    return moved * MELS_PER_FRAME + (MELS_PER_FRAME - 1) / 2


def _at(values: Tensor, times: Tensor) -> Tensor:
    """Values `[B, N, F]` at times `[B, M]` in steps, linear between them and held beyond the ends: `[B, M, F]`."""
    times = times.clamp(0, values.shape[1] - 1)
    before = times.floor().long().clamp(max=max(0, values.shape[1] - 2))
    share = (times - before).unsqueeze(-1)
    index = before.unsqueeze(-1).expand(-1, -1, values.shape[2])
    after = (index + 1).clamp(max=values.shape[1] - 1)
    return values.gather(1, index) * (1 - share) + values.gather(1, after) * share
