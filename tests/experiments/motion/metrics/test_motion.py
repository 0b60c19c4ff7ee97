import math

import pytest
import torch

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.metrics import motion
from gannb.random import generator

N, T, FPS = 4, 24, 15


@pytest.fixture(scope="module")
def pose():
    """Possible motion: every angle swings within its limits."""
    phase = 2 * math.pi * torch.rand(N, 1, 57, generator=generator("phase"))
    swing = torch.sin(phase + 0.4 * torch.arange(T)[:, None])
    return kinematics.forward_kinematics(kinematics.within_limits(0.8 * swing))


def uniform(x, speed):
    """All joints at `x` metres, moving along the first axis at `speed` metres per frame."""
    at = torch.zeros(N, T, 52, 3, dtype=torch.float64) + x
    at[..., 0] += speed * torch.arange(T, dtype=torch.float64)[:, None]
    return at


def test_paired_errors_have_closed_forms(pose):
    assert float(motion.maje(pose, pose)) == 0.0
    assert float(motion.maje(pose, pose + 0.02)) == pytest.approx(0.02, rel=1e-4)
    t = torch.arange(T, dtype=torch.float64) / FPS
    falling = torch.zeros(N, T, 52, 3, dtype=torch.float64) + (0.5 * 9.81 * t**2)[:, None, None]
    assert float(motion.mad(torch.zeros_like(falling), falling)) == pytest.approx(9.81)
    assert float(motion.mad(pose, pose + 0.5)) == pytest.approx(0.0, abs=1e-3)


def test_pck_counts_joints_within_a_share_of_the_box(pose):
    box = (pose.amax(2) - pose.amin(2)).amax(-1)
    moved = pose.clone()
    moved[:, :, :13, 0] += 0.21 * box[..., None]  # a quarter of the joints too far
    moved[:, :, 13:, 0] += 0.19 * box[..., None]
    assert float(motion.pck(pose, moved)) == pytest.approx(0.75)
    assert float(motion.pck(pose, pose)) == 1.0


def test_l1div_of_a_swing_is_its_mean_deviation():
    swing = torch.zeros(N, T, 52, 3, dtype=torch.float64)
    swing[:, ::2, 5, 1] = 0.2  # half the frames at 0.2 m, half at 0: 0.1 m from the mean
    assert float(motion.l1div(swing)) == pytest.approx(0.1)
    assert float(motion.l1div(uniform(3.0, 0.0))) == 0.0


def test_diversity_is_the_mean_distance_of_pairs():
    clips = torch.zeros(3, T, 52, 3)
    clips[1] += 0.3
    clips[2] += 0.9
    assert float(motion.diversity(clips)) == pytest.approx((0.3 + 0.9 + 0.6) / 3)
    assert float(motion.diversity(torch.ones(3, T, 52, 3))) == 0.0
    with pytest.raises(ValueError, match="1 clips of 24 frames; needed: 2"):
        motion.diversity(clips[:1])


def test_jerk_of_a_cubic_is_six_times_its_coefficient():
    t = torch.arange(T, dtype=torch.float64) / FPS
    cubic = torch.zeros(N, T, 52, 3, dtype=torch.float64)
    cubic[..., 2] = (0.5 * t**3)[:, None]
    assert float(motion.jerk(cubic)) == pytest.approx(3.0)
    assert float(motion.jerk(uniform(0.0, 0.1))) == pytest.approx(0.0, abs=0.01)


def test_speed_histograms_of_two_speeds():
    slow, fast = uniform(0, 0.01), uniform(0, 0.05)
    assert float(motion.speed_hellinger(slow, slow)) == 0.0
    assert float(motion.speed_hellinger(slow, fast)) == 1.0
    half = torch.cat([slow, fast])
    assert float(motion.speed_hellinger(slow, half)) == pytest.approx(math.sqrt(1 - math.sqrt(0.5)))
    assert float(motion.speed_hellinger(slow, uniform(0, 90.0))) == 1.0


def test_bones_that_change_are_found(pose):
    worst, frames = motion.bone_violation(pose)
    assert float(worst) < 1e-4
    assert float(frames) == 0.0
    stretched = pose.clone()
    elbow, wrist = skeleton.INDEX["left_elbow"], skeleton.INDEX["left_wrist"]
    stretched[:, :6, 13] += 0.5 * (stretched[:, :6, 13] - stretched[:, :6, skeleton.PARENTS[13]])
    worst, frames = motion.bone_violation(stretched)
    assert float(worst) > 0.3
    assert float(frames) == pytest.approx(6 / T)
    longer = skeleton.BONE_LENGTHS * torch.linspace(1.0, 1.2, N)[:, None]
    own, _ = motion.bone_violation(pose, longer)
    assert float(own) == pytest.approx(1 - 1 / 1.2, abs=1e-3)
    assert skeleton.PARENTS[wrist] == elbow


@pytest.mark.parametrize("name", ["left_elbow_flexion", "right_ring_pip_flexion", "neck_rotation"])
@pytest.mark.parametrize(("degrees", "found"), [(0.3, False), (2.0, True)])
def test_joints_beyond_their_limits_are_found_where_they_are(name, degrees, found):
    angles = kinematics.within_limits(torch.zeros(1, T, 57))
    i = skeleton.ANGLES.index(name)
    angles[:, ::2, i] = skeleton.LIMITS[i, 1] + math.radians(degrees)
    pose = kinematics.forward_kinematics(angles)
    joint = skeleton.ANGLE_JOINTS[i]
    assert bool(motion.violating_joints(pose)[0, 0, joint]) == found
    assert not motion.violating_joints(pose)[0, 1].any()
    expected = 0.5 / len({*skeleton.ANGLE_JOINTS}) if found else 0.0
    assert float(motion.limit_violation(pose)) == pytest.approx(expected, abs=1e-6)


def test_possible_motion_has_no_violation(pose):
    assert float(motion.limit_violation(pose)) == 0.0


def hands_and_arms(hand, arm):
    """Motion whose fingers and elbows follow two signals `[T]` in radians."""
    angles = kinematics.within_limits(torch.zeros(2, T, 57))
    for side in skeleton.SIDES:
        angles[:, :, skeleton.ANGLES.index(f"{side}_elbow_flexion")] = 1.0 + arm
        for finger in ("index", "middle", "ring", "little"):
            angles[:, :, skeleton.ANGLES.index(f"{side}_{finger}_pip_flexion")] = 0.8 + hand
    return kinematics.forward_kinematics(angles)


def test_hands_that_go_with_arms_are_in_harmony():
    t = torch.arange(T)
    swing, other = 0.5 * torch.sin(0.9 * t), 0.5 * torch.sin(0.9 * t + math.pi / 2)
    assert float(motion.harmony(hands_and_arms(swing, swing)).correlation) > 0.98
    assert float(motion.harmony(hands_and_arms(swing, other)).correlation) < -0.8
    alone = motion.harmony(hands_and_arms(4 * (0.1 * t % 0.2), torch.zeros(T)))
    assert float(alone.isolated) == 1.0
    assert not alone.correlation.available
    together = motion.harmony(hands_and_arms(swing * 2, swing * 2))
    assert float(together.isolated) < 0.1
    still = motion.harmony(hands_and_arms(torch.zeros(T), torch.zeros(T)))
    assert "no hand moves" in still.isolated.reason


def test_scores_carry_their_protocol(pose):
    score = motion.jerk(pose)
    assert score.protocol["fps"] == FPS
    assert score.protocol["unit"] == "m/s³"
    assert score.error > 0


def test_bad_motion_is_refused(pose):
    with pytest.raises(ValueError, match="clips have to be paired"):
        motion.maje(pose, pose[:2])
    with pytest.raises(ValueError, match="52 joints, 3 axes"):
        motion.jerk(pose.transpose(1, 2))
    broken = pose.clone()
    broken[2, 3, 4, 0] = float("nan")
    with pytest.raises(ValueError, match=r"clips \[2\] hold values that are not finite"):
        motion.l1div(broken)
