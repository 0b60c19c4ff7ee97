"""A matcher learns which speech belongs to which motion, on pairs where it can be learnt and where it cannot."""

import math

import pytest
import torch

from gannb.experiments.motion import matcher_fitting
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.networks.matcher import Matcher
from gannb.experiments.motion.skeleton import BONE_LENGTHS
from gannb.random import generator

T, MELS = 32, 8


def pairs(count: int, related: bool = True, name: str = "train") -> Clips:
    """Loud moments are moments of movement; without `related` the motion is another clip's."""
    loud = torch.rand(count, T, generator=generator("loud", name)).gt(0.5).float()
    bands = torch.rand(count, T, MELS, generator=generator("bands", name))
    mel = (3 * loud[..., None] * bands).repeat_interleave(4, dim=1)
    moving = loud[..., None, None] * bands[..., :3].unsqueeze(2)
    pose = (0.1 * moving).expand(-1, -1, 52, -1).clone()
    pose = pose if related else pose.roll(1, 0)
    return Clips(pose, mel, torch.zeros(count).long(), BONE_LENGTHS.expand(count, -1))


SCALES = {"spread": torch.full((52, 3), 0.05), "mel_center": torch.full((MELS,), 0.7), "mel_spread": torch.ones(MELS)}


def test_it_tells_moments_it_never_saw_apart():
    held_out = pairs(8, name="held out")
    naive = Matcher(MELS, 16, **SCALES).eval()
    taught = matcher_fitting.fit(pairs(48), SCALES, steps=120, width=16)
    chance = 1 / 16
    assert matcher_fitting.matched(taught, held_out.mel, held_out.pose) > 5 * chance
    assert matcher_fitting.matched(naive, held_out.mel, held_out.pose) < 4 * chance
    wrong = pairs(8, related=False, name="held out")
    assert matcher_fitting.mismatch(taught, wrong.mel, wrong.pose) > 2 * matcher_fitting.mismatch(
        taught, held_out.mel, held_out.pose
    )


def test_a_loss_on_it_moves_motion_and_leaves_the_matcher():
    clips = pairs(4)
    matcher = matcher_fitting.fit(clips, SCALES, steps=2, width=16)
    pose = clips.pose.clone().requires_grad_(True)
    matcher_fitting.mismatch(matcher, clips.mel, pose).backward()
    assert pose.grad.abs().max() > 0
    assert not any(p.requires_grad for p in matcher.parameters()) and not matcher.training


def test_it_follows_from_clips_and_seed():
    one, again, other = (matcher_fitting.fit(pairs(4), SCALES, steps=3, width=16, seed=seed) for seed in (0, 0, 1))
    weights = [torch.cat([p.flatten() for p in m.parameters()]) for m in (one, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_where_nothing_fits_it_is_the_log_of_the_moments():
    clips = pairs(4)
    still = torch.zeros_like(clips.pose)
    matcher = matcher_fitting.fit(clips, SCALES, steps=2, width=16)
    assert matcher_fitting.mismatch(matcher, clips.mel, still).item() >= math.log(8) - 0.05


def test_too_few_and_too_short_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        matcher_fitting.fit(pairs(1), SCALES)
    with pytest.raises(ValueError, match="multiples of 16"):
        Matcher(MELS, 16).see(torch.zeros(2, 24, 52, 3))
