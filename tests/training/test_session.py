"""Steering at step boundaries: holds, refusals, pauses, single steps, rollbacks, and what alarms do."""

from __future__ import annotations

import math
import signal
import threading
import time

import pytest
import torch

from gannb.control.alarms import Lasting
from gannb.control.commands import Command
from gannb.training.checkpoint import CheckpointError
from gannb.training.interrupt import Paused
from gannb.training.session import TRIES
from tests.training.regimes import REGIMES, open_run


@pytest.fixture
def trainer(tmp_path):
    return REGIMES["balance"](open_run(tmp_path))


def at(trainer, **commands):
    """Put commands at steps: `at(trainer, s3=[Command(…)])`."""
    waiting = {int(step[1:]): list(given) for step, given in commands.items()}

    def watch(trainer):
        for command in waiting.pop(trainer.step, []):
            trainer.session.inbox.put(command)

    trainer.watchers.append(watch)


def told(trainer, kind):
    return [{k: e[k] for k in ("step", "name", "outcome") if k in e} for e in trainer.run.events(kind)]


def test_a_held_number_is_left_alone_by_its_driver_until_released(trainer):
    at(trainer, s2=[Command("move", "g_turns", 1)], s6=[Command("release", "g_turns")])
    seen = []
    trainer.watchers.append(lambda t: seen.append((t.step, t.numbers["g_turns"].value)))
    trainer.fit(steps=12)
    assert {value for step, value in seen if 3 < step <= 7} == {1}
    assert seen[-1][1] > 1


def test_refused_moves_are_recorded_and_change_nothing(trainer):
    at(trainer, s2=[Command("move", "real_label", 7), Command("move", "reel_label", 0.5), Command("hold", "nothing")])
    trainer.fit(steps=4)
    moves = [m for m in told(trainer, "move") if m["name"] in ("real_label", "reel_label")]
    assert [m["outcome"] for m in moves] == [
        "refused: 7 is outside [0, 1]",
        "refused: no number is called 'reel_label'",
    ]
    assert told(trainer, "hold")[0]["outcome"].startswith("refused")
    assert trainer.numbers["real_label"].value == 0.9


def test_a_command_is_on_disk_before_it_is_applied(trainer, monkeypatch):
    order = []
    trainer.start()
    write, apply = trainer.session.log.write, trainer.session._apply
    monkeypatch.setattr(trainer.session.log, "write", lambda c: (order.append("disk"), write(c)))
    monkeypatch.setattr(trainer.session, "_apply", lambda c: (order.append("applied"), apply(c)))
    trainer.session.inbox.put(Command("hold", "lr"))
    trainer.fit(steps=1)
    assert order == ["disk", "applied"]


def test_a_pause_with_nobody_there_ends_the_call_and_the_next_goes_on(trainer, tmp_path):
    at(trainer, s3=[Command("pause")])
    with pytest.raises(Paused, match="step 4"):
        trainer.fit(steps=8)
    trainer.fit(steps=8)
    whole = REGIMES["balance"](open_run(tmp_path))
    whole.fit(steps=8)
    assert trainer.weights() == whole.weights()


def test_live_a_pause_waits_for_single_steps_and_for_resume(trainer):
    trainer.session.live = True
    at(trainer, s2=[Command("pause")])
    steps = []
    trainer.watchers.append(lambda t: steps.append(t.step))

    def person():
        for command, step in ((Command("step"), 3), (Command("step"), 4), (Command("resume"), 5)):
            late = time.monotonic() + 20
            while steps.count(step) < 4 and time.monotonic() < late:  # until it was seen to stand there
                time.sleep(0.01)
            trainer.session.inbox.put(command)

    thread = threading.Thread(target=person)
    trainer.watchers.append(lambda t: t.step == 2 and not thread.ident and thread.start())
    trainer.fit(steps=10)
    thread.join()
    assert trainer.step == 10
    assert steps.count(4) > 2, "it waited between two single steps"


def test_stop_ends_the_call_and_a_stopped_run_goes_on(trainer):
    at(trainer, s3=[Command("stop")])
    trainer.fit(steps=10)
    assert trainer.step == 4 and trainer.session.stopped
    trainer.fit(steps=10)
    assert trainer.step == 10


def test_roll_back_takes_the_players_back_and_the_step_goes_on(trainer):
    trainer.fit(steps=5)
    before, trainer.checkpoint_every = trainer.weights(), 0
    trainer.fit(steps=7)
    trainer.session.inbox.put(Command("rollback", "5"))
    trainer.watchers.append(lambda t: hashes.append(t.weights()))
    hashes = []
    trainer.fit(steps=8)
    assert hashes[0] == before
    assert trainer.step == 8
    assert trainer.run.events("rollback")[0]["to"] == 5


def test_a_persons_checkpoints_are_kept_and_rolled_back_to_by_name(trainer, tmp_path):
    trainer.checkpoint_every = 1
    at(trainer, s2=[Command("checkpoint", "warm"), Command("checkpoint")], s4=[Command("checkpoint", "warm")])
    hashes = {}
    trainer.watchers.append(lambda t: hashes.setdefault(t.step, t.weights()))
    trainer.every(steps=1, do=lambda t: t.step == 5 and t.checkpoint("by code") and None)
    trainer.fit(steps=9)
    assert trainer.checkpoints.named() == {"warm": 3, "kept-3": 3, "by code": 5}
    assert len(trainer.checkpoints.by_step()) == 2
    refused = [e["outcome"] for e in trainer.run.events("checkpoint") if "outcome" in e]
    assert len(refused) == 1 and "there is a checkpoint 'warm' of step 3" in refused[0]
    with pytest.raises(CheckpointError, match="cannot be called 'last'"):
        trainer.checkpoint("last")
    trainer.session.inbox.put(Command("rollback", "warm"))
    trainer.watchers.append(lambda t: after.append(t.weights()))
    after = []
    trainer.fit(steps=10)
    assert after[0] == hashes[3] and trainer.run.events("rollback")[-1]["to"] == 3
    replay = REGIMES["balance"](open_run(tmp_path / "again", replay=str(trainer.run.folder / "interventions.yaml")))
    replay.checkpoint_every = 1
    replay.fit(steps=10)
    assert replay.weights() == trainer.weights() and "warm" in replay.checkpoints.named()


def test_a_person_deletes_checkpoints_that_they_named_and_no_others(trainer, tmp_path):
    trainer.checkpoint_every = 0
    at(trainer, s2=[Command("checkpoint", "warm"), Command("checkpoint", "spare")])
    at(trainer, s4=[Command("rollback", "warm")])
    at(trainer, s5=[Command("delete", name) for name in ("spare", "warm", "best", "5", "../spots")])
    trainer.fit(steps=8)
    outcomes = {event["name"]: event["outcome"] for event in trainer.run.events("delete")}
    assert outcomes.pop("spare") == "applied"
    assert "resuming may still roll back to it" in outcomes.pop("warm"), "a damaged newest checkpoint would need it"
    assert all("only those can be deleted" in outcome for outcome in outcomes.values()) and len(outcomes) == 3
    assert trainer.checkpoints.named() == {"warm": 3} and trainer.checkpoints.by_step()
    trainer.fit(steps=9)
    trainer.session.inbox.put(Command("delete", "warm"))
    trainer.fit(steps=10)
    assert trainer.run.events("delete")[-1]["outcome"] == "applied" and trainer.checkpoints.named() == {}
    replay = REGIMES["balance"](open_run(tmp_path / "again", replay=str(trainer.run.folder / "interventions.yaml")))
    replay.checkpoint_every = 0
    replay.fit(steps=10)
    assert replay.weights() == trainer.weights() and "spare" not in replay.checkpoints.named()


def test_an_interrupt_is_no_checkpoint_of_a_person(trainer):
    at(trainer, s3=[Command("pause")])
    trainer.watchers.append(lambda t: t.step == 6 and signal.raise_signal(signal.SIGINT))
    with pytest.raises(Paused, match="paused at step 4"):
        trainer.fit(steps=8)
    with pytest.raises(Paused, match="interrupted at step 7"):
        trainer.fit(steps=8)
    assert [e["by"] for e in trainer.run.events("checkpoint") if "by" in e] == ["paused", "interrupted"]
    assert trainer.checkpoints.named() == {}


def test_the_first_step_waits_for_the_start_where_somebody_is_there(trainer):
    trainer.session.waiting = trainer.session.live = True
    stood = []

    def person(trainer):
        if trainer.session.waiting:
            stood.append(trainer.step)
            if len(stood) == 2:
                trainer.session.inbox.put(Command("move", "real_label", 0.7))
            trainer.session.waiting = len(stood) < 4

    trainer.watchers.append(person)
    trainer.fit(steps=3)
    assert stood == [0, 0, 0, 0] and trainer.run.events("move")[0]["step"] == 0
    trainer.session.waiting, trainer.session.live = True, False
    trainer.fit(steps=4)
    assert trainer.step == 4, "nobody is there to start it"


def test_a_rollback_to_nowhere_is_refused(trainer):
    trainer.fit(steps=3)
    before = trainer.weights()
    for name in ("best", "99", "../../etc/passwd"):
        trainer.session.inbox.put(Command("rollback", name))
    trainer.fit(steps=3)
    assert trainer.weights() == before
    assert all(e["outcome"].startswith("refused: ") for e in trainer.run.events("rollback"))


def spoiled(at=7):
    """A watcher that puts NaN into D's weights at a step."""

    def watch(trainer):
        if trainer.step == at:
            with torch.no_grad():
                trainer.players["D"].parameters[0].fill_(math.nan)

    return watch


def nan_alarm(action, **more):
    return Lasting("nan", lambda seen: math.isnan(seen.get("D/loss", 0.0)), "NaN", action=action, **more)


@pytest.mark.parametrize("action", ["note", "pause", "stop"])
def test_what_an_alarm_does(trainer, action):
    trainer.alarms, trainer.record_every = [nan_alarm(action)], 1
    trainer.watchers.append(spoiled())
    if action == "pause":
        with pytest.raises(Paused):
            trainer.fit(steps=12)
    else:
        trainer.fit(steps=12)
    assert trainer.step == {"note": 12, "pause": 8, "stop": 8}[action]
    assert [(e["name"], e["action"]) for e in trainer.run.events("alarm")] == [("nan", action)]


def test_an_alarm_rolls_back_to_the_best_and_goes_on_with_changed_numbers(trainer):
    trainer.alarms, trainer.record_every = [nan_alarm("rollback", changes={"lr": 0.5})], 1
    trainer.every(steps=1, do=lambda t: t.keep_best("toy", abs(t.step - 4)) and None)
    trainer.watchers.append(spoiled())
    trainer.fit(steps=12)
    assert [(e["name"], e["to"]) for e in trainer.run.events("rollback")] == [("best", 4)]
    assert trainer.numbers["lr"].value == 0.5e-2
    assert all(t.isfinite().all() for t in trainer.tensors().values())
    assert trainer.step == 12


def test_without_a_best_it_goes_to_the_oldest_good_one_and_gives_up_the_rest(trainer):
    trainer.alarms, trainer.record_every, trainer.checkpoint_every = [nan_alarm("rollback")], 1, 0
    trainer.watchers.append(lambda t: t.step in (4, 6) and t.checkpoint())
    trainer.watchers.append(spoiled())
    trainer.fit(steps=8)
    assert trainer.run.events("rollback")[0]["to"] == 4
    assert [step for step, _ in trainer.checkpoints.by_step()] == [8, 4]
    assert trainer.players["D"].parameters[0].isfinite().all()


def test_going_back_in_vain_ends_in_a_pause(trainer):
    alarm = nan_alarm("rollback")
    alarm.condition, alarm.patience, alarm.load_state_dict = (lambda seen: True), 1, lambda state: None
    trainer.alarms = [alarm]
    trainer.watchers.append(lambda t: setattr(alarm, "count", 0))  # it rings at every row
    trainer.record_every, trainer.checkpoint_every = 1, 0
    with pytest.raises(Paused):
        trainer.fit(steps=50)
    outcomes = [e["outcome"][:7] for e in trainer.run.events("rollback")]
    assert outcomes == ["applied"] * TRIES + ["refused"]


def test_rules_forget_what_they_saw_of_a_collapse(trainer):
    """A moving average with one NaN in it never comes back: a rollback takes the drivers back too."""
    trainer.alarms, trainer.record_every, trainer.checkpoint_every = [nan_alarm("rollback")], 4, 0
    trainer.watchers.append(spoiled(at=5))  # heard at 8: the rule has read two rows of it by then
    trainer.fit(steps=8)
    assert all(map(math.isfinite, trainer.numbers.drivers[0].recent))
    assert trainer.run.events("rollback")[0]["outcome"] == "applied"
