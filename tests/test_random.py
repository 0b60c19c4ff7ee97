"""Randomness by address: the same address the same numbers, over ranks too, and the global generator left alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gannb.random import Draws, generator, key, seeded


@given(st.integers(0, 2**40), st.integers(0, 10**6), st.sampled_from(["z", "noise", "mix"]))
def test_an_address_is_a_number_of_32_bits_and_always_the_same(seed, step, stream):
    assert key(stream, seed, step) == key(stream, seed, step)
    assert 0 <= key(stream, seed, step) < 2**32


def test_a_cpu_generator_keeps_32_bits_of_a_seed_so_the_address_is_hashed():
    """What `(seed << 32) | step` would do: all seeds alike. If torch changes that, the hash is still right."""
    shifted = [torch.rand(3, generator=torch.Generator().manual_seed((seed << 32) | 5)) for seed in (1, 2)]
    assert torch.equal(*shifted)
    hashed = [torch.rand(3, generator=generator("z", seed, 5)) for seed in (1, 2)]
    assert not torch.equal(*hashed)


def test_neighbouring_addresses_give_unlike_numbers():
    draws = torch.stack([Draws(seed, step).randn("z", 256) for seed in range(4) for step in range(8)])
    correlation = torch.corrcoef(draws) - torch.eye(len(draws))
    assert correlation.abs().max() < 0.3
    assert abs(float(draws.mean())) < 0.05 and float(draws.std()) == pytest.approx(1, abs=0.05)


def test_step_turn_seed_and_stream_all_count():
    base = Draws(0, 1, 2).rand("a", 4)
    for other in (Draws(1, 1, 2).rand("a", 4), Draws(0, 2, 2).rand("a", 4), Draws(0, 1, 3).rand("a", 4)):
        assert not torch.equal(base, other)
    assert not torch.equal(base, Draws(0, 1, 2).rand("b", 4))
    assert torch.equal(base, Draws(0, 1, 2).rand("a", 4))


def test_a_second_draw_of_a_stream_is_another_one_and_streams_do_not_mix():
    draws = Draws(0, 0)
    first, _, second = draws.randn("z", 4), draws.randn("noise", 4), draws.randn("z", 4)
    assert not torch.equal(first, second)
    again = Draws(0, 0)
    assert torch.equal(first, again.randn("z", 4)) and torch.equal(second, again.randn("z", 4))


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_the_draws_of_one(ranks):
    whole = Draws(7, 3)
    parts = [Draws(7, 3, rank=r, ranks=ranks) for r in range(ranks)]
    n = 6 // ranks
    assert torch.equal(whole.randn("z", 6, 2), torch.cat([p.randn("z", n, 2) for p in parts]))
    assert torch.equal(whole.rand("u", 6), torch.cat([p.rand("u", n) for p in parts]))
    drawn = whole.randint("i", 6, 2, low=3, high=9)
    assert torch.equal(drawn, torch.cat([p.randint("i", n, 2, low=3, high=9) for p in parts]))
    assert drawn.min() >= 3 and drawn.max() < 9


def test_nothing_touches_the_global_generator():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    Draws(0, 0).randn("z", 5)
    with seeded(0, "G"):
        inside = torch.rand(3)
    with pytest.raises(RuntimeError), seeded(0, "G"):
        torch.rand(1)
        raise RuntimeError
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(0, "G"):
        assert torch.equal(torch.rand(3), inside)


def test_seeding_is_no_call_that_piles_up(monkeypatch):
    """torch.manual_seed keeps a stack trace a call while CUDA is built in and not started: 1 ms, twice a step."""
    monkeypatch.setattr(torch, "manual_seed", None)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    with seeded(0, "dropout"):
        torch.rand(1)


def test_initial_weights_are_a_function_of_their_name():
    def weights(*address):
        with seeded(*address):
            return torch.nn.Linear(3, 3).weight

    torch.rand(5)
    assert torch.equal(weights(0, "G"), weights(0, "G"))
    assert not torch.equal(weights(0, "G"), weights(0, "D"))
