"""The generator: speech in, motion of 52 joints out.

Audio encoder → 1-D U-Net with self-attention at the bottleneck → body and hand branches → per-joint features → five
graph layers → body-hand attention → one of two heads. Source: motion_balance §1 and "complete architecture"; the
document gives no widths, so those are ours: 256 is its scale, 64 a laptop's.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.networks.audio_encoder import AudioEncoder
from gannb.experiments.motion.networks.blocks import (
    BodyHandAttention,
    ChannelAttention,
    Order,
    ResidualBlock,
    TemporalSelfAttention,
    group_norm,
)
from gannb.experiments.motion.networks.graph import graph_layers
from gannb.networks.constants import constant

Head = Literal["coordinates", "angles"]

MULTIPLE = 8
"""A clip's length in frames is a multiple of this: the U-Net halves time three times."""


_PARTS = [*skeleton.BODY_ANGLES, *skeleton.HAND_ANGLES]
_ORDER = tuple(sorted(range(len(_PARTS)), key=_PARTS.__getitem__))  # from body, then hands, to the skeleton's order


class UNet(nn.Module):
    """1-D U-Net over time with self-attention at the bottleneck; widths C, 2C, 4C, 4C.

    Args:
        channels: C.
        heads: attention heads.
        norm: group norm after every convolution between two levels. Without it the scale of the features is the
            product of six layers, and nothing in the loss holds it: the norms further on hide it.
    """

    def __init__(self, channels: int, heads: int = 8, norm: bool = True) -> None:
        super().__init__()
        c = channels
        widths = [c, 2 * c, 4 * c, 4 * c]

        def normed(conv: nn.Conv1d) -> nn.Module:
            return nn.Sequential(conv, group_norm(conv.out_channels)) if norm else conv

        self.down = nn.ModuleList(normed(nn.Conv1d(a, b, 3, stride=2, padding=1)) for a, b in pairwise(widths))
        self.down_blocks = nn.ModuleList(ResidualBlock(w) for w in widths[1:])
        self.bottleneck = TemporalSelfAttention(widths[-1], heads)
        self.up = nn.ModuleList(
            normed(nn.Conv1d(a + b, b, 3, padding=1)) for a, b in zip(reversed(widths[1:]), reversed(widths[:-1]))
        )
        self.up_blocks = nn.ModuleList(ResidualBlock(w) for w in reversed(widths[:-1]))

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, C, T]` to the same shape; T a multiple of 8."""
        skips = []
        for down, block in zip(self.down, self.down_blocks):
            skips.append(x)
            x = block(down(x))
        x = self.bottleneck(x)
        for up, block in zip(self.up, self.up_blocks):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(up(torch.cat([x, skips.pop()], dim=1)))
        return x


class Branch(nn.Module):
    """Body or hands: residual block, channel attention, temporal self-attention, then features of each joint.

    Args:
        channels: C.
        joints: of the part.
        joint_channels: features per joint.
        heads: attention heads.
    """

    def __init__(self, channels: int, joints: int, joint_channels: int, heads: int) -> None:
        super().__init__()
        self.time = nn.Sequential(
            ResidualBlock(channels), ChannelAttention(channels), TemporalSelfAttention(channels, heads)
        )
        self.joints = nn.Linear(channels, joints * joint_channels)
        self.joint_channels = joint_channels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """From `[B, C, T]` to features of the part `[B, T, C]` and of its joints `[joints, F, B·T]`."""
        x = self.time(x)
        along = x.transpose(0, 1).flatten(1)  # [C, B·T]
        by_joint = torch.addmm(self.joints.bias[:, None], self.joints.weight, along)
        return x.transpose(1, 2), by_joint.unflatten(0, (-1, self.joint_channels))


class Generator(nn.Module):
    """Speech and speaker to motion in metres.

    Args:
        n_mels: mel bands of the speech.
        speakers: how many speakers there are.
        width: C; 256 is the document's scale (46 M parameters), 64 a laptop's (2.9 M). A joint has C / 4 features.
        head: `coordinates`: positions, scaled by the data's mean and spread, which is what the physics losses imply.
            `angles`: 57 angles squashed into their limits, then forward kinematics: bones and joints hold by
            construction.
        body_hand: body-hand attention, `parallel`, `sequential` or `off`.
        center, spread: the data's mean pose and its standard deviation `[52, 3]`, metres; the motion starts around it.
        mel_center, mel_spread: of the log-mel `[n_mels]`, by which speech is scaled.
        bones: each speaker's lengths `[speakers, 51]`, metres; the skeleton's by default.
        heads: heads of every attention over time; the graph layers have 4.
        graph: which graph layers, in order; see `gannb.experiments.motion.networks.graph.graph_layers`.
        unet_norm: group norms in the U-Net.

    Raises:
        ValueError: another head.
    """

    def __init__(
        self,
        n_mels: int,
        speakers: int = 1,
        width: int = 64,
        head: Head = "coordinates",
        body_hand: Order = "parallel",
        center: Tensor | None = None,
        spread: Tensor | None = None,
        mel_center: Tensor | None = None,
        mel_spread: Tensor | None = None,
        bones: Tensor | None = None,
        heads: int = 8,
        graph: str = "AGAGA",
        unet_norm: bool = True,
    ) -> None:
        super().__init__()
        if head not in ("coordinates", "angles"):
            raise ValueError(f"head is {head!r}; allowed: coordinates, angles")
        self.head, self.speakers = head, speakers
        body, hands, narrow = len(skeleton.BODY), len(skeleton.HANDS), width // 4
        self.audio = AudioEncoder(width, n_mels, mel_center, mel_spread)
        self.speaker = nn.Embedding(speakers, width)
        self.trunk = UNet(width, heads, unet_norm)
        self.body, self.hand = Branch(width, body, narrow, heads), Branch(width, hands, narrow, heads)
        self.graph = graph_layers(narrow, kinds=graph)
        self.pool_body, self.pool_hand = nn.Linear(body * narrow, width), nn.Linear(hands * narrow, width)
        self.body_hand = BodyHandAttention(width, heads, body_hand)
        outputs = (
            (body * 3, hands * 3) if head == "coordinates" else (len(skeleton.BODY_ANGLES), len(skeleton.HAND_ANGLES))
        )
        self.body_out, self.hand_out = nn.Linear(width, outputs[0]), nn.Linear(width, outputs[1])
        self._set_rest(center, spread)
        bones = skeleton.BONE_LENGTHS.expand(speakers, -1) if bones is None else bones.float()
        self.register_buffer("bones", bones.clone())

    def forward(self, mel: Tensor, speaker: Tensor, bones: Tensor | None = None) -> Tensor:
        """Motion `[B, T, 52, 3]` in metres.

        Args:
            mel: log-mel `[B, 4·T, n_mels]`, T a multiple of 8.
            speaker: `[B]` int64.
            bones: lengths `[51]` or `[B, 51]` for the `angles` head; the speaker's by default.

        Raises:
            ValueError: a shape that does not fit.
        """
        if self.head == "angles":
            return positions_of(self.angles(mel, speaker), self.bones[speaker] if bones is None else bones)
        return self.center + self.spread * self._outputs(mel, speaker).unflatten(-1, (-1, 3))

    def angles(self, mel: Tensor, speaker: Tensor) -> Tensor:
        """Joint angles `[B, T, 57]` in radians, all within their limits.

        Raises:
            ValueError: a generator with the `coordinates` head.
        """
        if self.head != "angles":
            raise ValueError("this generator's head gives coordinates; read angles with kinematics.joint_angles")
        raw = self._outputs(mel, speaker)[..., constant(_ORDER, mel.device)]
        return kinematics.within_limits(raw + self.rest)

    def _outputs(self, mel: Tensor, speaker: Tensor) -> Tensor:
        if mel.shape[1] % (4 * MULTIPLE):
            raise ValueError(f"mel: {mel.shape[1]} frames; a clip is a multiple of {4 * MULTIPLE} mel frames long")
        x = self.trunk(self.audio(mel) + self.speaker(speaker).unsqueeze(-1))
        (body, body_joints), (hand, hand_joints) = self.body(x), self.hand(x)
        joints = self.graph(torch.cat([body_joints, hand_joints]))  # [52, F, B·T]
        body = body + self._pooled(self.pool_body, joints[: len(skeleton.BODY)], len(mel))
        hand = hand + self._pooled(self.pool_hand, joints[len(skeleton.BODY) :], len(mel))
        body, hand = self.body_hand(body, hand)
        # Positions and limits want single precision, whatever the network ran in.
        return torch.cat([self.body_out(body), self.hand_out(hand)], dim=-1).float()

    @staticmethod
    def _pooled(pool: nn.Linear, joints: Tensor, clips: int) -> Tensor:
        """Features `[B, T, C]` of all joints `[joints, F, B·T]` of a part together."""
        together = torch.addmm(pool.bias[:, None], pool.weight, joints.flatten(0, 1))
        return together.unflatten(1, (clips, -1)).permute(1, 2, 0)

    def _set_rest(self, center: Tensor | None, spread: Tensor | None) -> None:
        center = kinematics.forward_kinematics(torch.zeros(57)) if center is None else center.float()
        spread = torch.full((52, 3), 0.1) if spread is None else spread.float()
        low, high = skeleton.LIMITS.unbind(-1)
        # The mean pose's angles, kept off the limits, where the squashing is flat.
        share = ((kinematics.joint_angles(center) - low) / (high - low)).clamp(0.05, 0.95)
        for name, value in {"center": center, "spread": spread, "rest": torch.logit(share)}.items():
            self.register_buffer(name, value.clone())


def positions_of(angles: Tensor, bones: Tensor | None = None) -> Tensor:
    """Positions `[B, T, 52, 3]` of angles `[B, T, 57]`, with lengths `[51]`, or `[B, 51]` for each clip."""
    if bones is not None and bones.ndim == 2:
        bones = bones.unsqueeze(1)
    return kinematics.forward_kinematics(angles, bones)
