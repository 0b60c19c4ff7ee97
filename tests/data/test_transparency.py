"""Colour with transparency: read, augmented, shown, scored and written without what lies hidden under it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gannb.config.faults import ParameterError
from gannb.data.augmentation import OPERATIONS, augment
from gannb.data.images import read_images
from gannb.data.transparency import levels, opaque
from gannb.experiments.particles_sagan.params import ParticlesSagan
from gannb.experiments.schedules.params import Schedules
from gannb.figures.grids import image_grid
from gannb.metrics.evaluator import Evaluator
from gannb.random import Draws, generator

STORED = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 4), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for i, image in enumerate(STORED):
        Image.fromarray(image).save(tmp_path / f"{i:02d}.png")
    return tmp_path


def generated(n: int, size: int = 16) -> torch.Tensor:
    return torch.rand(n, 4, size, size, generator=generator("transparent")) * 2 - 1


def test_colours_are_multiplied_by_alpha(folder):
    read = (read_images(folder, 16, channels=4).pixels + 1) / 2
    straight = torch.from_numpy(STORED).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(read[:, 3:], straight[:, 3:])
    torch.testing.assert_close(read[:, :3], straight[:, :3] * straight[:, 3:])


def test_what_is_hidden_makes_no_difference(tmp_path):
    clear = STORED[:2].copy()
    clear[..., 3] = 0
    for i, image in enumerate(clear):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    first, second = read_images(tmp_path, 12, channels=4).pixels
    assert torch.equal(first, second) and (first == -1).all()


@pytest.mark.parametrize(("mode", "alpha"), [("L", 1), ("RGB", 1), ("LA", 0.6)])
def test_pictures_of_other_kinds_get_four_channels(tmp_path, mode, alpha):
    picture = Image.new("RGBA", (20, 20), (200, 200, 200, 153)).convert(mode)
    picture.save(tmp_path / "a.png")
    image = (read_images(tmp_path, 16, channels=4).pixels[0] + 1) / 2
    np.testing.assert_allclose(image[3], alpha, atol=1e-6)
    np.testing.assert_allclose(image[:3], 200 / 255 * alpha, atol=1e-6)


def test_files_say_what_became_of_their_transparency(folder):
    assert read_images(folder, 16, channels=4).report.lines[0] == ("12 used", "16×16 colour, 8-bit, transparent")
    assert read_images(folder, 16).report.lines[0] == ("12 used", "16×16 colour, 8-bit, transparent on white")


def test_padding_is_transparent_and_colours_stay_below_alpha(folder):
    image = read_images(folder, (24, 40), channels=4, fit="pad").pixels
    assert (image[..., :8] == -1).all() and (image[..., 32:] == -1).all()
    assert (image[:, :3] <= image[:, 3:]).all()


def test_what_is_written_is_what_was_generated_and_lies_on_white_as_its_file_does(tmp_path):
    images = generated(5)
    written = levels(images).byte().permute(0, 2, 3, 1).numpy()
    for i, image in enumerate(written):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    np.savez(tmp_path / "samples.npz", images=written)
    assert torch.equal(opaque(images), read_images(tmp_path, 16, channels=3).pixels)
    again = read_images(tmp_path, 16, channels=4).pixels
    assert torch.equal(opaque(images), opaque(again)), "written and read, they stay the same"
    allowed = torch.minimum(images, images[:, 3:]) - again[:, :4]
    assert allowed.abs().max() <= 1.01 * 2 * 1.5 / 255, "within a level, of colour and of alpha"
    for channels in (3, 4):
        arrays = read_images(tmp_path / "samples.npz", 16, channels=channels)
        assert torch.equal(arrays.pixels, read_images(tmp_path, 16, channels=channels).pixels)


@pytest.mark.parametrize("bad", [np.full((2, 8, 8, 4), 300.0), np.zeros((2, 8, 8, 4), np.uint16)])
def test_arrays_whose_alpha_has_no_known_range_are_refused(tmp_path, bad):
    np.savez(tmp_path / "x.npz", images=bad)
    with pytest.raises(ValueError, match=r"four channels, the last alpha: uint8 or floats 0 … 1"):
        read_images(tmp_path / "x.npz", 8, channels=4)


@pytest.mark.parametrize("name", OPERATIONS)
def test_augmentation_of_opaque_images_is_that_of_their_colours(name):
    colours = generated(8)[:, :3]
    both = augment(torch.cat([colours, torch.ones_like(colours[:, :1])], 1), Draws(0, 1), [name])
    alone = augment(colours, Draws(0, 1), [name])
    torch.testing.assert_close(both[:, :3], alone)
    if name != "cutout":
        torch.testing.assert_close(both[:, 3], torch.ones_like(both[:, 3]))


@given(st.sampled_from(["brightness", "contrast", "saturation", "jitter"]), st.integers(0, 100))
def test_augmentation_of_colours_leaves_alpha_and_what_is_transparent(name, step):
    images = torch.minimum(generated(4), generated(4)[:, 3:])
    images[:, :, :, :8] = -1  # transparent
    seen = augment(images, Draws(0, step), [name])
    assert torch.equal(seen[:, 3], images[:, 3])
    torch.testing.assert_close(seen[..., :8], images[..., :8])
    assert not torch.equal(seen, images)


def test_scores_are_those_of_the_images_on_white():
    real, fake = generated(24), generated(30).flip(0)
    scores = Evaluator(real, features="faed")(fake)
    on_white = Evaluator(opaque(real), features="faed")(opaque(fake))
    assert scores.faed.value == on_white.faed.value and scores.kid_faed.value == on_white.kid_faed.value
    assert scores.notes[-1] == "transparent images lie on white" and scores.notes[-1] not in on_white.notes
    clear = fake.clone()
    clear[:, :3] = -1
    assert Evaluator(real, features="faed")(clear).faed.value != scores.faed.value


def test_a_grid_shows_transparent_images_on_a_checkerboard():
    images = torch.full((1, 4, 16, 16), -1.0)
    images[:, 0, 8:], images[:, 3, 8:] = 1, 1  # the lower half is red
    sheet = np.asarray(image_grid(images, scale=1).picture)[:16, :16]
    assert {tuple(pixel) for pixel in sheet[:8].reshape(-1, 4)} == {(255, 255, 255, 255), (204, 204, 204, 255)}
    assert (sheet[8:] == (255, 0, 0, 255)).all()


def test_colour_that_does_not_fit_the_data_is_named(folder):
    with pytest.raises(ParameterError, match="rendered images are grey"):
        ParticlesSagan(colour="rgba")
    with pytest.raises(ParameterError, match=r"for a folder or an \.npz of images, and digits is none"):
        Schedules(colour="rgba")
    assert ParticlesSagan(data=str(folder), colour="rgba").channels == 4 and Schedules(data=str(folder)).channels == 3
    assert ParticlesSagan().hash == ParticlesSagan(colour="grey").hash
