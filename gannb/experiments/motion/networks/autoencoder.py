"""A small autoencoder of motion: the feature space in which gesture generators are compared (FGD)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.experiments.motion.data.clips import pack


class MotionAutoencoder(nn.Module):
    """Poses `[N, T, 52, 3]` in metres → code `[N, code_dim]` → scaled poses and their changes.

    Changes from frame to frame, on their own scale, are read and rebuilt beside the poses: a bottleneck on poses alone
    hardly sees whether a motion trembles. And a bottleneck alone maps a frozen pose close to the clips that move around
    it, so `describe` adds how much each channel of the first stage varies over time.

    Args:
        frames: T, divisible by 8.
        code_dim: width of the bottleneck; 32 as in Yoon et al. 2020.
        width: channels.
        center, spread: mean pose and standard deviation `[52, 3]`, metres.
        change: standard deviation of frame-to-frame changes of the scaled pose `[52, 3]`.

    Raises:
        ValueError: a number of frames that does not divide by 8.
    """

    def __init__(
        self,
        frames: int = 64,
        code_dim: int = 32,
        width: int = 64,
        center: Tensor | None = None,
        spread: Tensor | None = None,
        change: Tensor | None = None,
    ) -> None:
        super().__init__()
        if frames % 8:
            raise ValueError(f"frames is {frames}; it has to be divisible by 8")
        self.frames, flat = frames, 52 * 6
        self.encoder = nn.Sequential(
            nn.Conv1d(flat, width, 5, stride=2, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.code = nn.Linear(width * frames // 8, code_dim)
        self.spread_out = nn.Linear(code_dim, width * frames // 8)
        self.decoder = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose1d(width, flat, 4, stride=2, padding=1),
        )
        for name, value, default in (("center", center, 0.0), ("spread", spread, 0.1), ("change", change, 0.1)):
            self.register_buffer(name, torch.full((52, 3), default) if value is None else value.float().clone())

    def scaled(self, pose: Tensor) -> Tensor:
        """Scaled poses beside their scaled changes `[N, 312, T]`: input, and target of the reconstruction.

        Raises:
            ValueError: another shape than `[N, frames, 52, 3]`.
        """
        if pose.ndim != 4 or pose.shape[1:] != (self.frames, 52, 3):
            raise ValueError(f"pose: shape {tuple(pose.shape)}, expected [clips, {self.frames}, 52, 3]")
        still = (pose - self.center) / self.spread
        change = F.pad(still.diff(dim=1), (0, 0, 0, 0, 1, 0)) / self.change
        return pack(torch.cat([still, change], dim=-1))

    def encode(self, pose: Tensor) -> Tensor:
        """The code `[N, code_dim]`."""
        return self.code(self.encoder(self.scaled(pose)).flatten(1))

    def describe(self, pose: Tensor) -> Tensor:
        """The code and the liveliness of the first stage's channels `[N, code_dim + width]`, what distances are of."""
        first = self.encoder[:2](self.scaled(pose))
        code = self.code(self.encoder[2:](first).flatten(1))
        # The constant keeps the root's slope finite where a channel is flat.
        return torch.cat([code, (first.var(-1, unbiased=False) + 1e-6).sqrt()], dim=1)

    def forward(self, pose: Tensor) -> Tensor:
        """The reconstruction `[N, 312, T]` of `scaled(pose)`."""
        return self.decoder(self.spread_out(self.encode(pose)).unflatten(1, (-1, self.frames // 8)))
