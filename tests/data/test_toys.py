"""Toys: their own samples lie where closed forms say, and coverage tells what is missing."""

import math

import pytest
import torch

from gannb.data import toys

SMALL = {"train": 4000, "held_out": 500}


@pytest.mark.parametrize("name", toys.TOYS)
def test_all_modes_are_there_in_equal_parts(name: str) -> None:
    made = toys.toy(name, **SMALL)
    covered = made.coverage(made.train)
    assert covered.found == made.modes == len(covered.counts)
    fair = 4000 / made.modes
    # The roll's stretches are of equal time, as its draws are.
    assert (covered.counts - fair).abs().max() < 5 * math.sqrt(fair)


@pytest.mark.parametrize("name", ["8 Gaussians", "25 Gaussians"])
def test_a_gaussian_has_989_of_a_thousand_within_three_sigma(name: str) -> None:
    made = toys.toy(name, train=20000)
    assert made.coverage(made.train).share == pytest.approx(1 - math.exp(-4.5), abs=4e-3)


def test_places_and_spreads_are_the_issues() -> None:
    ring, grid = toys.toy("8 Gaussians", **SMALL), toys.toy("25 Gaussians", **SMALL)
    assert ring.train.norm(dim=1).mean() == pytest.approx(2.0, abs=0.01)
    assert (ring.train.norm(dim=1) - 2).std() == pytest.approx(0.02, rel=0.1)
    assert (grid.train - 2 * (grid.train / 2).round()).std() == pytest.approx(0.05, rel=0.1)
    assert sorted({*(grid.train / 2).round().int().flatten().tolist()}) == [-2, -1, 0, 1, 2]


@pytest.mark.parametrize("name", toys.TOYS)
def test_draws_follow_from_the_seed(name: str) -> None:
    small = {"train": 50, "held_out": 50}
    one, same, other = toys.toy(name, 1, **small), toys.toy(name, 1, **small), toys.toy(name, 2, **small)
    assert torch.equal(one.train, same.train) and torch.equal(one.held_out, same.held_out)
    assert not torch.equal(one.train, other.train)
    assert not torch.equal(one.train, one.held_out), "held out are draws of their own"


def test_coverage_counts_what_is_near() -> None:
    ring = toys.toy("8 Gaussians", **SMALL)
    at_one = torch.tensor([[2.0, 0.0]]).repeat(6, 1)
    beside = torch.tensor([[2.0 + 3.1 * 0.02, 0.0], [0.0, 0.0]])
    covered = ring.coverage(torch.cat([at_one, beside]))
    assert (covered.found, covered.share) == (1, 6 / 8)
    assert ring.coverage(at_one, at_least=7).found == 0
    assert repr(covered) == "1 of 8 modes found, 75.0% of 8 samples near one"
    assert covered.as_dict() == {"modes_found": 1, "share_near": 0.75}
    with pytest.raises(ValueError, match=r"\(6, 3\); 8 Gaussians has \[N, 2\]"):
        ring.coverage(torch.zeros(6, 3))


def test_the_roll_is_met_along_its_curve_only() -> None:
    roll = toys.swiss_roll(**SMALL)
    end = torch.tensor([[0.0, 2.0]])  # 4.5 π: a quarter turn past two whole ones
    assert roll.mode_of(end).tolist() == [19]
    assert roll.mode_of(end + torch.tensor([0.0, 0.2])).tolist() == [-1]


def test_gait_shares_are_those_of_a_sum_of_waves() -> None:
    """a² / (a² + b²) of a sum of two gaits with amplitudes a and b."""
    t, f = torch.arange(32).view(-1, 1) / 16, torch.arange(6) / 6
    one, three = (2 * math.pi * (t + f) + 0.7).cos(), (2 * math.pi * (2 * t - f)).cos()
    shares = toys.gait_shares((3 * one + three).unsqueeze(0))
    torch.testing.assert_close(shares, torch.tensor([[0.9, 0.0, 0.0, 0.1]]), atol=1e-5, rtol=0)


def test_white_noise_and_a_still_sequence_have_no_gait() -> None:
    made = toys.sequences(train=8, held_out=200)
    assert made.coverage(torch.randn(200, 32, 6, generator=torch.Generator().manual_seed(0))).share == 0
    assert made.coverage(torch.zeros(4, 32, 6)).share == 0


def test_a_piece_of_a_sequence_is_of_the_same_toy() -> None:
    long, short = toys.sequences(train=200, held_out=8), toys.sequences(train=8, held_out=8, frames=16)
    assert torch.equal(short.mode_of(long.train[:, :16]), long.mode_of(long.train))


def test_wrong_names_and_sizes_are_told() -> None:
    with pytest.raises(ValueError, match="allowed: 8 Gaussians, 25 Gaussians"):
        toys.toy("9 Gaussians")
    with pytest.raises(ValueError, match="multiple of 16"):
        toys.sequences(frames=20)
    with pytest.raises(ValueError, match="3 or more"):
        toys.sequences(features=2)


def test_a_toy_shows_itself() -> None:
    shown = repr(toys.toy("8 Gaussians", train=64, held_out=64))
    assert "8 Gaussians" in shown and "each sample [2], 8 modes, sigma 0.02" in shown
