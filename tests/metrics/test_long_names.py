"""Scores in words."""

import pytest

from gannb.metrics.long_names import long_name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("faed", "Fréchet distance on autoencoder features"),
        ("fid_500_all", "Fréchet inception distance of 500 against all real images"),
        ("fd_digits_40_all", "Fréchet distance on digit classifier features of 40 against all real images"),
        ("fgd_over_floor", "Fréchet gesture distance over its floor (1 is perfect)"),
        ("kid_resnet56", "kernel distance on resnet56 features"),
        ("improvement_0_15", "gain in cosine similarity at 0–15°"),
        ("tar_at_far_0_01", "true acceptance at 0.01 false acceptance"),
        ("tar_at_far_0_1_raw", "true acceptance at 0.1 false acceptance, raw features"),
        ("l1div_share", "distance of poses from their mean, over real"),
        ("D/loss", "D loss"),
        ("no_such_score", "no such score"),
    ],
)
def test_a_score_in_words(name: str, words: str) -> None:
    assert long_name(name) == words
