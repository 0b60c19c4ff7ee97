"""The classifier score against torch-fidelity and its closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.metrics.inception_score import ClassifierScore, classifier_score


def logits(n, classes, seed):
    return torch.randn(n, classes, generator=torch.Generator().manual_seed(seed)) * 2


@pytest.mark.parametrize("n", [100, 103])
def test_equals_torch_fidelity(n):
    from torch_fidelity.metric_isc import isc_features_to_metric

    theirs = isc_features_to_metric(logits(n, 20, 1), splits=10, shuffle=True, rng_seed=2020)
    assert classifier_score(logits(n, 20, 1)) == pytest.approx(tuple(theirs.values()), rel=1e-4)


def test_sure_and_evenly_spread_gives_the_number_of_classes():
    sure = 1000 * torch.eye(5).repeat(40, 1)
    assert classifier_score(sure, splits=1)[0] == pytest.approx(5)


def test_collapse_and_indifference_give_one():
    assert classifier_score(1000 * torch.eye(5)[:1].repeat(50, 1))[0] == pytest.approx(1)
    assert classifier_score(torch.zeros(50, 5))[0] == pytest.approx(1)


@settings(max_examples=20, deadline=None)
@given(st.integers(10, 60), st.integers(2, 8), st.integers(1, 60), st.integers(0, 10**6))
def test_streaming_equals_at_once_and_stays_in_range(n, classes, batch, seed):
    whole = classifier_score(logits(n, classes, seed))
    score = ClassifierScore(n)
    for part in logits(n, classes, seed).split(batch):
        score.add(part)
    assert score.value() == pytest.approx(whole, rel=1e-9)
    assert 1 - 1e-9 <= whole[0] <= classes + 1e-9 and math.isfinite(whole[1])


def test_too_few_or_missing_images():
    with pytest.raises(ValueError, match="10 splits need as many images; found 9"):
        classifier_score(torch.zeros(9, 3))
    score = ClassifierScore(20)
    score.add(torch.zeros(15, 3))
    with pytest.raises(ValueError, match="20 images were announced, 15 came"):
        score.value()
