"""Random sessions of steering: whatever a person does, a replay and a resume end in the same bits."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gannb.control.alarms import Explodes, Lasting
from gannb.control.commands import Command
from gannb.runs.folder import RunError
from gannb.runs.interventions import AlteredLog
from gannb.training.checkpoint import CheckpointError
from gannb.training.interrupt import Paused
from tests.training import regimes
from tests.training.regimes import balance, open_run

STEPS = 24


pytestmark = pytest.mark.usefixtures("one_thread")


def make(run):
    """The regime with the most moving parts: skipped players, rules that move numbers, a best that is kept, alarms."""
    trainer = balance(run)
    trainer.checkpoint_every, trainer.record_every = 6, 4
    trainer.alarms = [
        Explodes("G/grad_norm", factor=2, window=4, patience=1, action="rollback", changes={"lr": 0.7}),
        Lasting("high", lambda seen: seen.get("D/loss", 0) > 0.9, "D's loss is high", action="pause"),
    ]
    trainer.every(steps=5, do=lambda t: t.keep_best("toy", t.recorder.last.get("G/loss", 1.0)) and None)
    return trainer


def commands():
    names = st.sampled_from(["real_label", "lr", "lr_d_scale", "d_turns", "g_turns", "no_such"])
    values = st.sampled_from([0.0, 1e-5, 3e-3, 0.05, 0.3, 0.7, 1.0, 2.0, 3.0, -1.0, 1e9])
    places = st.sampled_from(["best", "last", "0", "6", "12", "7"])
    return st.one_of(
        st.builds(Command, st.just("move"), names, values),
        st.builds(Command, st.sampled_from(["hold", "release"]), names),
        st.builds(Command, st.just("rollback"), places),
        st.builds(Command, st.sampled_from(["pause", "stop", "checkpoint", "step", "resume"])),
    )


SESSIONS = st.lists(st.tuples(st.integers(0, STEPS - 1), commands()), max_size=8)


def conduct(trainer, session=(), keep=None, steps=STEPS):
    """Train to a step, with these commands at their steps, going on whenever the run ended early."""
    waiting = sorted(session, key=lambda entry: entry[0])

    def person(trainer):
        while waiting and waiting[0][0] <= trainer.step:
            trainer.session.inbox.put(waiting.pop(0)[1])

    trainer.watchers.append(person)
    if keep:
        trainer.watchers.append(keep)
    for _ in range(40):
        try:
            trainer.fit(steps=steps)
        except Paused:
            continue
        if trainer.step == steps:
            return trainer
    raise AssertionError("it does not come to its end")


def end(trainer):
    """Everything that a run leaves: players, numbers, rules."""
    return trainer.weights(), trainer.numbers.state_dict()


@example(session=[], killed_at=0, again_at=9)  # an alarm is in the midst of its window
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(session=SESSIONS, killed_at=st.integers(0, STEPS - 1), again_at=st.integers(0, STEPS - 1))
def test_any_session_is_resumed_and_replayed_bit_for_bit(session, killed_at, again_at):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        copies = {}

        def keep(trainer):
            """What stands on disk at a step, as a kill would leave it."""
            if trainer.step not in copies and trainer.step in (killed_at, again_at):
                copies[trainer.step] = shutil.copytree(trainer.run.folder, folder / f"killed-{trainer.step}")

        whole = conduct(make(open_run(folder / "a")), session, keep)
        log = (whole.run.folder / "interventions.yaml").read_bytes()

        replayed = make(open_run(folder / "b", replay=str(whole.run.folder / "interventions.yaml")))
        assert end(conduct(replayed)) == end(whole), "replayed"

        for copy in copies.values():
            (copy / "interventions.yaml").write_bytes(log)  # all that was given was on disk before it was applied
            resumed = make(open_run(folder / "a", resume=str(copy)))
            assert end(conduct(resumed)) == end(whole), f"resumed from {copy.name}"


def test_an_alarm_that_the_run_had_must_be_there_again(tmp_path):
    part = conduct(make(open_run(tmp_path)), steps=6)
    resumed = make(open_run(tmp_path, resume=str(part.run.folder)))
    had = resumed.alarms.pop()
    wanted = "the run had the alarms high too, this trainer has G/grad_norm explodes: give it the same, or branch"
    with pytest.raises(CheckpointError, match=re.escape(wanted)):
        resumed.fit(steps=8)
    resumed.alarms.append(had)
    conduct(resumed, steps=8)


def moved_twice(folder, **params):
    trainer = make(open_run(folder, **params))
    return conduct(trainer, [(3, Command("move", "lr", 1e-5)), (15, Command("move", "lr", 0.05))])


def test_commands_ahead_survive_a_second_kill(tmp_path):
    """Killed at 14, resumed, killed again before the second move was due: it must still be made."""
    whole = moved_twice(tmp_path)
    log = (whole.run.folder / "interventions.yaml").read_bytes()
    part = make(open_run(tmp_path))
    conduct(part, [(3, Command("move", "lr", 1e-5))], steps=10)
    first = shutil.copytree(part.run.folder, tmp_path / "first")
    (first / "interventions.yaml").write_bytes(log)
    again = make(open_run(tmp_path, resume=str(first)))
    conduct(again, [(11, Command("release", "g_turns"))], steps=13)  # a live command while another is ahead
    second = shutil.copytree(again.run.folder, tmp_path / "second")
    last = make(open_run(tmp_path, resume=str(second)))
    conduct(last)
    assert [(m["step"], m["new"]) for m in last.run.events("move") if m["by"] == "person"] == [(4, 1e-5), (16, 0.05)]
    assert last.weights() == whole.weights()


def test_a_stopped_run_that_went_on_in_another_process_is_replayed_to_its_end(tmp_path):
    trainer = make(open_run(tmp_path))
    trainer.watchers.append(lambda t: t.step == 8 and t.session.inbox.put(Command("stop")))
    with contextlib.suppress(Paused):
        trainer.fit(steps=STEPS)
    assert trainer.step < STEPS
    on = conduct(make(open_run(tmp_path, resume=str(trainer.run.folder))))
    replayed = make(open_run(tmp_path, replay=str(on.run.folder / "interventions.yaml")))
    try:
        replayed.fit(steps=STEPS)  # in one go: where it stopped, it went on
    except Paused as paused:  # a KeyboardInterrupt, which would end the whole session
        pytest.fail(str(paused))
    assert end(replayed) == end(on)


def test_a_replay_that_was_killed_goes_on_by_itself(tmp_path):
    whole = moved_twice(tmp_path)
    part = make(open_run(tmp_path, replay=str(whole.run.folder / "interventions.yaml")))
    conduct(part, steps=10)
    on = make(open_run(tmp_path, resume=str(shutil.copytree(part.run.folder, tmp_path / "killed"))))
    assert end(conduct(on)) == end(whole)


def test_other_threads_are_set_for_a_replay_and_other_ones_said_first(tmp_path, capsys):
    whole = moved_twice(tmp_path)
    log = str(whole.run.folder / "interventions.yaml")
    torch.set_num_threads(2)
    make(open_run(tmp_path, replay=log)).start()
    assert torch.get_num_threads() == 1
    make(open_run(tmp_path, replay=log, threads=2)).start()
    assert "not comparable bit for bit: threads: 1 there, 2 here" in capsys.readouterr().out
    with pytest.raises(RunError, match="seed is 0 there, 1 here"):
        make(open_run(tmp_path, replay=log, threads=2, seed=1)).start()
    assert "threads: 1 there, 2 here" in capsys.readouterr().out, "said before anything else"
    torch.set_num_threads(1)


def test_a_resumed_run_uses_the_threads_it_had(tmp_path):
    whole = moved_twice(tmp_path)
    torch.set_num_threads(2)
    make(open_run(tmp_path, resume=str(whole.run.folder))).start()
    assert torch.get_num_threads() == 1


def test_a_log_with_one_digit_or_one_line_changed_is_noticed(tmp_path):
    whole = moved_twice(tmp_path)
    text = (whole.run.folder / "interventions.yaml").read_text()
    lines = text.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith("- "))
    for name, altered in {
        "digit": text.replace("0.05", "0.06"),
        "line": "".join(lines[:first] + lines[first + 1 :]),
        "head": text.replace('"seed": 0', '"seed": 1'),
    }.items():
        assert altered != text
        path = tmp_path / f"{name}.yaml"
        path.write_text(altered)
        with pytest.raises(AlteredLog):
            open_run(tmp_path, replay=str(path))


def test_other_data_is_noticed(tmp_path, monkeypatch):
    whole = moved_twice(tmp_path)
    monkeypatch.setattr(regimes, "POINTS", regimes.POINTS + 1)
    with pytest.raises(RunError, match=r"replay: .*data is"):
        make(open_run(tmp_path, replay=str(whole.run.folder / "interventions.yaml"))).start()
    with pytest.raises(RunError, match="resume: the data of"):
        make(open_run(tmp_path, resume=str(whole.run.folder))).start()
