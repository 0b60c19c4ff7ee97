"""Synthetic gestures to synthetic speech: strokes fall on stressed syllables, and every angle and bone is known.

A gesture is a row of postures that the joints move through, each reached at rest (minimum-jerk, Flash & Hogan 1985):
raised before the stressed syllable, struck down on it, held, and let go. So a gesture's speed is smallest exactly on
its stroke, which is what beat measures look for. The figures of the styles are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from gannb.experiments.motion.data.clips import FPS, Recording
from gannb.experiments.motion.data.speech import Prosody, Voice, prosody, synthesise
from gannb.experiments.motion.kinematics import forward_kinematics
from gannb.experiments.motion.skeleton import ANGLES, BONE_LENGTHS, LIMITS, SIDES
from gannb.random import key


@dataclass(frozen=True)
class Style:
    """How a synthetic speaker talks and moves.

    Attributes:
        name: the speaker.
        voice: how they sound.
        size: of the body; 1 is 1.75 m tall.
        amplitude: of strokes; 1 lifts the forearm by about 35 degrees.
        height: of the hands at rest, -1 (lap) to 1 (chest).
        both: share of strokes with both hands.
        right: share of one-handed strokes with the right hand.
        stroke: seconds from the raised hand to the strike.
        open_hand: 0 a fist, 1 a flat hand.
        nod: of the head on a stroke; 1 is about 12 degrees.
    """

    name: str
    voice: Voice = field(default_factory=Voice)
    size: float = 1.0
    amplitude: float = 1.0
    height: float = 0.0
    both: float = 0.5
    right: float = 0.7
    stroke: float = 0.27
    open_hand: float = 0.6
    nod: float = 0.6


STYLES: tuple[Style, ...] = (
    Style("ada", Voice(205, 4.8, 0.24), 0.94, amplitude=1.1, height=0.3, both=0.6, open_hand=0.8),
    Style("ben", Voice(110, 4.0, 0.18), 1.05, amplitude=0.7, height=-0.5, both=0.2, right=0.9, nod=1.0),
    Style("cleo", Voice(180, 5.2, 0.30), 0.97, amplitude=1.4, height=0.6, both=0.8, stroke=0.2, open_hand=0.9),
    Style("dan", Voice(130, 4.4, 0.20), 1.0, amplitude=0.9, height=0.0, both=0.35, right=0.15, open_hand=0.3, nod=0.3),
)

# Degrees at rest, and what a stroke of amplitude 1 adds while raised and when struck.
_REST = {"shoulder_flexion": 12, "shoulder_abduction": 10, "shoulder_rotation": 25, "elbow_flexion": 78}
_REST |= {"forearm_pronation": 35, "wrist_flexion": -5, "wrist_deviation": 4, "thumb_cmc_flexion": 8}
_REST |= {"thumb_cmc_abduction": 28, "thumb_mcp_flexion": 14, "thumb_ip_flexion": 14}
_RAISED = {"shoulder_flexion": 14, "shoulder_abduction": 7, "elbow_flexion": 24, "wrist_flexion": -16}
_RAISED |= {"shoulder_rotation": -12, "forearm_pronation": -18, "wrist_deviation": -6}
_STRUCK = {"shoulder_flexion": 6, "shoulder_abduction": 4, "elbow_flexion": -13, "wrist_flexion": 14}
_STRUCK |= {"shoulder_rotation": -20, "forearm_pronation": -28, "wrist_deviation": 6}
_CURL = {"mcp_flexion": 52, "pip_flexion": 62, "dip_flexion": 34}  # of a closed hand
_SPREAD = {"index": 9, "middle": 2, "ring": -5, "little": -12}  # of an open hand, to the thumb
_MARGIN = 1.0  # degrees kept from every limit


def record(style: Style, seconds: float = 30.0, seed: int = 0, take: int = 0) -> Recording:
    """Make one recording of a synthetic speaker, a function of its arguments.

    Args:
        style: the speaker's.
        seconds: its length.
        seed: of all draws.
        take: the number of the recording.
    """
    address = key(seed, style.name, take)
    said = prosody(seconds, style.voice, address)
    angles = gesture(style, said, address)
    lengths = BONE_LENGTHS * style.size
    pose = forward_kinematics(torch.from_numpy(angles), lengths).numpy()
    speech = synthesise(said, style.voice, address)
    return Recording(f"{style.name}_{take}", style.name, pose, speech, lengths.numpy(), angles, said.strokes)


def gesture(style: Style, said: Prosody, seed: int) -> np.ndarray:
    """Make the joint angles `[F, 57]` (float32 radians) that accompany speech.

    Args:
        style: the speaker's.
        said: what is said when.
        seed: of all draws.
    """
    rng = np.random.default_rng(key(seed, "gesture"))
    times = np.arange(int(said.seconds * FPS)) / FPS
    strokes, stress = said.strokes, said.stress[said.stress > 0]
    one_handed = np.where(rng.random(len(strokes)) < style.right, 1, 0)
    hands = np.where(rng.random(len(strokes)) < style.both, 2, one_handed)  # 0 left, 1 right, 2 both
    degrees = {name: np.zeros(len(times)) for name in ANGLES}
    for index, side in enumerate(SIDES):
        mine = (hands == index) | (hands == 2)
        raised, struck = _strokes(times, strokes[mine], stress[mine] * style.amplitude, style.stroke)
        _side(degrees, side, style, raised, struck)
    raised, struck = _strokes(times, strokes, stress * style.nod, style.stroke)
    degrees["neck_flexion"] += 4 - 5 * raised + 12 * struck
    degrees["neck_rotation"] += 9 * _drift(times, rng, 0.25)
    degrees["neck_side"] += 4 * _drift(times, rng, 0.3)
    for name in ANGLES:  # nobody holds quite still; the thumb and fingers least
        degrees[name] += (0.6 if "_mcp" in name or "p_" in name else 1.2) * _drift(times, rng, 0.5)
    low, high = np.rad2deg(LIMITS.numpy().astype(np.float64)).T
    angles = np.stack([degrees[name] for name in ANGLES], axis=-1).clip(low + _MARGIN, high - _MARGIN)
    return np.deg2rad(angles).astype(np.float32)


def _side(degrees: dict[str, np.ndarray], side: str, style: Style, raised: np.ndarray, struck: np.ndarray) -> None:
    """Add an upper limb and its hand."""
    for name, rest in _REST.items():
        degrees[f"{side}_{name}"] += rest + _RAISED.get(name, 0) * raised + _STRUCK.get(name, 0) * struck
    degrees[f"{side}_elbow_flexion"] += 26 * style.height
    degrees[f"{side}_shoulder_flexion"] += 14 * style.height
    opened = np.clip(0.55 * style.open_hand + 0.25 * raised + 0.35 * style.open_hand * struck, 0, 1)
    for place, (finger, spread) in enumerate(_SPREAD.items()):
        for joint, curl in _CURL.items():
            degrees[f"{side}_{finger}_{joint}"] += curl * (1 - opened) * (0.85 + 0.1 * place) + 4
        degrees[f"{side}_{finger}_mcp_abduction"] += spread * opened
    degrees[f"{side}_thumb_cmc_abduction"] += 14 * opened


def _strokes(times: np.ndarray, strokes: np.ndarray, size: np.ndarray, stroke: float) -> tuple[np.ndarray, np.ndarray]:
    """How far the hand is raised and struck at each time, both 0 at rest: `[F]` and `[F]`."""
    keys: list[tuple[float, float, float]] = [(-1.0, 0.0, 0.0)]
    for at, much in zip(strokes, size, strict=True):
        lift = at - stroke
        keys = [k for k in keys if k[0] < lift - 0.08]  # what the last gesture would still have done
        if lift - keys[-1][0] > 0.5:
            keys.append((lift - 0.4, *keys[-1][1:]))
        keys += [(lift, much, 0.0), (at, 0.0, much), (at + 0.25, 0.0, much), (at + 0.8, 0.0, 0.0)]
    keys.append((float(times[-1]) + 9.0, 0.0, 0.0))
    when, raised, struck = map(np.asarray, zip(*keys, strict=True))
    return _minimum_jerk(times, when, raised), _minimum_jerk(times, when, struck)


def _minimum_jerk(times: np.ndarray, when: np.ndarray, what: np.ndarray) -> np.ndarray:
    """Move between `what` at `when`, at rest at each: 10 s^3 - 15 s^4 + 6 s^5."""
    i = np.searchsorted(when, times, side="right").clip(1, len(when) - 1)
    s = ((times - when[i - 1]) / (when[i] - when[i - 1])).clip(0, 1)
    return what[i - 1] + (what[i] - what[i - 1]) * (10 * s**3 - 15 * s**4 + 6 * s**5)


def _drift(times: np.ndarray, rng: np.random.Generator, hertz: float) -> np.ndarray:
    """Slow drift of unit size: three sines below `hertz`."""
    speed, phase = rng.uniform(0.15, 1.0, 3) * hertz, rng.uniform(0, 2 * np.pi, 3)
    return np.sin(2 * np.pi * speed * times[:, None] + phase).sum(-1) / np.sqrt(1.5)
