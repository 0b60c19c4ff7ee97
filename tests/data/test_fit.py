"""Pictures of any size become images of any other: cropped, padded or resized, nothing distorted."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gannb.config.image_formats import FITS, middle, sides
from gannb.data.images import NoUsableImages, read_images

SIDES = st.integers(8, 72)


def save(folder: Path, array: np.ndarray, name: str = "picture.png") -> Path:
    Image.fromarray(array).save(folder / name)
    return folder


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES), st.sampled_from(FITS), st.sampled_from([1, 3, 4]), st.booleans()
)
def test_every_picture_becomes_an_image_of_the_size_that_is_wanted(picture, size, fit, channels, colour):
    values = np.random.default_rng(0).integers(0, 256, (*picture, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), values if colour else values[..., 0])
        if fit == "crop" and (picture[0] < size[0] or picture[1] < size[1]):
            with pytest.raises(NoUsableImages, match=f"smaller than {size[1]}×{size[0]}"):
                read_images(folder, size, channels=channels, fit=fit)
            return
        pixels = read_images(folder, size, channels=channels, fit=fit).pixels
    assert pixels.shape[1:] == (channels, *size) and pixels.isfinite().all() and pixels.abs().max() <= 1
    if fit == "crop" and channels >= 3 and colour:
        stored = ((pixels[:, :3] + 1) * 127.5).round().numpy().astype(np.uint8).transpose(0, 2, 3, 1)
        rows, columns = np.lib.stride_tricks.sliding_window_view(values, (*size, 3)).shape[:2]
        places = [values[i : i + size[0], j : j + size[1]] for i in range(rows) for j in range(columns)]
        assert all(any(np.array_equal(one, place) for place in places) for one in stored), "pixels as they are"


@given(st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES))
def test_the_middle_part_is_the_largest_of_its_proportions(picture, size):
    tall, wide = middle(picture, size)
    assert tall <= picture[0] and wide <= picture[1] and (tall, wide)[tall < picture[0]] <= max(picture)
    assert tall == picture[0] or wide == picture[1]
    assert abs(tall * size[1] - wide * size[0]) <= max(size), "within a pixel of the proportions"
    assert middle(picture, 32) == (min(picture),) * 2 and sides(32) == (32, 32)


def test_padding_keeps_the_whole_picture_in_its_proportions(tmp_path):
    wide = np.full((20, 80, 3), 200, dtype=np.uint8)
    wide[5:15, 30:50] = 0
    image = read_images(save(tmp_path, wide), (40, 40), channels=3, fit="pad").pixels[0]
    grey = 200 / 127.5 - 1
    np.testing.assert_allclose(image[:, :15], grey, atol=1e-5, err_msg="above: the mean colour of the edge")
    np.testing.assert_allclose(image[:, 25:], grey, atol=1e-5)
    assert (image[0, 18:22, 17:23] < -0.9).all(), "the middle is where it was, half as large"
    assert (image[0, 15:25, :12] > 0.5).all() and (image[0, 15:25, -12:] > 0.5).all()


def test_the_colour_around_a_padded_picture_is_that_of_its_own_edge(tmp_path):
    for level in (0, 90, 255):
        save(tmp_path, np.full((30, 10), level, dtype=np.uint8), f"{level}.png")
    images = read_images(tmp_path, 24, fit="pad").pixels
    for image, level in zip(images, (0, 90, 255)):
        np.testing.assert_allclose(image, level / 127.5 - 1, atol=1e-5)


def test_one_crop_of_each_picture_is_its_middle(tmp_path):
    ramp = np.add.outer(np.arange(60), np.arange(90)).astype(np.uint8)
    images = read_images(save(tmp_path, ramp), (20, 40), fit="crop", cropped=0)
    assert images.names == ("picture.png",)
    assert np.array_equal(((images.pixels[0, 0] + 1) * 127.5).round(), ramp[20:40, 25:65])
