"""Figures of a critic: contours, points and bins hold what was given, and little more."""

import numpy as np
import pytest
import torch

from gannb.experiments.motion_wgan_gp.critic_figures import slope_histogram, value_surface
from gannb.experiments.motion_wgan_gp.critic_metrics import Surface


def test_the_surface_lies_under_its_points() -> None:
    axis = np.linspace(-3, 3, 5)
    given = Surface(axis, np.outer(axis, np.ones(5)))
    shown = value_surface(given, torch.ones(4, 2), torch.zeros(2000, 2), title="D")
    assert [trace.name for trace in shown.data] == ["critic", "real", "generated"]
    np.testing.assert_allclose(shown.data[0].z, given.values)
    np.testing.assert_allclose(shown.data[1].x, np.ones(4))
    assert len(shown.data[2].x) == 1000
    assert len(shown.to_json()) < 100_000
    assert shown.layout.title.text == "D"


def test_the_histogram_counts_every_point_once() -> None:
    norms = torch.rand(5000, generator=torch.Generator().manual_seed(0)) * 2
    shown = slope_histogram(norms)
    assert np.sum(shown.data[0].y) == pytest.approx(1.0, abs=1e-5)
    assert shown.data[0].y == pytest.approx(np.full(50, 0.02), abs=0.01)
    assert len(shown.data[0].x) == 50, "bins, not points"


def test_two_histograms_share_bins_and_the_aim_is_marked() -> None:
    shown = slope_histogram({"correct": torch.full((10,), 1.0), "dim 1": torch.full((10,), 2.4)})
    correct, wrong = shown.data
    np.testing.assert_array_equal(correct.x, wrong.x)
    assert correct.x[np.argmax(correct.y)] == pytest.approx(1.0, abs=0.05)
    assert wrong.x[np.argmax(wrong.y)] == pytest.approx(2.4, abs=0.05)
    assert shown.layout.shapes[0].x0 == 1.0
