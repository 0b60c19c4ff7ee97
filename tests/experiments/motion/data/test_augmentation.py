"""Clips augmented: noise of a stated level, and a warp that speech and motion follow together."""

import math

import pytest
import torch

from gannb.data.batches import Batches
from gannb.experiments.motion.data import augmentation
from gannb.experiments.motion.data.augmentation import AugmentedBatches, noisy, warp_times, warped
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.data.speech import FLOOR
from gannb.experiments.motion.kinematics import bone_lengths, forward_kinematics, with_bones
from gannb.experiments.motion.skeleton import BONE_LENGTHS
from gannb.random import Draws, generator

B, T, MELS = 6, 64, 8


def clips(count: int = B, size: float = 1.0) -> Clips:
    angles = 0.3 * torch.randn(count, T, 57, generator=generator("clips")).cumsum(1) / 4
    lengths = size * BONE_LENGTHS.expand(count, -1)
    mel = torch.randn(count, 4 * T, MELS, generator=generator("mel")) - 3
    return Clips(forward_kinematics(angles.clamp(-0.5, 0.5), lengths[:, None]), mel, torch.zeros(count).long(), lengths)


def draws(step: int = 0) -> Draws:
    return Draws(0, step, "clips")


def test_noise_has_the_level_that_was_drawn(monkeypatch):
    monkeypatch.setattr(augmentation, "LOUDEST", 10.0)
    monkeypatch.setattr(augmentation, "SOFTEST", 10.0)
    before = clips(64)
    after = noisy(before, draws())
    power, with_noise = (each.mel.exp().mean(dim=(1, 2)) - FLOOR for each in (before, after))
    assert (with_noise / power - 1).mean().item() == pytest.approx(0.1, rel=0.1), "10 dB below is a tenth of the power"
    assert torch.equal(after.pose, before.pose)


def test_only_a_share_of_the_clips_is_noisy():
    before = clips(200)
    changed = (noisy(before, draws(), 0.25).mel - before.mel).abs().amax(dim=(1, 2)) > 1e-3
    assert 0.15 < changed.float().mean() < 0.35
    torch.testing.assert_close(noisy(before, draws(), 0.0).mel, before.mel, atol=1e-3, rtol=0)


def test_a_warp_keeps_its_ends_and_never_runs_back():
    waves = 2 * torch.rand(200, 3, generator=generator("waves")) - 1
    times = warp_times(waves, 65, 0.9)
    assert times[:, 0].abs().max() < 1e-4 and (times[:, -1] - 64).abs().max() < 1e-4
    speed = times.diff(dim=1)
    assert speed.min() > 1 - 0.9 - 1e-3 and speed.max() < 1 + 0.9 + 1e-3
    still = torch.arange(65.0).expand(200, -1)
    torch.testing.assert_close(warp_times(waves, 65, 0.0), still)


def test_a_single_half_wave_is_the_closed_form():
    u = torch.linspace(0, 1, 9)
    torch.testing.assert_close(
        warp_times(torch.ones(1, 1), 9, 0.5)[0], 8 * (u + 0.5 * torch.sin(math.pi * u) / math.pi)
    )


def test_no_warp_changes_nothing():
    before = clips()
    after = warped(before, draws(), 0.0)
    torch.testing.assert_close(after.pose, before.pose, atol=1e-5, rtol=0)
    torch.testing.assert_close(after.mel, before.mel, atol=1e-4, rtol=1e-4)


def test_a_click_moves_with_its_stroke():
    """A click track: sound and motion of one moment stay within a frame of each other, and do move."""
    clicks = torch.arange(8, T - 8, 12)
    mel, pose = torch.zeros(B, 4 * T, MELS), clips().pose.clone()
    arm = torch.zeros(B, T, 1)
    for click in clicks.tolist():
        mel[:, 4 * click + 1 : 4 * click + 3] = 5.0  # the two mel frames around the pose frame's time
        arm[:, click] = 1.0
    start = forward_kinematics(torch.zeros(57))
    end = forward_kinematics(torch.full((57,), 0.3))
    pose = start + arm[..., None] * (end - start)
    after = warped(Clips(pose, mel, torch.zeros(B).long(), BONE_LENGTHS.expand(B, -1)), draws(), 0.5)
    heard = after.mel.mean(dim=2)  # [B, 4T]
    seen = (after.pose - start).norm(dim=(2, 3))  # [B, T]
    moved = 0
    for clip in range(B):
        for click in clicks.tolist():
            lo, hi = max(0, click - 6), click + 6
            weights = heard[clip, 4 * lo : 4 * hi]
            sound = ((torch.arange(4 * lo, 4 * hi) - 1.5) / 4 * weights).sum() / weights.sum()
            stroke = (torch.arange(lo, hi) * seen[clip, lo:hi]).sum() / seen[clip, lo:hi].sum()
            assert abs(sound - stroke) < 1.0
            moved += abs(stroke - click) > 0.5
    assert moved > 5


def test_bones_keep_their_length():
    before = clips(size=1.1)
    after = warped(before, draws(), 0.5)
    assert (bone_lengths(after.pose) / before.lengths[:, None] - 1).abs().max() < 1e-4
    torch.testing.assert_close(with_bones(before.pose, before.lengths[:, None]), before.pose, atol=1e-5, rtol=0)


def test_a_batch_follows_from_its_step():
    plain = Batches(clips(), 2, seed=0)
    batches = AugmentedBatches(plain, seed=0, noise=0.5, warp=0.2)
    again = AugmentedBatches(plain, seed=0, noise=0.5, warp=0.2)
    for step in (3, 0, 3):
        assert all(torch.equal(a, b) for a, b in zip(batches[step], again[step]))
    assert (batches.per_epoch, batches.size) == (plain.per_epoch, plain.size)
    assert not torch.equal(batches[0].mel, plain[0].mel)
    assert len({batches.digest(), plain.digest(), AugmentedBatches(plain, seed=0, warp=0.1).digest()}) == 3
    off = AugmentedBatches(plain, seed=0)
    assert all(torch.equal(a, b) for a, b in zip(off[1], plain[1]))


@pytest.mark.parametrize("told", [{"noise": 1.5}, {"warp": 1.0}, {"noise": -0.1}])
def test_what_cannot_be_is_refused(told):
    with pytest.raises(ValueError, match="allowed: noise in"):
        AugmentedBatches(Batches(clips(), 2, seed=0), seed=0, **told)
