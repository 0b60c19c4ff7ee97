"""Stability scores on curves and images whose answers are known."""

import math

import numpy as np
import pytest
import torch

from gannb.experiments.schedules.stability import (
    alarm_rate,
    birthday,
    loss_variance,
    modes,
)


def rng():
    return np.random.default_rng(0)


def test_loss_variance_is_that_of_the_noise_not_of_the_trend():
    noise = rng().normal(0, 0.3, 4000)
    flat, falling = (loss_variance(noise + trend, "d_loss_variance") for trend in (0, np.linspace(5, 0, 4000)))
    assert flat.value == pytest.approx(0.09, rel=0.1) and falling.value == pytest.approx(flat.value, rel=0.02)
    assert loss_variance(np.ones(200), "x").value == 0
    assert "100 steps are needed" in loss_variance(noise[:99], "x").reason


def test_nan_in_a_curve_is_named():
    with pytest.raises(ValueError, match=r"1 of 3 values are not finite \(first: index 1"):
        loss_variance([1, math.nan, 2], "d_loss")


def test_mode_histogram():
    real = torch.eye(4).repeat(25, 1)
    fake = torch.eye(4)[[0, 1]].repeat(50, 1)
    found = modes(fake, real)
    assert found.counts.tolist() == [50, 50, 0, 0] and found.missing == [2, 3]
    assert found.divergence == pytest.approx(math.log(2))
    assert modes(real, real).divergence == 0 and modes(real).missing == []


@pytest.mark.parametrize("support", [30, 100, 300])
def test_birthday_finds_the_size_of_the_support(support):
    draw = torch.Generator().manual_seed(support)
    kinds = torch.randn(support, 10, generator=draw)
    fake = kinds[torch.randint(support, (4000,), generator=draw)]
    score = birthday(fake, torch.randn(300, 10, generator=draw), batch=20, draws=600)
    assert score.value == pytest.approx(support, rel=0.35)
    assert score.error > 0


def test_birthday_without_any_pair_is_a_lower_bound():
    draw = torch.Generator().manual_seed(0)
    fake = 100 * torch.randn(200, 10, generator=draw)
    score = birthday(fake, torch.randn(300, 10, generator=draw))
    assert score.protocol["at_least"] and score.value > 10_000
    assert "50 generated" in birthday(fake[:20], fake).reason


def test_birthday_of_one_image_over_and_over():
    draw = torch.Generator().manual_seed(0)
    score = birthday(torch.ones(100, 5), torch.randn(100, 5, generator=draw), batch=10, draws=50)
    assert score.value < 15


def test_the_rate_of_alarms_counts_each_and_names_the_first():
    events = [
        {"kind": "move", "step": 3, "name": "lr_d"},
        {"kind": "alarm", "step": 400, "name": "G/diversity collapses", "says": "alike"},
        {"kind": "alarm", "step": 120, "name": "G/loss explodes", "says": "high"},
        {"kind": "alarm", "step": 420, "name": "G/diversity collapses", "says": "alike"},
    ]
    rate = alarm_rate(events, steps=2000)
    assert float(rate) == 1.5 and rate.protocol["first"] == 120
    assert rate.protocol["G/diversity collapses"] == 2
    quiet = alarm_rate(events[:1], steps=10)
    assert (quiet.protocol["first"], float(quiet)) == (None, 0.0)
    with pytest.raises(ValueError, match="at least 1 step"):
        alarm_rate([], steps=0)
