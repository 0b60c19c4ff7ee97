"""A trained generator under sliders: amplitude, speed, height of the hands, coupling, speaker; a clip at every move."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gannb.experiments.motion.data.clips import Recording
from gannb.experiments.motion.data.speech import MELS_PER_FRAME, log_mel
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.synthesis import CONTROL_RANGES, Controls, Gesture, generate, readable, shaped
from gannb.experiments.motion.widgets.skeleton_player import SkeletonPlayer


class GestureDesk:
    """Clips of one speech by one generator, shaped by controls.

    The network is asked once for each speaker; a slider then only shapes angles, which is quick.

    Args:
        network: in eval mode, on the CPU.
        example: whose speech, and the real motion beside which the made one is shown.
        speakers: their names, in the order that the network knows.
    """

    def __init__(self, network: Generator, example: Recording, speakers: Sequence[str]) -> None:
        self.network, self.example, self.speakers = network, example, tuple(speakers)
        self.mel = torch.from_numpy(log_mel(example.speech, network.audio.n_mels))[: MELS_PER_FRAME * example.frames]
        self._player = SkeletonPlayer({"real": example.pose, "made": example.pose}, example.speech)
        self._angles: dict[int, torch.Tensor] = {}

    def as_made(self, speaker: str | None = None) -> Gesture:
        """What the network makes in the style of a speaker (the example's own by default), as it is."""
        return generate(self.network, self.mel, self._number(speaker))

    def gesture(self, speaker: str | None = None, **controls: float) -> Gesture:
        """The same under controls, brought within the joint limits.

        Raises:
            ValueError: a speaker that the network does not know; a control out of its range.
        """
        who, chosen = self._number(speaker), Controls(**controls)
        if who not in self._angles:
            made = self.as_made(self.speakers[who])
            self._angles[who] = readable(made.pose) if made.angles is None else made.angles
        return shaped(self._angles[who], chosen, self.network.bones[who])

    def player(self, speaker: str | None = None, **controls: float) -> SkeletonPlayer:
        """The made gesture beside the real one; as it was made, broken bones and all, while no control is moved."""
        moved = Controls(**controls) != Controls()
        made = self.gesture(speaker, **controls) if moved else self.as_made(speaker)
        return self._player.with_motions({"real": self.example.pose, "made": made.pose})

    def _number(self, speaker: str | None) -> int:
        speaker = speaker or self.example.speaker
        if speaker not in self.speakers:
            raise ValueError(f"speaker {speaker!r}; this generator knows: {', '.join(self.speakers)}")
        return self.speakers.index(speaker)

    @staticmethod
    def ranges() -> dict[str, tuple[float, float]]:
        """What each control may be."""
        return dict(CONTROL_RANGES)
