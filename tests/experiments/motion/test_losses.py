import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from gannb.experiments.motion import kinematics, losses, skeleton
from gannb.random import generator

B, T = 3, 12


@pytest.fixture
def angles():
    """Possible motion: smooth angles well within the limits."""
    start, end = 0.8 * torch.randn(2, B, 1, 57, generator=generator("angles"))
    share = torch.linspace(0, 1, T)[:, None]
    return kinematics.within_limits(start + share * (end - start))


@pytest.fixture
def pose(angles):
    return kinematics.forward_kinematics(angles)


def at(t):
    """A pose whose every coordinate is a function of time `t` `[T]`."""
    return t[None, :, None, None].expand(1, -1, 52, 3)


def test_differences_of_a_polynomial_are_its_derivatives():
    t = torch.arange(8, dtype=torch.float64)
    still = torch.zeros(1, 8, 52, 3, dtype=torch.float64)
    assert losses.absolute(at(3 * t), still) == pytest.approx(3 * 3.5)
    assert losses.velocity(at(3 * t), still) == pytest.approx(3.0)
    assert losses.acceleration(at(t**2)) == pytest.approx(2.0)
    assert losses.jerk(at(t**2)) == pytest.approx(0.0)
    assert losses.jerk(at(t**3)) == pytest.approx(6.0)
    assert losses.smoothness(at(t**3)) == pytest.approx(0.1 * 21 + 0.05 * 6)  # mean of 6, 12 … 36 is 21


def test_velocity_alone_leaves_the_pose_free(pose):
    moved = pose + 0.5
    assert losses.velocity(moved, pose) == pytest.approx(0.0, abs=1e-6)
    assert losses.absolute(moved, pose) == pytest.approx(0.5, abs=1e-6)


def test_possible_motion_costs_nothing(pose):
    assert losses.physics(pose) < 1e-4


def test_bones_are_measured_in_metres_against_the_clips_own(angles):
    lengths = skeleton.BONE_LENGTHS * torch.tensor([0.9, 1.0, 1.2])[:, None]
    pose = kinematics.forward_kinematics(angles, lengths[:, None])
    assert losses.bone_length(pose, lengths) < 1e-6
    mean = float(skeleton.BONE_LENGTHS.mean())
    assert losses.bone_length(pose) == pytest.approx(mean * (0.1 + 0.0 + 0.2) / 3, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "beyond", "hand"),
    [
        ("left_elbow_flexion", 0.3, False),
        ("right_elbow_flexion", 0.3, False),
        ("left_index_pip_flexion", 0.4, True),
        ("right_index_pip_flexion", 0.4, True),
    ],
)
def test_an_angle_beyond_its_limit_costs_its_excess_in_its_own_part(name, beyond, hand):
    angles = kinematics.within_limits(torch.zeros(1, 2, 57))
    i = skeleton.ANGLES.index(name)
    angles[..., i] = skeleton.LIMITS[i, 1] + beyond
    hands, body = losses.joint_angles(kinematics.forward_kinematics(angles))
    cost = (beyond / 60, 0.0) if hand else (0.0, beyond / 17)
    assert float(hands) == pytest.approx(cost[0], abs=1e-4)
    assert float(body) == pytest.approx(cost[1], abs=1e-4)


def mirrored(pose):
    """The speaker in a mirror: left and right change places, and x its sign."""
    other = [
        skeleton.INDEX[name.replace("left", "·").replace("right", "left").replace("·", "right")]
        for name in skeleton.JOINTS
    ]
    return pose[..., other, :] * torch.tensor([-1.0, 1.0, 1.0])


def test_mirrored_motion_costs_the_same(angles):
    impossible = kinematics.forward_kinematics(angles + torch.randn(57, generator=generator("off")))
    for part, other in zip(losses.joint_angles(impossible), losses.joint_angles(mirrored(impossible))):
        assert part > 0.002
        torch.testing.assert_close(part, other, rtol=1e-3, atol=1e-5)


def test_left_and_right_with_swapped_signs_would_be_noticed(pose):
    """Arms in each other's place, without the mirror: bones fit, joints do not."""
    swapped = mirrored(pose) * torch.tensor([-1.0, 1.0, 1.0])
    _, body = losses.joint_angles(swapped)
    assert losses.bone_length(swapped) < 1e-5
    assert body > 0.1


@pytest.mark.parametrize("order", [(0, 2, 1), (2, 1, 0), (1, 0, 2)])
def test_axes_in_another_order_keep_bones_and_break_joints(pose, order):
    turned = pose[..., list(order)]
    assert losses.bone_length(turned) < 1e-5
    assert losses.physics(turned) > 20 * losses.physics(pose) + 0.02


def test_frames_and_joints_in_another_order_are_refused(pose):
    with pytest.raises(ValueError, match=r"expected \[..., frames, 52 joints, 3 axes\]"):
        losses.physics(pose.transpose(1, 2))
    with pytest.raises(ValueError, match="52 joints, 3 axes"):
        losses.absolute(pose.flatten(2), pose.flatten(2))


def test_z_scores_are_noticed(pose):
    spread = pose.std(dim=(0, 1)).clamp_min(0.01)
    scores = (pose - pose.mean(dim=(0, 1))) / spread
    losses.check_metres(pose)
    with pytest.raises(ValueError, match="z-scores"):
        losses.check_metres(scores)
    with pytest.raises(ValueError, match="Give metres"):
        losses.check_metres(100 * pose)
    assert losses.bone_length(scores) > 0.1


def test_the_sum_is_weighted_as_specified(pose):
    bent = pose + 0.01 * torch.randn(pose.shape, generator=generator("bent"))
    hands, body = losses.joint_angles(bent)
    torch.testing.assert_close(losses.physics(bent), losses.bone_length(bent) + 0.7 * hands + 0.3 * body)


def test_gradients_are_finite_and_lead_back_to_a_possible_pose(pose):
    off = (pose[:1, :2] + 0.01 * torch.randn(1, 2, 52, 3, generator=generator("off"))).requires_grad_()
    optimiser = torch.optim.Adam([off], 5e-4)
    before = losses.physics(off).item()
    for _ in range(30):
        optimiser.zero_grad()
        losses.physics(off).backward()
        assert off.grad.isfinite().all()
        optimiser.step()
    assert losses.physics(off) < 0.5 * before


def test_short_clips_and_unequal_ones_are_refused(pose):
    with pytest.raises(ValueError, match="3 frames; a difference of order 3 needs 4"):
        losses.jerk(pose[:, :3])
    with pytest.raises(ValueError, match="one shape is needed"):
        losses.velocity(pose, pose[:1])


class Reduced(TorchDispatchMode):
    """Notes the operations that give tensors of reduced precision."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if any(
            isinstance(x, torch.Tensor) and x.dtype in (torch.bfloat16, torch.float16) for x in tree_flatten(out)[0]
        ):
            self.seen.add(str(func))
        return out


def every_term(angles, pose):
    generated = kinematics.forward_kinematics(kinematics.within_limits(angles))
    lengths = skeleton.BONE_LENGTHS.expand(B, -1)
    return (
        losses.reconstruction(generated, pose, 10.0, 5.0)
        + losses.smoothness(generated)
        + losses.physics(generated, lengths)
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_every_term_and_its_gradient_is_in_single_precision(dtype, angles, pose):
    found = []
    for enabled in (False, True):
        raw = angles.clone().requires_grad_()
        with Reduced() as reduced, torch.autocast("cpu", dtype, enabled=enabled):
            every_term(raw, pose).backward()
        assert reduced.seen == set()
        found.append(raw.grad)
    assert torch.equal(*found)
    with Reduced() as reduced, torch.autocast("cpu", dtype):
        angles @ angles.mT
    assert reduced.seen  # it would be seen
