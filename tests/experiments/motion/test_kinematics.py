"""Forward kinematics against closed forms, its inverse, mirroring, and planted violations."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from gannb.experiments.motion import kinematics as kin
from gannb.experiments.motion import skeleton as sk


def pose(**degrees: float) -> torch.Tensor:
    angles = torch.zeros(57, dtype=torch.float64)
    for name, value in degrees.items():
        angles[sk.ANGLES.index(name)] = math.radians(value)
    return angles


def at(positions: torch.Tensor, joint: str, origin: str = "neck") -> torch.Tensor:
    return positions[..., sk.INDEX[joint], :] - positions[..., sk.INDEX[origin], :]


def possible(n: int, seed: int = 0) -> torch.Tensor:
    low, high = sk.LIMITS.double().unbind(-1)
    share = torch.rand(n, 57, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return low + (high - low) * share


def test_order_of_joints_and_angles_is_the_specification():
    assert sk.JOINTS[:10] == (
        *("neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
        *("nose", "right_eye", "left_eye"),
    )
    assert len(sk.JOINTS) == 52 and len(set(sk.JOINTS)) == 52 and len(sk.ANGLES) == 57
    assert sk.JOINTS[10] == "left_hand" and sk.JOINTS[31] == "right_hand"
    assert sk.PARENTS[10] == sk.INDEX["left_wrist"] and sk.PARENTS[31] == sk.INDEX["right_wrist"]
    assert all(parent < child for child, parent in enumerate(sk.PARENTS))
    assert sorted(sk.BODY_ANGLES + sk.HAND_ANGLES) == list(range(57))
    assert sk.LIMITS_DEGREES["right_shoulder_rotation"] == (-90, 70)
    for child, name in enumerate(sk.JOINTS):
        if name.endswith(("mcp", "cmc")) and name not in ("left_thumb_mcp", "right_thumb_mcp"):
            assert sk.JOINTS[sk.PARENTS[child]].endswith("_hand")


def test_neutral_pose_hangs_straight_down_with_thumbs_forward():
    p = kin.forward_kinematics(pose())
    for side, sign in (("left", 1), ("right", -1)):
        assert_close(at(p, f"{side}_wrist", f"{side}_shoulder"), torch.tensor([0, -0.59, 0], dtype=torch.float64))
        assert at(p, f"{side}_shoulder")[0] * sign > 0.1
        assert at(p, f"{side}_thumb_tip", f"{side}_hand")[2] > 0.05
        assert at(p, f"{side}_index_mcp", f"{side}_little_mcp")[2] > 0.03
    assert at(p, "nose")[2] > 0 and at(p, "left_eye", "right_eye")[0] > 0.05


@pytest.mark.parametrize("side,sign", [("left", 1.0), ("right", -1.0)])
@pytest.mark.parametrize(
    "angle,joint,origin,toward",
    [
        ("shoulder_flexion", "elbow", "shoulder", (0, 0, 0.33)),  # forward
        ("shoulder_abduction", "elbow", "shoulder", (0.33, 0, 0)),  # sideways, away from the trunk
        ("elbow_flexion", "wrist", "elbow", (0, 0, 0.26)),
        ("wrist_flexion", "hand", "wrist", (-0.02, 0, 0)),  # to the palm: inwards
        ("wrist_deviation", "hand", "wrist", (0, 0, -0.02)),  # to the little finger: back
        ("index_mcp_flexion", "index_pip", "index_mcp", (-0.04, 0, 0)),
        ("index_mcp_abduction", "index_pip", "index_mcp", (0, 0, 0.04)),  # to the thumb
        ("index_pip_flexion", "index_dip", "index_pip", (-0.022, 0, 0)),
        ("little_dip_flexion", "little_tip", "little_dip", (-0.016, 0, 0)),
        ("thumb_cmc_abduction", "thumb_mcp", "thumb_cmc", (-0.046 * math.cos(math.pi / 6), 0, 0.023)),
    ],
)
def test_ninety_degrees_of_each_angle_points_where_anatomy_says(side, sign, angle, joint, origin, toward):
    p = kin.forward_kinematics(pose(**{f"{side}_{angle}": 90}))
    expected = torch.tensor(toward, dtype=torch.float64) * torch.tensor([sign, 1, 1], dtype=torch.float64)
    assert_close(at(p, f"{side}_{joint}", f"{side}_{origin}"), expected, atol=1e-7, rtol=0)


def test_inward_rotation_and_pronation_turn_inwards_on_both_sides():
    for side, sign in (("left", 1), ("right", -1)):
        inwards = {f"{side}_elbow_flexion": 90.0, f"{side}_shoulder_rotation": 60.0}
        p = kin.forward_kinematics(pose(**inwards))
        assert at(p, f"{side}_wrist", f"{side}_elbow")[0] * sign < -0.2
        p = kin.forward_kinematics(pose(**{f"{side}_forearm_pronation": 85}))
        assert at(p, f"{side}_thumb_tip", f"{side}_wrist")[0] * sign < -0.04


def test_neck_signs():
    rest = kin.forward_kinematics(pose())
    assert at(kin.forward_kinematics(pose(neck_flexion=30)), "nose")[1] < at(rest, "nose")[1] - 0.03
    assert at(kin.forward_kinematics(pose(neck_rotation=60)), "nose")[0] > 0.05
    assert at(kin.forward_kinematics(pose(neck_side=45)), "nose")[0] > 0.05


def test_swapped_sides_give_the_mirror_image():
    angles = possible(20)
    swapped = torch.cat([angles[:, 27:54], angles[:, :27], angles[:, 54:] * torch.tensor([1, -1, -1])], dim=-1)
    mirror = [_other(n) for n in sk.JOINTS]
    expected = kin.forward_kinematics(angles)[:, mirror] * torch.tensor([-1, 1, 1])
    assert_close(kin.forward_kinematics(swapped), expected)


def _other(name: str) -> int:
    left, right = name.startswith("left"), name.startswith("right")
    return sk.INDEX[name.replace("left", "right") if left else name.replace("right", "left") if right else name]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.5, 1.5))
def test_bones_keep_their_length_and_angles_come_back(seed, scale):
    angles = possible(50, seed)
    lengths = sk.BONE_LENGTHS.double() * scale
    p = kin.forward_kinematics(angles, lengths)
    assert kin.bone_violation(p, lengths).max() < 1e-7
    read = kin.joint_angles(p)
    bent = (angles[:, 3] > kin.STRAIGHT) & (angles[:, 30] > kin.STRAIGHT)
    assert_close(read[bent], angles[bent], atol=1e-6, rtol=0)
    assert kin.hinge_deviation(p).max() < 1e-6


def test_straight_arms_are_read_as_possible():
    angles = possible(500)
    angles[:, [3, 30]] = 0.0
    assert kin.limit_violation(kin.joint_angles(kin.forward_kinematics(angles))).max() < 1e-6


@pytest.mark.parametrize("index", range(57))
def test_planted_violation_is_seen_at_its_angle_and_only_there(index):
    angles = pose(
        left_elbow_flexion=60, right_elbow_flexion=60, left_shoulder_abduction=20, right_shoulder_abduction=20
    )
    above = sk.ANGLES[index].endswith(("elbow_flexion", "abduction"))  # an elbow cannot be seen to bend backwards
    beyond = math.radians(8)
    angles[index] = sk.LIMITS[index, 1].double() + beyond if above else sk.LIMITS[index, 0].double() - beyond
    read = kin.joint_angles(kin.forward_kinematics(angles))
    expected = torch.zeros(57, dtype=torch.float64)
    expected[index] = beyond
    assert_close(kin.limit_violation(read), expected, atol=1e-5, rtol=0)


def test_sideways_bent_finger_is_a_hinge_deviation():
    p = kin.forward_kinematics(pose())
    p[sk.INDEX["left_index_dip"]] = p[sk.INDEX["left_index_pip"]] + torch.tensor([0, -0.022, 0.022])
    off = kin.hinge_deviation(p)
    assert off[sk.HINGES.index("left_index_pip")].abs() == pytest.approx(math.pi / 4, abs=1e-6)


def test_changed_bone_is_named_by_its_joint():
    p = kin.forward_kinematics(pose())
    p[sk.INDEX["nose"]] *= 1.1
    assert kin.bone_violation(p)[sk.INDEX["nose"] - 1] == pytest.approx(0.1, abs=1e-6)


def test_squashed_numbers_never_leave_the_limits():
    raw = torch.randn(20_000, 57, generator=torch.Generator().manual_seed(1)) * 50
    assert torch.rad2deg(kin.limit_violation(kin.within_limits(raw))).max() < 1e-4


def test_gradients_are_finite_where_angles_are_undefined():
    for start in (torch.zeros(52, 3), kin.forward_kinematics(torch.zeros(57))):
        p = start.clone().requires_grad_()
        (kin.joint_angles(p).sum() + kin.hinge_deviation(p).sum() + kin.bone_lengths(p).sum()).backward()
        assert p.grad.isfinite().all()


def test_gradient_of_forward_kinematics_is_right():
    assert torch.autograd.gradcheck(kin.forward_kinematics, possible(2).requires_grad_())


def test_wrong_axis_order_is_refused():
    with pytest.raises(ValueError, match="52 joints"):
        kin.joint_angles(torch.zeros(3, 52))
    with pytest.raises(ValueError, match="expected 57"):
        kin.forward_kinematics(torch.zeros(2, 52))
