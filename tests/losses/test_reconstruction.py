"""The reconstruction error against closed forms."""

import pytest
import torch

from gannb.losses.reconstruction import reconstruction_error
from gannb.random import generator

REAL = torch.rand(3, 2, 8, 16, generator=generator("real")) * 2 - 1


def test_it_is_the_sum_of_mean_distances_from_the_images_averaged_down() -> None:
    half = REAL.unflatten(2, (4, 2)).unflatten(4, (8, 2)).mean((3, 5))
    assert reconstruction_error([half], REAL).item() == pytest.approx(0, abs=1e-6)
    assert reconstruction_error([half + 0.25, REAL - 0.5], REAL).item() == pytest.approx(0.75)


def test_half_precision_is_compared_in_single() -> None:
    error = reconstruction_error([REAL.bfloat16()], REAL)
    assert error.dtype == torch.float32 and 0 < error.item() < 2e-3


def test_only_reconstructions_get_a_gradient() -> None:
    made = torch.zeros(3, 2, 4, 8, requires_grad=True)
    reconstruction_error([made], REAL).backward()
    assert made.grad.abs().sum().item() == pytest.approx(1)
