"""From a trained generator to a gesture: speech of any length without a seam, and controls to shape it afterwards.

The controls are pure functions of joint angles `[F, 57]` (radians) and stay within the joint limits, so whatever the
sliders say, bones and joints hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.networks.audio_encoder import MEL_FRAMES, check_mel
from gannb.experiments.motion.networks.generator import Generator

WINDOW, HOP = 64, 32
_TOGETHER = 32  # windows that the network takes at a time
_HEIGHTS = 16  # steps in which hands are raised from 0 to 1


@dataclass(frozen=True)
class Gesture:
    """A motion.

    Attributes:
        pose: `[F, 52, 3]` metres.
        angles: `[F, 57]` radians; None for a generator of coordinates that no control has shaped.
    """

    pose: Tensor
    angles: Tensor | None = None


@dataclass(frozen=True)
class Controls:
    """How a gesture is shaped after training; the defaults leave it as it is.

    Attributes:
        amplitude: of every movement around the clip's mean posture, 0..2.
        speed: at which the motion is gone through, 0.25..2; the clip keeps its length.
        height: of the hands, -1 (lap) .. 1 (chest); 1 bends elbows by 26 and shoulders by 14 degrees.
        coupling: 0..1; at 1 fingers move only as much as their arm does.

    Raises:
        ValueError: a value outside its range.
    """

    amplitude: float = 1.0
    speed: float = 1.0
    height: float = 0.0
    coupling: float = 0.0

    def __post_init__(self) -> None:
        wrong = [
            f"{field.name} is {getattr(self, field.name):g}, allowed {low:g} to {high:g}"
            for field in fields(self)
            for low, high in [CONTROL_RANGES[field.name]]
            if not low <= getattr(self, field.name) <= high
        ]
        if wrong:
            raise ValueError("controls: " + "; ".join(wrong))


CONTROL_RANGES = {"amplitude": (0.0, 2.0), "speed": (0.25, 2.0), "height": (-1.0, 1.0), "coupling": (0.0, 1.0)}


# ----------------------------------------------------------------------------------------------------------------
# speech of any length


def generate(
    network: Generator, mel: Tensor, speaker: int, bones: Tensor | None = None, controls: Controls = Controls()
) -> Gesture:
    """Gesture to speech of any length.

    Windows of 64 frames that overlap by half are generated together and faded into each other; under the `angles` head
    angles are faded, so what lies between two possible poses is possible too.

    Args:
        network: a generator (its moving average, where there is one).
        mel: log-mel `[4·F, n_mels]` as `data.speech.log_mel` gives it; frames beyond a multiple of four are left
            out.
        speaker: whose style.
        bones: lengths `[51]`, metres; the speaker's by default.
        controls: how it is shaped.

    Raises:
        ValueError: a speaker the network does not know, or speech shorter than one pose frame.
    """
    frames = len(mel) // MEL_FRAMES
    with torch.inference_mode():
        motion = torch.cat(list(stream(network, [mel[: frames * MEL_FRAMES]], frames, speaker)))
        bones = network.bones[speaker] if bones is None else bones
        if network.head == "angles":
            return shaped(motion, controls, bones)
        return Gesture(motion) if controls == Controls() else shaped(angles_of(motion), controls, bones)


@torch.inference_mode()
def stream(network: Generator, mel: Iterable[Tensor], frames: int, speaker: int) -> Iterator[Tensor]:
    """The motion of `generate` in pieces, in the memory of a piece: angles `[f, 57]`, or coordinates `[f, 52, 3]`.

    Args:
        network: a generator.
        mel: log-mel `[4·f, n_mels]`, piece by piece.
        frames: how many pose frames these are together.
        speaker: whose style.

    Raises:
        ValueError: a speaker the network does not know, or speech shorter than one pose frame.
    """
    if not 0 <= speaker < network.speakers:
        raise ValueError(f"speaker {speaker}: this generator knows 0 to {network.speakers - 1}")
    if not frames:
        raise ValueError(f"speech of less than {MEL_FRAMES} mel frames is shorter than one pose frame")
    draw = network.angles if network.head == "angles" else network

    def parts() -> Iterator[Tensor]:
        for windows in _windows(mel, network.audio.n_mels):
            yield draw(windows, torch.full((len(windows),), speaker, device=windows.device))

    for piece in fade(parts()):
        yield piece[:frames]
        frames -= len(piece)
        if frames <= 0:
            return


def shaped(angles: Tensor, controls: Controls, bones: Tensor | None = None) -> Gesture:
    """A gesture from angles under controls: what a slider redraws, without running the network again.

    Args:
        angles: `[F, 57]`, radians.
        controls: how it is shaped.
        bones: lengths `[51]`, metres; the skeleton's by default.
    """
    angles = shape(angles, controls)
    return Gesture(kinematics.forward_kinematics(angles, bones), angles)


def angles_of(pose: Tensor) -> Tensor:
    """Angles `[F, 57]` of free positions `[F, 52, 3]`, brought within the limits."""
    return within(kinematics.joint_angles(pose))


def fade(parts: Iterable[Tensor]) -> Iterator[Tensor]:
    """Fade windows that begin 32 frames apart into one motion, in pieces `[f, …]`; weights sin², summing to 1.

    Args:
        parts: windows `[W, 64, …]`, in order.
    """
    ahead: tuple[Tensor, Tensor] | None = None  # what the windows so far say of the frames that follow
    for windows in parts:
        weights = torch.sin(math.pi * (torch.arange(WINDOW, device=windows.device) + 0.5) / WINDOW).square()
        weights = weights.view(-1, *[1] * (windows.ndim - 2))
        done = len(windows) * HOP
        total = windows.new_zeros(done + WINDOW - HOP, *windows.shape[2:])
        share = windows.new_zeros(len(total), *weights.shape[1:])
        if ahead is not None:
            total[: WINDOW - HOP], share[: WINDOW - HOP] = ahead
        for window, start in zip(windows, range(0, done, HOP)):
            total[start : start + WINDOW] += window * weights
            share[start : start + WINDOW] += weights
        yield total[:done] / share[:done]
        ahead = total[done:], share[done:]
    if ahead is not None:
        yield ahead[0] / ahead[1]


def _windows(mel: Iterable[Tensor], n_mels: int) -> Iterator[Tensor]:
    """Windows of speech `[W, 256, n_mels]`, 32 at most at a time; the last frame is held to fill up the last one."""
    length, step = WINDOW * MEL_FRAMES, HOP * MEL_FRAMES
    rest, first = torch.zeros(0, n_mels), True
    for piece in mel:
        check_mel(piece[None], n_mels)
        rest = torch.cat([rest.to(piece), piece])
        while len(rest) >= length + (_TOGETHER - 1) * step:
            yield _cut(rest, _TOGETHER)
            rest, first = rest[_TOGETHER * step :], False
    if first or len(rest) > step:  # else the last window covers it
        count = max(0, math.ceil((len(rest) - length) / step)) + 1
        missing = length + (count - 1) * step - len(rest)
        yield _cut(torch.cat([rest, rest[-1:].expand(missing, -1)]), count)


def _cut(mel: Tensor, count: int) -> Tensor:
    """The first windows `[count, 256, n_mels]` of log-mel `[n, n_mels]`."""
    return mel.unfold(0, WINDOW * MEL_FRAMES, HOP * MEL_FRAMES)[:count].transpose(1, 2).contiguous()


# ----------------------------------------------------------------------------------------------------------------
# controls, on angles


def shape(angles: Tensor, controls: Controls) -> Tensor:
    """All controls in turn on angles `[F, 57]`: speed, coupling, amplitude, height."""
    angles = change_speed(angles, controls.speed)
    angles = couple(angles, controls.coupling)
    angles = amplify(angles, controls.amplitude)
    return raise_hands(angles, controls.height)


def within(angles: Tensor) -> Tensor:
    """Angles `[..., 57]` brought within their limits."""
    low, high = skeleton.LIMITS.to(angles).unbind(-1)
    return angles.clamp(low, high)


def amplify(angles: Tensor, by: float) -> Tensor:
    """Scale movement around the mean posture of angles `[F, 57]`; no deviation ever shrinks as `by` grows."""
    mean = angles.mean(0, keepdim=True)
    return angles if by == 1.0 else within(mean + by * (angles - mean))


def change_speed(angles: Tensor, speed: float) -> Tensor:
    """Play angles `[F, 57]` `speed` times as fast, in a clip of the same length: past its end, backwards."""
    if speed == 1.0 or len(angles) < 2:
        return angles
    last = len(angles) - 1
    at = (torch.arange(len(angles), device=angles.device, dtype=angles.dtype) * speed) % (2 * last)
    at = torch.where(at > last, 2 * last - at, at)
    before = at.floor().long().clamp(max=last - 1)
    return torch.lerp(angles[before], angles[before + 1], (at - before).unsqueeze(-1))


def raise_hands(angles: Tensor, height: float) -> Tensor:
    """Raise (or lower) both hands of angles `[F, 57]` by bending elbows and shoulders; 26 and 14 degrees at `height` 1.

    Where an elbow is up already, bending further would lower its hand: each side goes only as far as its hand's mean
    height still follows, so that more height never means a lower hand.
    """
    count = int(abs(height) * _HEIGHTS + 1e-6)
    if not count:
        return angles
    sign = math.copysign(1.0, height)
    steps = sign * torch.arange(count + 1, device=angles.device, dtype=angles.dtype) / _HEIGHTS
    changes = torch.stack([_bend(side, angles) for side in skeleton.SIDES])  # [2, 57]
    tried = within(angles + steps[:, None, None] * changes.sum(0))  # [steps, F, 57]
    wrists = [skeleton.INDEX[f"{side}_wrist"] for side in skeleton.SIDES]
    heights = sign * kinematics.forward_kinematics(tried)[..., wrists, 1].mean(1)  # [steps, 2]
    follows = (heights.diff(dim=0) > 0).long().cumprod(0).sum(0)  # how many steps each hand goes along
    return within(angles + (steps[follows][:, None] * changes).sum(0))


def _bend(side: str, like: Tensor) -> Tensor:
    change = torch.zeros(len(skeleton.ANGLES), device=like.device, dtype=like.dtype)
    change[skeleton.ANGLES.index(f"{side}_elbow_flexion")] = math.radians(26.0)
    change[skeleton.ANGLES.index(f"{side}_shoulder_flexion")] = math.radians(14.0)
    return change


def couple(angles: Tensor, coupling: float, smooth: int = 9) -> Tensor:
    """Let fingers move as much as shoulder, elbow and wrist do: their deviation is scaled by that liveliness.

    Liveliness is the mean rate of the seven angles from shoulder to wrist, over its own mean (at most 2).

    Args:
        angles: `[F, 57]`, radians.
        coupling: 0 (none) to 1.
        smooth: frames over which liveliness is averaged.
    """
    if coupling == 0.0 or len(angles) < 2:
        return angles
    shaped = angles.clone()
    for first in (0, 27):
        rate = angles[:, first : first + 7].diff(dim=0).abs().mean(1)
        rate = F.avg_pool1d(torch.cat([rate[:1], rate])[None], smooth, 1, smooth // 2, count_include_pad=False)[0]
        lively = (rate / rate.mean().clamp_min(1e-6)).clamp(max=2.0).unsqueeze(-1)
        fingers = angles[:, first + 7 : first + 27]
        mean = fingers.mean(0, keepdim=True)
        shaped[:, first + 7 : first + 27] = mean + ((1 - coupling) + coupling * lively) * (fingers - mean)
    return within(shaped)
