"""One rank needs no others; two are tested in `tests/training/test_ranks.py`."""

from __future__ import annotations

import torch

from gannb import distributed


def test_alone_nothing_is_waited_for(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    value = object()
    assert (distributed.rank(), distributed.ranks()) == (0, 1)
    assert distributed.share(value) is value
    gradient = torch.arange(3.0)
    distributed.average_([gradient])
    assert gradient.tolist() == [0, 1, 2]
    assert not torch.distributed.is_initialized()


def test_who_am_i_comes_from_torchrun(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert (distributed.rank(), distributed.ranks()) == (1, 2)
