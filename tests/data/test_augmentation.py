"""Augmentation: what each operation does, that gradients pass, and that nothing depends on reading a tensor."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.data.augmentation import OPERATIONS, _mirrored, _warp, augment
from gannb.random import Draws

IMAGES = torch.rand(32, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
ALL = tuple(OPERATIONS)


@pytest.mark.parametrize("name", ALL)
def test_each_operation_keeps_the_shape_changes_images_and_repeats_itself(name):
    made = augment(IMAGES, Draws(0, 1), [name])
    assert made.shape == IMAGES.shape
    assert made.dtype == IMAGES.dtype
    assert not torch.equal(made, IMAGES)
    assert torch.equal(made, augment(IMAGES, Draws(0, 1), [name]))
    assert not torch.equal(made, augment(IMAGES, Draws(0, 2), [name]))


def test_two_calls_in_one_turn_draw_differently():
    draws = Draws(0, 1)
    assert not torch.equal(augment(IMAGES, draws, ["hflip"]), augment(IMAGES, draws, ["hflip"]))


@pytest.mark.parametrize("name", ["hflip", "vflip", "quarter_turns"])
def test_exact_operations_only_move_pixels(name):
    made = augment(IMAGES, Draws(0, 1), [name])
    assert torch.equal(made.flatten(2).sort().values, IMAGES.flatten(2).sort().values)
    changed = (made != IMAGES).any(dim=(1, 2, 3)).float().mean()
    assert 0.25 < changed < 0.95


def test_flips_turn_about_half_the_images_over():
    made = augment(IMAGES, Draws(0, 1), ["hflip"])
    flipped = [torch.equal(a, b.flip(2)) for a, b in zip(made, IMAGES)]
    kept = [torch.equal(a, b) for a, b in zip(made, IMAGES)]
    assert all(f != k for f, k in zip(flipped, kept))
    assert 8 <= sum(flipped) <= 24


def test_quarter_turns_reach_all_four():
    made = augment(IMAGES, Draws(0, 1), ["quarter_turns"])
    turns = [next(k for k in range(4) if torch.equal(a, b.rot90(k, (1, 2)))) for a, b in zip(made, IMAGES)]
    assert set(turns) == {0, 1, 2, 3}


def test_translation_moves_whole_pixels_and_mirrors_the_edge():
    ramp = torch.arange(16.0).expand(64, 1, 16, 16)
    made = augment(ramp, Draws(0, 1), ["translation"])
    moved = made[:, 0, 8, 8] - 8
    assert moved.abs().max() == 2, "an eighth of 16"
    right = made[moved == 2][0, 0, 8]
    assert right.tolist() == [*range(2, 16), 15, 14]


def test_cutout_takes_a_square_of_half_the_height():
    made = augment(torch.ones(64, 1, 16, 16), Draws(0, 1), ["cutout"])
    assert (made == 0).sum(dim=(1, 2, 3)).max() == 64
    assert set(made.unique().tolist()) == {0, 1}


def test_brightness_contrast_and_saturation_change_what_they_are_named_after():
    by = augment(IMAGES, Draws(0, 1), ["brightness"]) - IMAGES
    torch.testing.assert_close(by, by[:, :1, :1, :1].expand_as(by), atol=1e-6, rtol=0)
    assert 0.3 < by.abs().max() <= 0.5
    contrast = augment(IMAGES, Draws(0, 1), ["contrast"])
    torch.testing.assert_close(contrast.mean(dim=(1, 2, 3)), IMAGES.mean(dim=(1, 2, 3)), atol=1e-5, rtol=0)
    ratio = contrast.std(dim=(1, 2, 3)) / IMAGES.std(dim=(1, 2, 3))
    assert 0.5 <= ratio.min() < 0.8 < 1.2 < ratio.max() <= 1.5
    saturated = augment(IMAGES, Draws(0, 1), ["saturation"])
    torch.testing.assert_close(saturated.mean(dim=1), IMAGES.mean(dim=1), atol=1e-5, rtol=0)
    grey = IMAGES[:, :1]
    torch.testing.assert_close(augment(grey, Draws(0, 1), ["saturation"]), grey)


def test_warp_agrees_with_quarter_turns_and_whole_translations():
    quarter = _warp(IMAGES, torch.full((32, 1, 1, 1), torch.pi / 2))
    torch.testing.assert_close(quarter, IMAGES.rot90(-1, (2, 3)), atol=1e-4, rtol=0)
    moved = _warp(IMAGES, torch.zeros(32, 1, 1, 1), down=3.0)
    torch.testing.assert_close(moved[:, :, 3:], IMAGES[:, :, :-3])


@given(st.lists(st.integers(-40, 60), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_mirrored_places_are_symmetric_padding(places):
    padded = np.pad(range(8), (64, 64), mode="symmetric")
    assert _mirrored(torch.tensor(places), 8).tolist() == [padded[p + 64] for p in places]


@pytest.mark.parametrize("name", ALL)
def test_strength_zero_and_probability_zero_leave_images_alone(name):
    kept = augment(IMAGES, Draws(0, 1), [name], probability=torch.tensor(0.0))
    assert torch.equal(kept, IMAGES)
    if name not in ("hflip", "vflip", "quarter_turns"):
        torch.testing.assert_close(augment(IMAGES, Draws(0, 1), [name], strength=torch.tensor(0.0)), IMAGES)


def test_probability_is_the_share_of_images_changed():
    images = IMAGES.repeat(16, 1, 1, 1)
    made = augment(images, Draws(0, 1), ["brightness"], probability=torch.tensor(0.3))
    assert (made != images).any(dim=(1, 2, 3)).float().mean() == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("name", ALL)
def test_gradients_reach_the_images_twice_over(name):
    x = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: augment(x, Draws(0, 3), [name]).sin(), (x,))
    assert torch.autograd.gradgradcheck(lambda x: augment(x, Draws(0, 3), [name]).sin(), (x,))


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "rotation", "affine", "jitter"])
def test_gradients_reach_the_strength(name):
    strength = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    x = IMAGES[:4].double()
    assert torch.autograd.gradcheck(lambda s: augment(x, Draws(0, 3), [name], strength=s), (strength,))


def test_numbers_stay_on_the_device():
    """On the meta device every read of a value raises."""
    with torch.device("meta"):
        images, number = torch.empty(4, 1, 16, 16), torch.empty(())
    made = augment(images, Draws(0, 0), ALL, strength=number, probability=number)
    assert made.shape == images.shape


def test_an_unknown_operation_is_named():
    with pytest.raises(ValueError, match=r"\['fog'\]; allowed are hflip, "):
        augment(IMAGES, Draws(0, 0), ["hflip", "fog"])
