"""BVH: what is written is read back, other programs' skeletons are recognised, broken files are named."""

import numpy as np
import pytest
import torch

from gannb.experiments.motion import kinematics as kin
from gannb.experiments.motion import skeleton as sk
from gannb.experiments.motion.data import bvh
from gannb.experiments.motion.data.clips import MotionDataError
from gannb.experiments.motion.data.synthetic import STYLES, record

# A MotionBuilder skeleton in its T-pose, centimetres, facing +z: name, parent, offset.
_T_POSE = [
    ("Hips", None, (0, 95, 0)),
    ("Spine", "Hips", (0, 20, 0)),
    ("Spine1", "Spine", (0, 20, 0)),
    ("Neck", "Spine1", (0, 15, 0)),
    ("Head", "Neck", (0, 10, 2)),
]
for _side, _x in (("Left", 1), ("Right", -1)):
    _T_POSE += [
        (f"{_side}Shoulder", "Spine1", (3 * _x, 12, 0)),
        (f"{_side}Arm", f"{_side}Shoulder", (15 * _x, 0, 0)),
        (f"{_side}ForeArm", f"{_side}Arm", (30 * _x, 0, 0)),
        (f"{_side}Hand", f"{_side}ForeArm", (25 * _x, 0, 0)),
    ]
    for _finger, _z in (("Thumb", 3), ("Index", 2.5), ("Middle", 0), ("Ring", -2), ("Pinky", -4)):
        _first = (3 * _x, -1, _z) if _finger == "Thumb" else (9 * _x, 0, _z)
        _T_POSE.append((f"{_side}Hand{_finger}1", f"{_side}Hand", _first))
        for _i in (2, 3):
            _T_POSE.append((f"{_side}Hand{_finger}{_i}", f"{_side}Hand{_finger}{_i - 1}", (3 * _x, 0, 0)))


def text(frames: int = 4, prefix: str = "", turn: float = 0.0, bend: float = 0.0) -> str:
    """The T-pose as BVH, turned about y at the hips, with the left elbow bent forward (degrees)."""
    lines, columns = ["HIERARCHY"], []

    def write(name, parent, offset, depth):
        pad = "\t" * depth
        kind = "JOINT" if parent else "ROOT"
        channels = "Zrotation Yrotation Xrotation"
        channels = channels if parent else f"Xposition Yposition Zposition {channels}"
        lines.extend([f"{pad}{kind} {prefix}{name}", f"{pad}{{", f"{pad}\tOFFSET {' '.join(map(str, offset))}"])
        lines.append(f"{pad}\tCHANNELS {len(channels.split())} {channels}")
        columns.extend([] if parent else [5.0, 95.0, -7.0])
        columns.extend([0.0, turn if not parent else -bend if name == "LeftForeArm" else 0.0, 0.0])
        children = [joint for joint in _T_POSE if joint[1] == name]
        for child in children:
            write(*child, depth + 1)
        if not children:
            lines.extend([f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET 2 0 0", f"{pad}\t}}"])
        lines.append(f"{pad}}}")

    write(*_T_POSE[0], 0)
    row = " ".join(map(str, columns))
    return "\n".join([*lines, "MOTION", f"Frames: {frames}", "Frame Time: 0.033333", *[row] * frames])


def save(tmp_path, content: str):
    path = tmp_path / "take.bvh"
    path.write_text(content)
    return path


@pytest.mark.parametrize("style", STYLES[:2], ids=lambda s: s.name)
def test_what_is_written_is_read_back(tmp_path, style):
    take = record(style, 6.0)
    positions, lengths, _ = bvh.read(bvh.write(tmp_path / "a.bvh", take.pose))
    np.testing.assert_allclose(positions, take.pose, atol=2e-6)
    np.testing.assert_allclose(lengths, take.lengths, atol=1e-6)


def test_any_possible_pose_is_read_back(tmp_path):
    low, high = sk.LIMITS.unbind(-1)
    share = torch.rand(40, 57, generator=torch.Generator().manual_seed(0))
    pose = kin.forward_kinematics(low + (high - low) * share).numpy()
    positions, _, _ = bvh.read(bvh.write(tmp_path / "a.bvh", pose))
    np.testing.assert_allclose(positions, pose, atol=2e-6)


@pytest.mark.parametrize("prefix", ["", "mixamorig:"])
@pytest.mark.parametrize("turn", [0.0, 130.0])
def test_motionbuilder_names_are_recognised_whichever_way_it_faces(tmp_path, prefix, turn):
    positions, lengths, notes = bvh.read(save(tmp_path, text(7, prefix, turn, bend=90)))
    assert positions.shape == (4, 52, 3) and "unit centimetres" in notes
    at = {name: positions[0, i] for i, name in enumerate(sk.JOINTS)}
    np.testing.assert_allclose(at["left_elbow"] - at["left_shoulder"], [0.30, 0, 0], atol=1e-5)
    np.testing.assert_allclose(at["right_wrist"] - at["right_elbow"], [-0.25, 0, 0], atol=1e-5)
    np.testing.assert_allclose(at["left_wrist"] - at["left_elbow"], [0, 0, 0.25], atol=1e-5)  # bent forward
    assert at["nose"][2] > 0.05 and at["nose"][1] > 0.1 and at["left_eye"][0] > 0 > at["right_eye"][0]
    assert lengths[sk.INDEX["left_hand"] - 1] == pytest.approx(0.02)
    angles = dict(zip(sk.ANGLES, torch.rad2deg(kin.joint_angles(torch.from_numpy(positions)))[0].tolist(), strict=True))
    assert angles["left_elbow_flexion"] == pytest.approx(90, abs=0.1)
    assert angles["right_shoulder_abduction"] == pytest.approx(90, abs=5)
    assert any("estimated, not in the file: nose" in note for note in notes)


def test_unknown_joint_names_are_named_and_can_be_told(tmp_path):
    path = save(tmp_path, text().replace("LeftForeArm", "Unterarm_L"))
    with pytest.raises(MotionDataError, match=r"take\.bvh: no joint recognised as left_elbow.*Unterarm_L.*names="):
        bvh.read(path)
    positions, _, _ = bvh.read(path, names={"left_elbow": "Unterarm_L"})
    assert np.isfinite(positions).all()
    with pytest.raises(MotionDataError, match="no joint Nowhere"):
        bvh.read(path, names={"left_elbow": "Nowhere"})


@pytest.mark.parametrize(
    "old,new,words",
    [
        ("HIERARCHY", "HIERARCHIE", "does not begin with HIERARCHY"),
        ("MOTION", "}\nMOTION", "'}' out of place; the hierarchy is broken"),
        ("\t}\n}\nMOTION", "\t}\nMOTION", "MOTION begins while Hips is open"),
        ("OFFSET 0 20 0", "OFFSET 0 20", "no OFFSET of three numbers"),
        ("OFFSET 0 20 0", "OFFSET 0 zwanzig 0", "not a row of numbers"),
        ("CHANNELS 3", "CHANNELS 4", "CHANNELS 4 Zrotation"),
        ("Frames: 4", "Frames: 5", "4 frames, its header says 5"),
        ("Frames: 4", "Frames: vier", "expected `Frames: <count>`"),
        ("Frame Time: 0.033333", "Frame Time: 0", "expected `Frame Time"),
        ("MOTION", "", "out of place"),
        ("5.0 95.0", "95.0", "values, the hierarchy has"),
        ("5.0 95.0", "nan 95.0", "NaN or infinite values in 4 of 4 frames"),
        ("OFFSET 30 0 0", "OFFSET 30000 0 0", None),
    ],
)
def test_broken_files_are_named(tmp_path, old, new, words):
    content = text()
    assert old in content
    if words is None:
        content, words = content.replace("OFFSET -30 0 0", "OFFSET -30000 0 0"), "the upper arm is 3e\\+04 long"
    with pytest.raises(MotionDataError, match=rf"take\.bvh.*{words}"):
        bvh.read(save(tmp_path, content.replace(old, new)))


def test_cut_off_file_is_named(tmp_path):
    with pytest.raises(MotionDataError, match="ends before MOTION; it is cut off"):
        bvh.read(save(tmp_path, "\n".join(text().splitlines()[:40])))


def test_writing_nan_is_refused(tmp_path):
    pose = record(STYLES[0], 2.0).pose.copy()
    pose[5, 5, 1] = np.nan
    with pytest.raises(MotionDataError, match=r"\(5\)"):
        bvh.write(tmp_path / "a.bvh", pose)
