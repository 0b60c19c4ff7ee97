"""Styles of speakers: the same speech in each speaker's style, against that speaker's own data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch
from torch import Tensor, nn

from gannb.experiments.motion import skeleton
from gannb.experiments.motion.data.clips import FPS, Clips
from gannb.experiments.motion.metrics.evaluation import generate_clips
from gannb.metrics.score import Score
from gannb.tables import ShownAsTable, Table

TRAITS = ("height of wrists", "wrists apart", "speed of wrists", "open hands", "nodding")
"""Metres, metres, metres per second, metres from hand root to fingertips, metres per second of the nose."""

_WRISTS = [skeleton.INDEX[f"{side}_wrist"] for side in skeleton.SIDES]
_ROOTS = [skeleton.INDEX[f"{side}_hand"] for side in skeleton.SIDES]
_TIPS = [[skeleton.INDEX[f"{side}_{finger}_tip"] for finger in skeleton.FINGERS[1:]] for side in skeleton.SIDES]
_NOSE = skeleton.INDEX["nose"]


def traits(pose: Tensor) -> Tensor:
    """The `TRAITS` of each clip `[N, 5]` of poses `[N, T, 52, 3]`, metres."""
    wrists = pose[:, :, _WRISTS]
    apart = (wrists[:, :, 0] - wrists[:, :, 1]).norm(dim=-1).mean(1)
    speed = wrists.diff(dim=1).norm(dim=-1).mean((1, 2)) * FPS
    reach = [(pose[:, :, tips] - pose[:, :, [root]]).norm(dim=-1).mean((1, 2)) for tips, root in zip(_TIPS, _ROOTS)]
    nodding = pose[:, :, _NOSE].diff(dim=1).norm(dim=-1).mean(1) * FPS
    return torch.stack([wrists[..., 1].mean((1, 2)), apart, speed, torch.stack(reach).mean(0), nodding], dim=1)


@dataclass(frozen=True, repr=False)
class SpeakerStyles(ShownAsTable):
    """Traits of speakers, in the data and in motion generated to the same speech.

    Attributes:
        speakers: their names.
        real: `[S, 5]`, the mean over each speaker's own clips.
        generated: `[S, 5]`, the mean over all speech, generated in each speaker's style.
        spread: `[5]`, how far real clips are apart, by which traits are compared.
    """

    speakers: tuple[str, ...]
    real: np.ndarray
    generated: np.ndarray
    spread: np.ndarray

    @property
    def direction(self) -> Score:
        """The mean cosine, over ordered pairs of speakers, between the change of generated traits and that in the data.

        1 where changing the speaker moves the motion towards the other's, 0 where it moves it anywhere or nowhere.
        """
        if len(self.speakers) < 2:
            return Score.missing("speaker_direction", "only one speaker has clips here, a change of speaker needs two")
        cosines = []
        for one, other in permutations(range(len(self.speakers)), 2):
            changes = [(who[other] - who[one]) / self.spread for who in (self.generated, self.real)]
            size = np.linalg.norm(changes[0]) * np.linalg.norm(changes[1])
            cosines.append(float(changes[0] @ changes[1] / size) if size > 1e-9 else 0.0)
        protocol = {"speakers": len(self.speakers), "traits": len(TRAITS), "pairs": len(cosines)}
        return Score("speaker_direction", float(np.mean(cosines)), protocol=protocol)

    @property
    def size(self) -> Score:
        """How far the generated speakers are apart, over how far the real ones are."""
        if not self.direction.available:
            return Score.missing("speaker_size", self.direction.reason)
        sizes = [float(np.linalg.norm((who - who.mean(0)) / self.spread)) for who in (self.generated, self.real)]
        return Score("speaker_size", sizes[0] / sizes[1], protocol={"speakers": len(self.speakers)})

    def table(self) -> Table:
        """A row per speaker: each trait as it is and as it is generated."""
        columns = [f"{name}, {kind}" for name in TRAITS for kind in ("real", "generated")]
        rows = [
            (who, *(float(v) for pair in zip(self.real[i], self.generated[i]) for v in pair))
            for i, who in enumerate(self.speakers)
        ]
        return Table(("speaker", *columns), rows, note=f"{self.direction!r}\n{self.size!r}")


def speaker_styles(G: nn.Module, clips: Clips, speakers: Sequence[str]) -> SpeakerStyles:
    """Let every speaker say everything, and compare with what they do themselves.

    Args:
        G: a generator with a speaker embedding, in eval mode.
        clips: real ones; speakers without a clip are left out.
        speakers: their names; a clip's speaker is an index into them.
    """
    present = clips.speaker.unique().tolist()
    own = traits(clips.pose)
    real = torch.stack([own[clips.speaker == i].mean(0) for i in present])
    styled = [clips._replace(speaker=torch.full_like(clips.speaker, i)) for i in present]
    generated = torch.stack([traits(generate_clips(G, each)).mean(0) for each in styled])
    parts = real, generated, own.std(0).clamp_min(1e-6)
    return SpeakerStyles(tuple(speakers[i] for i in present), *(part.double().numpy() for part in parts))
