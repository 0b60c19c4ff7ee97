"""Controllers: the document's size, where they start, and what they remember."""

from __future__ import annotations

import pytest
import torch

from gannb.experiments.schedules.meta.controller import LIMIT, LSTMController, MetaController
from gannb.random import seeded


def count(network):
    return sum(p.numel() for p in network.parameters())


def test_the_mlp_is_the_documents():
    """5 → 128 → 64 → 3; the document's state with one gradient norm, 4 features, has 9,091 weights (S7)."""
    assert count(MetaController(4, 3)) == 4 * 128 + 128 + 128 * 64 + 64 + 64 * 3 + 3 == 9091
    assert [tuple(p.shape) for p in MetaController(5, 3).parameters()][::2] == [(128, 5), (64, 128), (3, 64)]


@pytest.mark.parametrize("kind", [MetaController, LSTMController])
def test_it_starts_where_it_is_told_whatever_the_state(kind):
    with seeded("start"):
        controller = kind(5, 3, start=[1.0, 0.5, 0.1])
    for state in (torch.zeros(5), torch.full((5,), 3.0), torch.tensor([-3.0, 3, -3, 3, -3])):
        shares = controller(state)[0].sigmoid()
        edge = torch.tensor(LIMIT).sigmoid()
        assert torch.allclose(shares, torch.stack([edge, torch.tensor(0.5), torch.tensor(0.1)]), atol=0.06)


def test_an_lstm_remembers_and_an_mlp_does_not():
    with seeded("memory"):
        lstm, mlp = LSTMController(2, 1), MetaController(2, 1)
    state = torch.tensor([1.0, -1.0])
    for controller, remembers in ((lstm, True), (mlp, False)):
        first, memory = controller(state)
        again, _ = controller(state, memory)
        assert (not torch.equal(first, again)) == remembers


def test_shares_for_other_numbers_are_refused():
    with pytest.raises(ValueError, match="2 shares to start from for 3 numbers"):
        MetaController(5, 3, start=[0.5, 0.5])
