"""Where a run is carried out, and when two may be expected to agree."""

from __future__ import annotations

import pytest
import torch

from gannb.runs import environment


def test_what_must_be_equal_for_bits_to_be():
    here = environment.describe(torch.device("cpu"))
    assert environment.differences(here, here) == []
    other = here | {"threads": here["threads"] + 1, "torch": "1.0", "python": "3.0"}
    assert environment.differences(other, here) == [
        f"torch: 1.0 there, {here['torch']} here",
        f"threads: {here['threads'] + 1} there, {here['threads']} here",
    ]
    assert environment.differences({}, here) == [], "a log written by hand says nothing of its environment"


def test_cuda_needs_its_deterministic_mode():
    here = environment.describe(torch.device("cpu")) | {"device": "some card"}
    assert "deterministic: true" in environment.differences(here | {"deterministic": True}, here)[0]
    both = here | {"deterministic": True}
    assert environment.differences(both, both) == []


def test_preparing(monkeypatch):
    before = torch.get_num_threads()
    assert environment.prepare("cpu", threads=1) == torch.device("cpu") and torch.get_num_threads() == 1
    environment.prepare("cpu", deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    environment.prepare("cpu")
    assert not torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(before)
    with pytest.raises(ValueError, match="device: given 'tpu'"):
        environment.prepare("tpu")


def test_memory_is_measured():
    assert environment.peak_memory(torch.device("cpu")) > 50e6
