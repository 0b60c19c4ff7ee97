"""All scores of generated gestures beside real ones, in one table."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.metrics import motion
from gannb.experiments.motion.metrics.beats import beat_consistency, speech_onsets, speech_stresses
from gannb.experiments.motion.metrics.fgd import GestureFeatures, fgd
from gannb.metrics.score import Score, Scores


def evaluate(real: Clips, generated: Tensor, features: GestureFeatures | None = None, *, seed: int = 0) -> Scores:
    """Score motion that was generated to the speech of real, held-out clips.

    Args:
        real: the clips.
        generated: `[N, T, 52, 3]` metres, to the same speech.
        features: for FGD, fitted to other real clips; without them FGD is left out.
        seed: of draws within scores.

    Returns:
        FGD; errors beside the real (MAJE, MAD, PCK); diversity and L1div, also as shares of the real; jerk, also of the
        real; speeds; bones and joints; beats over shuffled speech; harmony, also of the real (M19).
    """
    pose = real.pose
    found = list(fgd(features, pose, generated, seed=seed)) if features is not None else []
    found += [motion.maje(pose, generated), motion.mad(pose, generated), motion.pck(pose, generated)]
    spread = motion.diversity(generated)
    found += [spread, _share(spread, motion.diversity(pose)), _share(motion.l1div(generated), motion.l1div(pose))]
    found += [motion.jerk(generated), motion.jerk(pose, name="jerk_real"), motion.speed_hellinger(pose, generated)]
    found += [*motion.bone_violation(generated, real.lengths), motion.limit_violation(generated)]
    found += beat_consistency(generated, speech_stresses(real.mel), "stroke", real=pose, seed=seed)
    found += beat_consistency(generated, speech_onsets(real.mel), "emage", real=pose, seed=seed)
    mine, theirs = motion.harmony(generated), motion.harmony(pose)
    found += [mine.correlation, mine.isolated]
    found += [replace(score, name=f"{score.name}_real") for score in (theirs.correlation, theirs.isolated)]
    return Scores([*found, _gap(mine.correlation, theirs.correlation)])


def diversity_share(real: Tensor, generated: Tensor) -> float:
    """How far generated clips `[N, T, 52, 3]` are apart, over how far real ones are."""
    return float(motion.diversity(generated)) / max(float(motion.diversity(real)), 1e-9)


def generate_clips(network: torch.nn.Module, clips: Clips, size: int = 64) -> Tensor:
    """What a generator makes to the speech of clips `[N, T, 52, 3]`, on the CPU.

    Args:
        network: in eval mode.
        clips: whose speech and speakers.
        size: clips at a time.
    """
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            network(mel.to(device), who.to(device)).cpu()
            for mel, who in zip(clips.mel.split(size), clips.speaker.split(size))
        ]
    return torch.cat(parts)


def _share(generated: Score, real: Score) -> Score:
    name = f"{generated.name}_share"
    if not float(real):
        return Score.missing(name, "the real clips do not differ")
    error = generated.error / float(real) if generated.error is not None else None
    return Score(
        name, float(generated) / float(real), error, protocol=dict(generated.protocol) | {"of": "the real clips'"}
    )


def _gap(mine: Score, theirs: Score) -> Score:
    if not (mine.available and theirs.available):
        return Score.missing("harmony_gap", (mine if not mine.available else theirs).reason or "")
    return Score("harmony_gap", abs(float(mine) - float(theirs)), protocol={"of": "hand_arm_correlation"})
