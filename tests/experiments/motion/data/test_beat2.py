"""BEAT2: the rest pose, single rotations with a known answer, the real file, bad files."""

import numpy as np
import pytest
import torch

from gannb.experiments.motion import kinematics as kin
from gannb.experiments.motion import skeleton as sk
from gannb.experiments.motion.data import beat2, recordings
from gannb.experiments.motion.data.clips import MotionDataError


def poses(frames: int = 4, **rotations: tuple[float, float, float]) -> dict[str, np.ndarray]:
    out = np.zeros((frames, beat2.N_JOINTS, 3))
    for name, degrees in rotations.items():
        out[:, beat2.BODY[name]] = np.deg2rad(degrees)
    return {"poses": out.reshape(frames, -1), "mocap_frame_rate": np.array(30)}


def angles_of(positions: np.ndarray) -> dict[str, float]:
    read = torch.rad2deg(kin.joint_angles(torch.from_numpy(positions)))[0].tolist()
    return dict(zip(sk.ANGLES, read, strict=True))


def test_rest_pose_is_a_t_pose_with_palms_down():
    positions, lengths, _ = beat2.from_arrays(poses(), "a")
    at = {name: positions[0, i] for i, name in enumerate(sk.JOINTS)}
    np.testing.assert_allclose(at["left_wrist"] - at["left_shoulder"], [0.59, 0, 0], atol=1e-5)
    np.testing.assert_allclose(at["right_wrist"] - at["right_shoulder"], [-0.59, 0, 0], atol=1e-5)
    assert at["left_thumb_tip"][2] > at["left_hand"][2] + 0.03  # thumbs forward
    np.testing.assert_allclose(lengths, sk.BONE_LENGTHS, atol=1e-5)


@pytest.mark.parametrize(
    "joint,degrees,angle,expected",
    [
        ("left_shoulder", (0, 0, -60), "left_shoulder_abduction", 30),
        ("right_shoulder", (0, 0, 60), "right_shoulder_abduction", 30),
        ("left_elbow", (0, -70, 0), "left_elbow_flexion", 70),
        ("right_elbow", (0, 70, 0), "right_elbow_flexion", 70),
        ("left_wrist", (0, 0, -25), "left_wrist_flexion", 25),
        ("right_wrist", (0, 0, -25), "right_wrist_flexion", -25),
        ("neck", (0, 40, 0), "neck_rotation", 40),
        ("head", (20, 0, 0), "neck_flexion", 20),
        ("neck", (0, 0, -15), "neck_side", 15),
    ],
)
def test_one_rotation_gives_its_anatomical_angle(joint, degrees, angle, expected):
    positions, _, _ = beat2.from_arrays(poses(**{joint: degrees}), "a")
    assert angles_of(positions)[angle] == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("side,sign", [("left", -1), ("right", 1)])
@pytest.mark.parametrize("place,joint", [(0, "mcp"), (1, "pip"), (2, "dip")])
@pytest.mark.parametrize("order,finger", [(0, "index"), (1, "middle"), (2, "little"), (3, "ring")])
def test_fingers_bend_where_smplx_bends_them(side, sign, place, joint, order, finger):
    arrays = poses()
    out = arrays["poses"].reshape(4, -1, 3)
    out[:, beat2.FIRST_HAND[side] + 3 * order + place, 2] = sign * np.deg2rad(30)
    positions, _, _ = beat2.from_arrays(arrays, "a")
    rest, _, _ = beat2.from_arrays(poses(), "a")
    change = {name: value - angles_of(rest)[name] for name, value in angles_of(positions).items()}
    # about the world's axis, so a fanned finger bends a few degrees less in its own plane
    assert change[f"{side}_{finger}_{joint}_flexion"] == pytest.approx(30, abs=4)
    others = [abs(v) for name, v in change.items() if f"{side}_{finger}" not in name]
    assert max(others) < 0.01


def test_whole_body_turn_and_walk_do_not_show():
    rest, _, _ = beat2.from_arrays(poses(), "a")
    arrays = poses()
    arrays["poses"].reshape(4, -1, 3)[:, 0] = np.linspace(0, 2, 4)[:, None]
    positions, _, _ = beat2.from_arrays(arrays, "a")
    np.testing.assert_allclose(positions, rest[: len(positions)], atol=1e-6)


def test_real_file_is_upright_and_mostly_possible(shared_data):
    positions, lengths, notes = recordings.read_motion(shared_data / "motion" / "beat2" / "2_scott_0_1_1.npz")
    assert positions.shape == (953, 52, 3) and "30 fps resampled to 15" in notes
    pose = torch.from_numpy(positions)
    assert kin.bone_violation(pose, torch.from_numpy(lengths)).max() < 1e-4
    beyond = torch.rad2deg(kin.limit_violation(kin.joint_angles(pose)))
    assert (beyond > 0.5).float().mean() < 0.02 and (beyond[:, list(sk.BODY_ANGLES)] > 5).float().mean() < 0.002
    assert (pose[:, sk.INDEX["nose"], 1] > 0.05).all() and (pose[:, sk.INDEX["nose"], 2] > 0).all()
    assert (pose[:, sk.INDEX["left_elbow"], 0] > 0).all() and (pose[:, sk.INDEX["right_elbow"], 0] < 0).all()


@pytest.mark.parametrize(
    "arrays,words",
    [
        ({"motion": np.zeros((3, 165))}, "no `poses` in it .found: motion."),
        ({"poses": np.zeros((3, 156))}, r"`poses` has shape \(3, 156\), expected \[F, 165\]"),
        ({"poses": np.full((3, 165), np.nan)}, r"NaN.*3 of 3 frames \(0, 1, 2\)"),
        ({"poses": np.zeros((1, 165))}, "1 frames of motion"),
    ],
)
def test_bad_files_are_named(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(MotionDataError, match=rf"a\.npz: {words}"):
        recordings.read_motion(tmp_path / "a.npz")


def test_what_is_not_an_npz_is_named(tmp_path):
    (tmp_path / "a.npz").write_text("no")
    with pytest.raises(MotionDataError, match=r"a\.npz is no readable"):
        recordings.read_motion(tmp_path / "a.npz")
