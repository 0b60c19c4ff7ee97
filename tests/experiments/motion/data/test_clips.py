"""Axis order, packing, and the cutting of motion and speech to one length."""

import numpy as np
import pytest
import torch

from gannb.experiments.motion.data.clips import Recording, pack
from gannb.experiments.motion.data.speech import SAMPLE_RATE, Speech


def test_channel_of_a_joint_and_axis_is_where_it_says():
    pose = torch.zeros(1, 5, 52, 3)
    pose[0, 4, 7, 2] = 1.0
    assert pack(pose)[0].nonzero().tolist() == [[7 * 3 + 2, 4]]


def test_wrong_axis_order_is_refused():
    with pytest.raises(ValueError, match="batch"):
        pack(torch.zeros(2, 64, 156))


@pytest.mark.parametrize("seconds,longer", [(1.0, "motion"), (3.0, "speech")])
def test_longer_part_is_cut_and_said(seconds, longer):
    samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    take = Recording("a", "x", np.zeros((30, 52, 3)), Speech(samples), np.ones(51), strokes=np.array([0.5, 1.5]))
    cut = take.trimmed()
    assert cut.seconds == min(2.0, seconds) == cut.speech.seconds
    assert f"the last 1.00 s of {longer} fell away" in cut.notes[-1]
    assert list(cut.strokes) == [0.5] if longer == "motion" else [0.5, 1.5]
