"""InfoNCE at its bounds, against a transcription, and what it asks of an embedding."""

import math

import pytest
import torch

from gannb.experiments.motion.contrastive import info_nce, likeness, told_apart
from gannb.random import generator


def draw(*shape: int, name: str = "x") -> torch.Tensor:
    return torch.randn(*shape, generator=generator("contrast", name, *shape), dtype=torch.float64)


def test_nothing_can_be_told_where_all_are_alike():
    same = torch.ones(7, 3)
    assert info_nce(same, same).item() == pytest.approx(math.log(7))


def test_all_is_certain_where_partners_alone_agree():
    assert info_nce(torch.eye(5), torch.eye(5), 0.01).item() == pytest.approx(0.0, abs=1e-6)
    assert info_nce(torch.eye(5), torch.eye(5).roll(1, 0), 0.01).item() == pytest.approx(100.0)


def test_orthogonal_pairs_have_the_closed_form():
    """Cosine 1 to the partner and 0 to the N - 1 others."""
    n, t = 6, 0.5
    expected = math.log(1 + (n - 1) * math.exp(-1 / t))
    assert info_nce(torch.eye(n), torch.eye(n), t).item() == pytest.approx(expected)


def test_it_is_what_the_formula_says():
    one, other, t = draw(5, 4), draw(5, 4, name="y"), 0.3
    cosine = lambda i, j: (one[i] @ other[j] / one[i].norm() / other[j].norm()).item()  # noqa: E731
    total = 0.0
    for i in range(5):
        across = sum(math.exp(cosine(i, j) / t) for j in range(5))
        down = sum(math.exp(cosine(j, i) / t) for j in range(5))
        total -= math.log(math.exp(cosine(i, i) / t) / across) + math.log(math.exp(cosine(i, i) / t) / down)
    assert info_nce(one, other, t).item() == pytest.approx(total / 10)


def test_lengths_and_common_order_do_not_matter():
    one, other, order = draw(6, 3), draw(6, 3, name="y"), torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(info_nce(5 * one, 0.1 * other), info_nce(one, other))
    torch.testing.assert_close(info_nce(one[order], other[order]), info_nce(one, other))


def test_going_down_it_brings_partners_together():
    one, other = draw(6, 3).requires_grad_(), draw(6, 3, name="y")
    before = told_apart(one, other)
    optimiser = torch.optim.Adam([one], 0.1)
    for _ in range(60):
        optimiser.zero_grad()
        info_nce(one, other).backward()
        optimiser.step()
    assert told_apart(one, other) == 1 > before
    assert likeness(one, other).diag().mean() > 0.8


@pytest.mark.parametrize(("one", "other"), [((4, 3), (5, 3)), ((1, 3), (1, 3)), ((4, 3, 1), (4, 3, 1))])
def test_what_is_no_table_of_pairs_is_refused(one, other):
    with pytest.raises(ValueError, match="at least 2"):
        info_nce(torch.ones(one), torch.ones(other))
