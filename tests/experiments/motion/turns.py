"""Turns of a loss on small clips, with networks whose scores are known."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from gannb.control.numbers import Now
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.kinematics import forward_kinematics
from gannb.experiments.motion.skeleton import BONE_LENGTHS, LIMITS
from gannb.random import Draws, generator
from gannb.training.turn import Turn

COUNT, FRAMES, MELS = 3, 32, 8


def clips(name: str = "clips") -> Clips:
    """Possible poses that move, and speech beside them."""
    share = torch.rand(COUNT, FRAMES, 57, generator=generator("turn", name)).mul(0.8).add(0.1)
    low, high = LIMITS.unbind(-1)
    mel = torch.rand(COUNT, 4 * FRAMES, MELS, generator=generator("turn", name, "mel"))
    speaker = torch.arange(COUNT) % 2
    return Clips(forward_kinematics(low + (high - low) * share), mel, speaker, BONE_LENGTHS.expand(COUNT, -1))


def turn_of(batch: Any, G: Any, D: Any, **numbers: float) -> Turn:
    """A turn with these networks and numbers."""
    whole = {name: value if isinstance(value, int) else torch.tensor(value) for name, value in numbers.items()}
    now = Now(whole, SimpleNamespace(**numbers))
    return Turn("D", {"G": G, "D": D}, batch, now, Draws(0, 0, "D"), 0)


def smooth_scores(pose: Tensor, mel: Tensor, speaker: Tensor) -> Tensor:
    """Patch scores `[B, T / 16]` that depend on all of D's inputs."""
    patches = pose.flatten(2).unflatten(1, (-1, 16)).square().mean((2, 3))
    return patches + mel.mean((1, 2))[:, None] + 0.1 * speaker[:, None]


def scaled_motion(batch: Clips, by: float) -> Any:
    """A generator whose motion is the real one, scaled; needs frames from the beginning of the clips."""
    return lambda mel, speaker: by * batch.pose[:, : mel.shape[1] // 4]
