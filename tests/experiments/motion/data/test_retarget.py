"""Resampling, constant bones, the trunk's frame, NaN."""

import numpy as np
import pytest

from gannb.experiments.motion.data import retarget
from gannb.experiments.motion.data.clips import MotionDataError
from gannb.experiments.motion.data.synthetic import STYLES, record


@pytest.fixture(scope="module")
def pose():
    return record(STYLES[0], 6.0).pose.astype(np.float64)


def test_every_second_frame_of_30_fps_is_kept_exactly():
    track = np.random.default_rng(0).normal(size=(61, 4))
    np.testing.assert_array_equal(retarget.resample(track, 30.0), track[::2])


@pytest.mark.parametrize("fps", [24.0, 60.0, 120.0])
def test_resampling_keeps_the_clock(fps):
    times = np.arange(int(3 * fps) + 1) / fps
    out = retarget.resample(np.stack([times, 2 * times], axis=1), fps)
    np.testing.assert_allclose(out[:, 0], np.arange(len(out)) / 15, atol=1e-9)
    assert len(out) == 46


def test_settled_bones_do_not_change(pose):
    rng = np.random.default_rng(0)
    shaken = pose + rng.normal(0, 0.003, pose.shape) + [1.0, 2.0, 3.0]
    settled, lengths = retarget.standardise(shaken, 15.0, "a")
    found = np.linalg.norm(settled[:, 1:] - settled[:, list(_parents())], axis=-1)
    np.testing.assert_allclose(found, np.tile(lengths, (len(found), 1)), rtol=1e-4)
    assert np.abs(settled[:, 0]).max() == 0


def _parents():
    from gannb.experiments.motion.skeleton import PARENTS

    return PARENTS[1:]


def test_trunk_axes_are_right_handed_and_upright():
    axes = retarget.trunk_axes(np.array([[0.0, 0, -0.2]]), np.array([[0.0, 0.02, 0.2]]), np.array([[0.0, 1, 0]]))
    assert np.linalg.det(axes[0]) == pytest.approx(1)
    np.testing.assert_allclose(axes[0, 2], [1, 0, 0], atol=1e-12)  # left on -z: faces +x


def test_nan_frames_are_named(pose):
    pose = pose.copy()
    pose[[3, 17], 5] = np.nan
    with pytest.raises(MotionDataError, match=r"a\.bvh: NaN.* 2 of 90 frames \(3, 17\); cut or mend"):
        retarget.standardise(pose, 15.0, "a.bvh")


def test_bone_without_length_is_named(pose):
    pose = pose.copy()
    pose[:, 2] = pose[:, 1]
    with pytest.raises(MotionDataError, match="right_elbow"):
        retarget.standardise(pose, 15.0, "a")
