"""A fitted classifier tells the classes of images it did not learn from, and its features judge them."""

from __future__ import annotations

import pytest
import torch

from gannb.experiments.schedules.classifier import WIDTH, accuracy, fitted_classifier
from gannb.experiments.schedules.image_splits import load
from gannb.metrics.evaluator import Evaluator


@pytest.fixture(scope="module")
def digits():
    return load(size=16)


@pytest.fixture(scope="module")
def extractor(digits):
    return fitted_classifier(digits.train.pixels, digits.classes["train"], "digits")


def test_it_tells_digits_that_it_did_not_learn_from(digits, extractor):
    assert accuracy(extractor, digits.test.pixels, digits.classes["test"]) > 0.93
    assert extractor(digits.test.pixels[:5]).features.shape == (5, WIDTH)


def test_it_tells_good_images_from_spoilt_ones(digits, extractor):
    judge = Evaluator(digits.test.pixels, digits.train.pixels, extractor)
    whole = digits.validation.pixels
    noisy = (whole + 0.7 * torch.randn(whole.shape, generator=torch.Generator().manual_seed(0))).clamp(-1, 1)
    one_class = digits.train.pixels[digits.classes["train"] == 3]
    good, spoilt, collapsed = (judge(images) for images in (whole, noisy, one_class))
    for name in ("fd_digits", "kid_digits"):
        assert float(good[name]) < 0.3 * float(spoilt[name]) and float(good[name]) < 0.3 * float(collapsed[name])
    assert float(good["classifier_score"]) > 6 > 1.5 > float(collapsed["classifier_score"])
    assert float(good["kid_digits"]) < 0.05 < float(spoilt["kid_digits"])


def test_one_channel_is_taken_as_it_is(digits, extractor):
    scores = Evaluator(digits.test.pixels, digits.train.pixels, extractor)(digits.validation.pixels)
    assert not any("repeated" in note for note in scores.notes)
    assert "channels" not in scores["fd_digits"].protocol


def test_it_is_kept_and_the_same(digits, extractor):
    again = fitted_classifier(digits.train.pixels, digits.classes["train"], "digits")
    assert again.fingerprint == extractor.fingerprint
    other = fitted_classifier(digits.train.pixels, digits.classes["train"], "digits", steps=3, seed=1)
    assert other.fingerprint != extractor.fingerprint


def test_what_cannot_be_is_said(digits):
    with pytest.raises(ValueError, match="5 classes up to"):
        fitted_classifier(digits.train.pixels, digits.classes["train"][:5], "digits")
    with pytest.raises(ValueError, match="wanted"):
        fitted_classifier(digits.train.pixels[:5], torch.zeros(5, dtype=torch.long), "digits")
