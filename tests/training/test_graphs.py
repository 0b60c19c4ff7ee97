"""Graphs share memory, and a capture that fails is ended properly: on a model of torch's allocator and streams."""

from __future__ import annotations

import itertools
import weakref
from types import SimpleNamespace

import pytest
import torch

from gannb.training import graphs
from gannb.training.graphs import GraphMemory

SIDE, HERE = (SimpleNamespace(device=SimpleNamespace(index=0), name=name) for name in ("side", "here"))


class Card:
    """What torch keeps of captures: users of each pool, pools that take allocations, the stream, the generator."""

    def __init__(self):
        self.users, self.open, self.stream, self.generator_captures = {}, set(), HERE, False
        self.handles = itertools.count(1)

    def handle(self):
        return 0, next(self.handles)

    def end(self, index, pool):
        if pool not in self.open:
            raise RuntimeError("endAllocatePool: not currently recording to mempool_id")
        self.open.remove(pool)

    def release(self, index, pool):
        self.users[pool] -= 1

    def set_stream(self, stream):
        self.stream = stream


@pytest.fixture
def card(monkeypatch):
    card = Card()

    class Graph:
        def pool(self):
            return self.id

        def replay(self):
            pass

    class Capture:
        def __init__(self, graph, pool=None, stream=None, capture_error_mode=""):
            self.graph, self.pool = graph, pool or (card.handle()[1], 0)

        def __enter__(self):
            assert self.pool not in card.open, "beginAllocateToPool: already recording to mempool_id"
            assert card.users.get(self.pool, 1) > 0, "a pool whose graphs are gone"
            card.users[self.pool] = card.users.get(self.pool, 0) + 1
            card.open.add(self.pool)
            self.before, card.stream, card.generator_captures = card.stream, SIDE, True

        def __exit__(self, kind, error, traceback):
            if kind:  # everything stays as it is
                raise RuntimeError("operation failed due to a previous error during capture")
            card.end(0, self.pool)
            card.stream, card.generator_captures = self.before, False
            self.graph.id = self.pool
            weakref.finalize(self.graph, card.release, 0, self.pool)

    fakes = {"CUDAGraph": Graph, "graph": Capture, "graph_pool_handle": card.handle, "set_stream": card.set_stream}
    fakes |= {"current_stream": lambda device: card.stream, "synchronize": lambda device: None}
    fakes["memory_snapshot"] = lambda: [
        {"segment_pool_id": list(pool), "total_size": 100 + n} for n, pool in enumerate([(0, 0), *card.users])
    ]
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", card.end, raising=False)
    monkeypatch.setattr(torch._C, "_cuda_releasePool", card.release, raising=False)
    monkeypatch.setattr(graphs, "_side_stream", lambda device: SIDE)
    monkeypatch.setattr(graphs, "_FAILED", [])
    return card


def test_graphs_share_a_pool_as_long_as_one_of_them_is_there(card):
    memory = GraphMemory(torch.device("cpu"))
    assert memory.reserved() == 0
    one, two = (memory.capture(lambda: torch.ones(2)) for _ in range(2))
    assert card.users == {(0, 1): 2} and memory.reserved() == 101
    first, second = one(), one()
    assert first.tolist() == [1.0, 1.0] and first is not second
    del one, two
    assert card.users == {(0, 1): 0} and memory.reserved() == 0
    kept = memory.capture(lambda: torch.ones(2))
    assert card.users == {(0, 1): 0, (0, 2): 1} and memory.reserved() == 102
    assert kept().tolist() == [1.0, 1.0]


def fail():
    raise RuntimeError("operation not permitted when stream is capturing")


def test_after_a_capture_that_fails_the_process_goes_on(card):
    memory = GraphMemory(torch.device("cpu"))
    kept = memory.capture(lambda: torch.ones(2))
    with pytest.raises(RuntimeError, match="previous error") as raised:
        memory.capture(fail)
    assert "not permitted" in str(raised.value.__context__)
    assert card.stream is HERE and not card.generator_captures and card.open == set()
    assert card.users[0, 1] == 1, "that of the graph that is kept"
    other = memory.capture(lambda: torch.zeros(2))
    assert kept().tolist() == [1.0, 1.0] and other().tolist() == [0.0, 0.0]
