"""Grids: each image where it belongs, pixel for pixel, in a small PNG."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from gannb.figures.grids import growing_grid, image_grid


def opened(grid) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(grid.png)))


def test_every_image_stands_in_its_place_with_its_values():
    images = torch.linspace(-1, 1, 6).view(6, 1, 1, 1).expand(6, 1, 64, 64)
    sheet = opened(image_grid(images, columns=3))
    expected = np.round((np.linspace(-1, 1, 6) + 1) * 127.5)
    for index, value in enumerate(expected):
        row, column = divmod(index, 3)
        assert sheet[row * 66 + 32, column * 66 + 32].tolist() == [value, 255]
    assert sheet[64, 0, 1] == 0, "between the images the page shows through"


def test_colour_images_and_arrays_are_taken_too():
    images = np.zeros((2, 3, 64, 64), dtype=np.float32)
    images[0, 0] = 1
    sheet = opened(image_grid(images))
    assert sheet[10, 10].tolist() == [255, 128, 128, 255]


def test_small_images_are_enlarged_without_smoothing():
    checks = torch.tensor([[[[-1.0, 1.0], [1.0, -1.0]]]])
    grid = image_grid(checks)
    assert grid.scale == 32
    assert set(np.unique(opened(grid)[:64, :64, 0])) == {0, 255}


def test_values_outside_are_clipped_and_broken_images_counted():
    images = torch.full((2, 1, 64, 64), 7.0)
    images[1, 0, 3, 3] = float("nan")
    grid = image_grid(images, caption="fakes")
    assert opened(grid)[5, 5, 0] == 255
    assert grid.caption == "fakes (1 not finite)"


def test_the_notebook_gets_a_png_with_a_text_and_no_html():
    data, extra = image_grid(torch.zeros(4, 1, 64, 64), columns=2, caption="real")._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert data["text/plain"] == "4 grey images 64×64, 2 per row: real"
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).size == (
        extra["image/png"]["width"],
        extra["image/png"]["height"],
    )


def test_a_grid_of_forty_smooth_images_stays_small():
    x = torch.linspace(-1, 1, 64)
    images = (x[None, :, None] * x[None, None, :]).expand(40, 1, 64, 64)
    assert len(image_grid(images).png) < 30_000


def test_labels_and_caption_are_drawn():
    images = torch.zeros(4, 1, 64, 64)
    plain, told = image_grid(images, 2), image_grid(images, 2, rows=["step 10", "step 20"], caption="growing")
    assert told.picture.width > plain.picture.width
    assert told.picture.height > plain.picture.height
    left = np.asarray(told.picture)[: 2 * 66, : told.picture.width - 2 * 66]
    assert left[..., 1].any(), "the margin holds the labels"


def test_a_title_is_drawn_within_its_image_and_leaves_the_rest_as_it_was():
    grid = image_grid(torch.zeros(2, 1, 64, 64), 2)
    titled = opened(replace(grid, titles=["", "b"])).astype(int)
    changed = np.argwhere((titled != opened(grid)).any(axis=-1))
    assert len(changed) and changed[:, 0].max() < 30 and changed[:, 1].min() > 66, "the corner of the second image"


def test_growing_shows_moments_in_order_with_the_same_latents_below_each_other():
    assert growing_grid({3: torch.zeros(1, 1, 8, 8)}, unit="epoch").rows == ("epoch 3",)
    grid = growing_grid({20: torch.ones(5, 1, 64, 64), 3: -torch.ones(5, 1, 64, 64)}, each=4)
    assert tuple(grid.rows) == ("3", "20")
    assert grid.columns == 4
    assert grid.pixels[:4].max() == 0
    assert grid.pixels[4:].min() == 255


def test_what_cannot_be_shown_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"\(64, 64\)"):
        image_grid(torch.zeros(64, 64))
    with pytest.raises(ValueError, match="1 row labels for 2 rows"):
        image_grid(torch.zeros(4, 1, 8, 8), 2, rows=["a"])
    with pytest.raises(ValueError, match="history is empty"):
        growing_grid({})
    with pytest.raises(ValueError, match="different numbers"):
        growing_grid({1: torch.zeros(2, 1, 8, 8), 2: torch.zeros(3, 1, 8, 8)})
    saved = image_grid(torch.zeros(1, 1, 8, 8)).save(tmp_path / "deep" / "x.png")
    assert Image.open(saved).size[1] >= 64
