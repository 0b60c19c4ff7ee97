"""Clouds: points stand where they are, y upwards; broken points are left out."""

import numpy as np
import pytest
import torch

from gannb.figures.points import clouds

REAL = torch.tensor([[2.0, 2.0], [-2.0, -2.0], [2.0, -2.0], [-2.0, 2.0]])


def test_a_point_stands_where_it_is() -> None:
    shown = clouds({100: torch.tensor([[2.0, 2.0]])}, REAL, size=24)
    orange = (shown.pixels[0, :, :, 0] > 120).nonzero()
    assert len(orange[0]) == 1 and orange[0][0] < 4 and orange[1][0] > 19, "up and to the right"
    blue = shown.pixels[0, :, :, 2] > 60
    assert blue.sum() == 4


def test_labels_and_moments() -> None:
    moments = {step: torch.randn(50, 2) for step in (0, 500, 1000)}
    shown = clouds(moments, REAL, size=16, columns=2, caption="8 Gaussians, by step")
    assert shown.pixels.shape == (3, 16, 16, 3) and shown.columns == 2
    assert shown.caption == "8 Gaussians, by step, blue: real, orange: generated"
    assert shown.titles == ["0", "500", "1000"]


def test_points_that_are_not_finite_or_far_away_are_not_drawn() -> None:
    wild = torch.tensor([[float("nan"), 0.0], [1e9, 0.0]])
    plain = clouds({0: torch.tensor([[1e9, 1e9]])}, REAL, size=16)
    assert np.array_equal(clouds({0: wild}, REAL, size=16).pixels, plain.pixels)


def test_sequences_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[N, 2\]"):
        clouds({0: torch.randn(3, 4, 2)}, REAL)


def test_points_of_a_large_picture_are_larger() -> None:
    shown = clouds({0: torch.zeros(1, 2)}, REAL, size=270)
    assert (shown.pixels.shape[1], shown.scale, shown.picture.width) == (90, 3, 272)
