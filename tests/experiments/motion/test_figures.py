"""Variants side by side, and motions as rows of stick figures."""

import numpy as np
import pytest
import torch

from gannb.comparison.trials import Comparison, Trial
from gannb.experiments.motion import kinematics
from gannb.experiments.motion.figures import error_figure, strip
from gannb.experiments.motion.skeleton import BONE_LENGTHS, INDEX
from gannb.metrics.score import Score, Scores


def test_errors_stand_in_centimetres_with_their_intervals() -> None:
    trials = [Trial("one", s, Scores([Score("maje", 0.06 + 0.01 * s)])) for s in (0, 1)]
    found = Comparison([*trials, Trial("two", 0, Scores([Score("maje", 0.09, 0.01)]))], "maje")
    (points,) = error_figure(found, floor=0.06).data
    assert list(points.y) == ["one", "two"]
    assert points.x == pytest.approx([6.5, 9.0])
    low, high = (100 * end for end in found.over_seeds("one", "maje").interval)
    assert points.x[0] - points.error_x.arrayminus[0] == pytest.approx(low)
    assert points.x[0] + points.error_x.array[0] == pytest.approx(high)
    assert points.error_x.array[1] == pytest.approx(1.96, rel=1e-4)


def test_a_strip_shows_each_motion_at_its_moments() -> None:
    pose = kinematics.forward_kinematics(torch.zeros(10, 57))
    figure = strip({"real": pose, "generated": pose + torch.tensor([0.0, 0.1, 0.0])}, moments=3)
    real, generated = figure.data
    assert [real.name, generated.name] == ["real", "generated"]
    bones = len(real.x) // 9
    lengths = np.hypot(np.diff(real.x)[::3], np.diff(real.y)[::3])
    assert lengths[: bones * 3].max() < 0.4, "a stick joins neighbours"
    finite = np.isfinite(real.y)
    assert np.nanmax(np.asarray(generated.y)[finite] - np.asarray(real.y)[finite]) == pytest.approx(-0.9, abs=1e-5)


def test_a_broken_bone_is_red_and_counts_change_no_number_of_points() -> None:
    pose = kinematics.forward_kinematics(torch.zeros(4, 57))
    broken = pose.clone()
    broken[:, INDEX["left_wrist"]] *= 1.5
    figure = strip({"real": pose, "generated": broken}, moments=2, lengths=BONE_LENGTHS)
    red = {trace.name: int(np.isfinite(trace.x).sum()) for trace in figure.data if "broken" in trace.name}
    assert red["real: broken"] == 0 and red["generated: broken"] > 0
    assert len({len(trace.x) for trace in figure.data}) == 1
