"""Splits of images of every format, and the feature space that is fitted to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gannb.experiments.schedules.classifier import accuracy, extractor_for
from gannb.experiments.schedules.image_splits import load
from gannb.metrics.evaluator import Evaluator


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 12 pictures of 40×50 pixels: opaque above, or below."""
    rng = np.random.default_rng(0)
    for name, part in (("above", slice(0, 20)), ("below", slice(20, 40))):
        (tmp_path / name).mkdir()
        for i in range(12):
            image = rng.integers(0, 100, (40, 50, 4), dtype=np.uint8)
            image[..., 3] = 0
            image[part, :, 3] = 255
            Image.fromarray(image).save(tmp_path / name / f"{i}.png")
    return tmp_path


@pytest.mark.parametrize("fit", ["crop", "pad", "resize"])
def test_a_folder_is_split_in_the_format_that_is_wanted(folder: Path, fit: str) -> None:
    images = load(str(folder), (24, 48), channels=4, fit=fit, conditional=True)
    parts = images.train, images.validation, images.test
    assert [part.pixels.shape[1:] for part in parts] == [(4, 24, 48)] * 3 and images.channels == 4
    assert sum(len(part) for part in parts) == 24, "no picture lies in two parts"
    assert {name.rpartition("#")[0] for part in parts for name in part.names} == {""}


def test_a_classifier_of_transparent_images_is_fitted_to_what_is_seen_on_white(folder: Path) -> None:
    images = load(str(folder), (24, 48), channels=4, conditional=True)
    extractor = extractor_for("fitted", images)
    assert accuracy(extractor, images.test.pixels, images.classes["test"]) == 1
    assert extractor.resize.startswith("bilinear to 24×48") and extractor.channels == 3
    scores = Evaluator(images.test.pixels, images.train.pixels, extractor)(images.train.pixels)
    assert scores[extractor.frechet_name].available


@pytest.mark.parametrize("size", [(16, 32), (32, 16), 20])
def test_data_sets_by_name_give_their_middle_undistorted(size: tuple[int, int] | int) -> None:
    shape = (size, size) if isinstance(size, int) else size
    assert load("rendered", size).train.pixels.shape[1:] == (1, *shape)
    digits = load("digits", size).train.pixels
    assert digits.shape[1:] == (1, *shape)
    square = load("digits", max(shape)).train.pixels
    top, left = ((max(shape) - side) // 2 for side in shape)
    middle = square[:, :, top : top + shape[0], left : left + shape[1]]
    assert torch.corrcoef(torch.stack([digits.flatten(), middle.flatten()]))[0, 1] > 0.9
