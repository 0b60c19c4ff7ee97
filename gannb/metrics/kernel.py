"""Kernel distance: unbiased at any sample size, with an error from the images themselves.

The squared maximum mean discrepancy under k(x, y) = (x·y / d + 1)³ (Bińkowski et al. 2018). On Inception's features it
is KID. All images are used at once instead of random subsets of 1000, so it works below 1000 and has no extra noise.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gannb.metrics.frechet import check_features

ROWS_AT_ONCE = 256


def kernel_distance(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """Unbiased squared MMD between features `[n, d]` and `[m, d]`, and its jackknife error over images.

    May be slightly negative where the two distributions agree.

    Raises:
        ValueError: fewer than 3 images on a side.
    """
    for features in (real, fake):
        check_features(features, at_least=3)
    x, y = real, fake
    n, m = len(x), len(y)
    within_x, within_y = _row_sums(x, x) - _diagonal(x), _row_sums(y, y) - _diagonal(y)
    x_to_y, y_to_x = _row_sums(x, y), _row_sums(y, x)
    sx, sy, sxy = float(within_x.sum()), float(within_y.sum()), float(x_to_y.sum())
    value = sx / (n * (n - 1)) + sy / (m * (m - 1)) - 2 * sxy / (n * m)
    without_x = (sx - 2 * within_x) / ((n - 1) * (n - 2)) + sy / (m * (m - 1)) - 2 * (sxy - x_to_y) / ((n - 1) * m)
    without_y = sx / (n * (n - 1)) + (sy - 2 * within_y) / ((m - 1) * (m - 2)) - 2 * (sxy - y_to_x) / (n * (m - 1))
    return value, math.sqrt(_jackknife_variance(without_x) + _jackknife_variance(without_y))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)


def _row_sums(x: Tensor, y: Tensor) -> Tensor:
    """Σⱼ k(xᵢ, yⱼ) `[n]`, a block of rows at a time."""
    y = y.double()
    return torch.cat([_kernel(rows.double(), y).sum(1) for rows in x.split(ROWS_AT_ONCE)])


def _diagonal(x: Tensor) -> Tensor:
    squares = torch.cat([rows.double().square().sum(1) for rows in x.split(ROWS_AT_ONCE)])
    return (squares / x.shape[1] + 1) ** 3


def _jackknife_variance(left_out: Tensor) -> float:
    n = len(left_out)
    return float((n - 1) / n * (left_out - left_out.mean()).square().sum())
