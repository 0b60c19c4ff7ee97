"""What a clip of speech and motion is: its axes, its one packing, a recording, a batch.

Axis order, everywhere: pose `[B, T, J, D]` (batch, frame, joint, axis), mel `[B, 4T, n_mels]`, both on one clock:
pose frame t is at t/15 s, mel frames 4t..4t+3 lie around it. Convolutions over time take what `pack` gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from torch import Tensor

from gannb.experiments.motion.data.speech import POSE_FPS, SAMPLE_RATE, Speech

FPS = POSE_FPS
FRAMES = 64


class MotionDataError(ValueError):
    """Motion that cannot be used; the message says which file, what was found and what to do."""


def pack(pose: Tensor) -> Tensor:
    """Pose `[B, T, J, D]` to channels first `[B, J·D, T]`; channel j·D + d is axis d of joint j.

    Raises:
        ValueError: another number of axes.
    """
    if pose.ndim != 4:
        raise ValueError(f"pose: shape {tuple(pose.shape)}, expected [batch, frame, joint, axis]")
    return pose.flatten(2).transpose(1, 2)


@dataclass(frozen=True, repr=False)
class Recording:
    """One take of one speaker: motion and speech on one clock, of one length.

    Attributes:
        name, speaker: who said what.
        pose: `[F, 52, 3]` float32 metres, the neck at the origin, in the trunk's frame (`skeleton`).
        speech: mono 24 kHz.
        lengths: the speaker's bone lengths `[51]` float32 metres.
        angles: `[F, 57]` float32 radians where they are known (synthetic motion), else None.
        strokes: times of gesture strokes in seconds where they are known, else None.
        notes: what was done to it that a person should know.
    """

    name: str
    speaker: str
    pose: np.ndarray
    speech: Speech
    lengths: np.ndarray
    angles: np.ndarray | None = None
    strokes: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        """Number of pose frames."""
        return len(self.pose)

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.frames / FPS

    def trimmed(self) -> Recording:
        """Motion and speech cut to the shorter of the two, and a note of what fell away (more than a frame)."""
        whole = int(len(self.speech.samples) * FPS // SAMPLE_RATE)
        frames = min(self.frames, whole)
        difference = self.frames / FPS - self.speech.seconds
        notes = self.notes + self.speech.notes
        if abs(difference) > 1 / FPS:
            longer = "motion" if difference > 0 else "speech"
            notes += (
                f"motion {self.frames / FPS:.2f} s, speech {self.speech.seconds:.2f} s: "
                f"the last {abs(difference):.2f} s of {longer} fell away",
            )
        return replace(self.cut(0, frames), notes=notes)

    def cut(self, first: int, frames: int) -> Recording:
        """The part of `frames` frames from `first` on."""
        last, strokes = first + frames, self.strokes
        if strokes is not None:
            strokes = strokes[(strokes >= first / FPS) & (strokes < last / FPS)] - first / FPS
        said = self.speech.cut(first / FPS, frames / FPS)
        angles = None if self.angles is None else self.angles[first:last]
        return replace(self, pose=self.pose[first:last], speech=said, angles=angles, strokes=strokes)

    def __repr__(self) -> str:
        text = f"{self.name}: {self.speaker}, {self.seconds:.1f} s, {self.frames} frames"
        return text + "".join(f"\n  {note}" for note in self.notes)


class Clips(NamedTuple):
    """A batch of clips (or, without the first axis, one clip).

    Attributes:
        pose: `[B, T, 52, 3]` metres.
        mel: `[B, 4T, n_mels]` log-mel, not normalised.
        speaker: `[B]` int64, an index into the corpus's speakers.
        lengths: `[B, 51]` the speaker's bones, metres.
    """

    pose: Tensor
    mel: Tensor
    speaker: Tensor
    lengths: Tensor
