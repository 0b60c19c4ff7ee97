"""Arms side by side, and motions as rows of stick figures."""

import numpy as np
import pytest
import torch

from gannb.experiments.motion import skeleton
from gannb.experiments.motion.figures import error_figure, strip
from gannb.experiments.motion.metrics.variants import Outcome, Outcomes


def test_errors_stand_in_centimetres_with_their_intervals() -> None:
    arms = Outcomes([Outcome("one", s, {}, [0.05 + 0.01 * s, 0.07 + 0.01 * s]) for s in (0, 1)])
    arms.add(Outcome("two", 0, {}, [0.08, 0.10]))
    figure = error_figure(arms, floor=0.06)
    (points,) = figure.data
    assert list(points.y) == ["one", "two"]
    assert points.x == pytest.approx([6.5, 9.0])
    assert (points.error_x.array > 0).all() and (points.error_x.arrayminus > 0).all()
    low, high = (100 * end for end in arms.error("one").interval)
    assert points.x[0] - points.error_x.arrayminus[0] == pytest.approx(low)
    assert points.x[0] + points.error_x.array[0] == pytest.approx(high)


def test_a_strip_shows_each_motion_at_its_moments() -> None:
    pose = skeleton.forward_kinematics(torch.zeros(10, 57))
    figure = strip({"real": pose, "generated": pose + torch.tensor([0.0, 0.1, 0.0])}, moments=3)
    real, generated = figure.data
    assert [real.name, generated.name] == ["real", "generated"]
    bones = len(real.x) // 9
    lengths = np.hypot(np.diff(real.x)[::3], np.diff(real.y)[::3])
    assert lengths[: bones * 3].max() < 0.4, "a stick joins neighbours"
    finite = np.isfinite(real.y)
    assert np.nanmax(np.asarray(generated.y)[finite] - np.asarray(real.y)[finite]) == pytest.approx(-0.9, abs=1e-5)
