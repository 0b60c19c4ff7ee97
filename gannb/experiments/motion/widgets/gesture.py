"""A trained generator under sliders: amplitude, speed, height of the hands, coupling, speaker; a clip at every move."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gannb.experiments.motion.data.clips import Recording
from gannb.experiments.motion.data.speech import MELS_PER_FRAME, log_mel
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.synthesis import CONTROL_RANGES, Controls, Gesture, angles_of, generate, shaped
from gannb.experiments.motion.widgets.skeleton_player import SkeletonPlayer


class GestureEditor:
    """Clips of one speech by one generator, shaped by controls.

    The network runs once per speaker; a slider then only shapes angles, which is quick.

    Args:
        network: in eval mode, on the CPU.
        example: whose speech, and the real motion beside which the generated one is shown.
        speakers: their names, in the order that the network knows.
    """

    def __init__(self, network: Generator, example: Recording, speakers: Sequence[str]) -> None:
        self.network, self.example, self.speakers = network, example, tuple(speakers)
        self.mel = torch.from_numpy(log_mel(example.speech, network.audio.n_mels))[: MELS_PER_FRAME * example.frames]
        self._player = SkeletonPlayer({"real": example.pose, "generated": example.pose}, example.speech)
        self._angles: dict[int, torch.Tensor] = {}

    def as_generated(self, speaker: str | None = None) -> Gesture:
        """What the network makes in the style of a speaker (the example's own by default), as it is."""
        return generate(self.network, self.mel, self._number(speaker))

    def gesture(self, speaker: str | None = None, **controls: float) -> Gesture:
        """The same under controls, brought within the joint limits.

        Raises:
            ValueError: a speaker that the network does not know; a control out of its range.
        """
        who, chosen = self._number(speaker), Controls(**controls)
        if who not in self._angles:
            generated = self.as_generated(self.speakers[who])
            self._angles[who] = angles_of(generated.pose) if generated.angles is None else generated.angles
        return shaped(self._angles[who], chosen, self.network.bones[who])

    def player(self, speaker: str | None = None, **controls: float) -> SkeletonPlayer:
        """The generated gesture beside the real one; unshaped, broken bones and all, while no control is moved."""
        moved = Controls(**controls) != Controls()
        generated = self.gesture(speaker, **controls) if moved else self.as_generated(speaker)
        return self._player.with_motions({"real": self.example.pose, "generated": generated.pose})

    def _number(self, speaker: str | None) -> int:
        speaker = speaker or self.example.speaker
        if speaker not in self.speakers:
            raise ValueError(f"speaker {speaker!r}; this generator knows: {', '.join(self.speakers)}")
        return self.speakers.index(speaker)

    @staticmethod
    def ranges() -> dict[str, tuple[float, float]]:
        """What each control may be."""
        return dict(CONTROL_RANGES)
