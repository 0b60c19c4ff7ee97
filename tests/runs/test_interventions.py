"""The write-ahead log: sealed line by line, readable as YAML, whole after a kill."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.control.commands import ACTIONS, Command
from gannb.runs.interventions import AlteredLog, Interventions, read

HEAD = {"experiment": "toy", "settings": {"lr": 1e-05, "name": "ünï: #", "none": None}, "data": "00123e4"}
NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53))


def commands():
    steps, names = st.integers(0, 10**6), st.text(max_size=8)
    moves = st.builds(Command, st.just("move"), names, NUMBERS, step=steps)
    return st.one_of(moves, st.builds(Command, st.sampled_from([a for a in ACTIONS if a != "move"]), names, step=steps))


@settings(max_examples=40, deadline=None)
@given(st.lists(commands(), max_size=6))
def test_what_is_written_is_read_to_the_bit(tmp_path_factory, given):
    """Small numbers too: YAML 1.1 takes 1e-05 for a string."""
    path = tmp_path_factory.mktemp("log") / "interventions.yaml"
    log = Interventions(path, HEAD)
    for command in given:
        log.write(command)
    head, again = read(path)
    assert head == HEAD
    assert again == given
    assert [type(c.value) for c in again] == [type(c.value) for c in given]


def logged(tmp_path):
    log = Interventions(tmp_path / "interventions.yaml", HEAD)
    for step in (3, 5, 8):
        log.write(Command("move", "lr", step / 1000, step=step))
    return log.path


def test_it_is_plain_yaml_for_a_person(tmp_path):
    shown = yaml.safe_load(logged(tmp_path).read_text())
    assert [row["step"] for row in shown["commands"]] == [3, 5, 8]
    assert logged(tmp_path).read_text().startswith("# What a person did to this run.")


def test_every_change_of_a_sealed_line_is_noticed(tmp_path):
    path = logged(tmp_path)
    text = path.read_text()
    first = text.index("commands:\n") + len("commands:\n")
    noticed = 0
    for at in range(first, len(text)):
        if text[at] in "0123456789" and text[at - 1] not in "x":
            path.write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])
            with pytest.raises((AlteredLog, ValueError)):
                read(path)
            noticed += 1
    assert noticed > 20


def test_a_line_that_a_kill_cut_short_was_never_applied(tmp_path):
    path = logged(tmp_path)
    path.write_bytes(path.read_bytes() + b'- {"do": "move", "na')
    log = Interventions(path, HEAD)
    assert len(log.commands) == 3
    log.write(Command("pause", step=9))
    assert [c.step for c in read(path)[1]] == [3, 5, 8, 9]


def test_lines_written_by_hand_are_accepted_and_checked(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("commands:\n- {do: move, name: lr, value: 1e-4, step: 10}\n- {do: stop, step: 20}\n")
    assert read(path)[1] == [Command("move", "lr", 1e-4, step=10), Command("stop", step=20)]
    for line, fault in {
        "- {do: mvoe, name: lr, value: 1, step: 3}": "command 1 is not one: a command 'mvoe'",
        "- {do: move, name: lr, value: much, step: 3}": "needs a finite number",
        "- {do: stop, when: 3}": "unexpected keyword argument 'when'",
        "- stop": "command 1 is not one: 'stop'",
    }.items():
        path.write_text(f"commands:\n{line}\n")
        with pytest.raises(ValueError, match=fault):
            read(path)


def test_what_is_no_log_is_said(tmp_path):
    path = tmp_path / "x.yaml"
    with pytest.raises(FileNotFoundError, match="no log of interventions"):
        read(path)
    for text, fault in {
        "a: 1\n": "has no `commands`",
        "layout: 7\ncommands:\n": "layout 7",
        "a: [\n": "not readable",
    }.items():
        path.write_text(text)
        with pytest.raises(ValueError, match=fault):
            read(path)
