"""Commands and the inbox where they wait."""

from __future__ import annotations

import math
import threading

import pytest

from gannb.control.commands import Command, Inbox


@pytest.mark.parametrize("value", [None, "0.5", math.nan, math.inf, True])
def test_a_move_needs_a_finite_number(value):
    with pytest.raises(ValueError, match="a move of 'lr' needs a finite number"):
        Command("move", "lr", value)


def test_unknown_commands_and_steps_are_refused():
    with pytest.raises(ValueError, match="'paws' is not known; allowed: move, hold"):
        Command("paws")
    with pytest.raises(ValueError, match="the step of a command is a whole number"):
        Command("pause", step="12")


def test_a_row_leaves_out_what_is_empty_and_keeps_zero():
    assert Command("move", "x", 0.0, step=0).row() == {
        "do": "move",
        "name": "x",
        "value": 0.0,
        "by": "person",
        "step": 0,
    }
    assert Command(**Command("pause", step=3).row()) == Command("pause", step=3)


def test_many_threads_put_and_none_is_lost():
    inbox, taken = Inbox(), []
    threads = [
        threading.Thread(target=lambda t=t: [inbox.put(Command("move", f"{t}", i)) for i in range(200)])
        for t in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += inbox.take()
    taken += inbox.take()
    assert len(taken) == 800
    for t in range(4):
        assert [c.value for c in taken if c.name == f"{t}"] == list(range(200)), "in the order they were put"


def test_waiting_ends_when_a_command_comes():
    inbox = Inbox()
    assert not inbox.wait(0.01)
    threading.Timer(0.05, inbox.put, [Command("resume")]).start()
    assert inbox.wait(5)
    assert inbox.take() == [Command("resume")] and not inbox.wait(0)
