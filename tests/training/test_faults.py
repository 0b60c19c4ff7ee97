"""What can go wrong around a run is said clearly and nothing is lost: full disks, lost folders, two processes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys

import pytest

from gannb.control.commands import Command
from gannb.runs import files
from gannb.runs.folder import RunError
from gannb.training.interrupt import Paused
from tests.training.regimes import REGIMES, open_run

STEPS = 14


def make(folder, **given):
    return REGIMES["single"](open_run(folder, **given))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    trainer = make(tmp_path_factory.mktemp("whole"))
    trainer.fit(steps=STEPS)
    return trainer


FULL = """
import resource, sys, torch
torch.set_num_threads(1)
from gannb.runs.folder import RunError
from gannb.training.interrupt import Paused
from tests.training.regimes import REGIMES, open_run
trainer = REGIMES["single"](open_run(sys.argv[1]))
trainer.fit(steps=5)
limit = trainer.checkpoints.find("5").stat().st_size // 2
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    trainer.fit(steps=14)
except RunError as error:
    print(error)
try:
    trainer.fit(steps=14)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_disk_that_fills_up_is_said_and_the_run_goes_on_from_its_checkpoint(whole, root, tmp_path):
    """A real limit on file sizes: the next checkpoint cannot be written."""
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("could not write")]
    (folder,) = (tmp_path / "toy").iterdir()
    assert str(folder / "checkpoints" / "step-00000010.safetensors") in said and "(File too large)" in said
    assert said.endswith(f"or `gannb run toy --resume {folder}`")
    assert "RunError step 9 failed half way" in done.stdout and "resume=" in done.stdout
    assert not list(folder.rglob("*.part")), "no halves are left lying about"
    again = make(tmp_path, resume=str(folder)).start()
    assert again.step == 5
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()


@pytest.mark.parametrize("name", ["metrics.jsonl", "events.jsonl", "interventions.yaml"])
def test_half_a_row_on_a_full_disk_is_taken_back(name, whole, tmp_path, monkeypatch):
    trainer = make(tmp_path)
    trainer.fit(steps=7)
    before, write = (trainer.run.folder / name).read_bytes(), os.write

    def full(handle, content):
        if os.path.samestat(os.fstat(handle), (trainer.run.folder / name).stat()):
            write(handle, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, content)

    trainer.session.inbox.put(Command("move", "weight", 1.0))
    with monkeypatch.context() as m:
        m.setattr(files.os, "write", full)
        with pytest.raises(
            RunError, match=rf"could not add to \S+/{name} \(No space left on device\).*when there is room"
        ):
            trainer.fit(steps=STEPS)
    assert (trainer.run.folder / name).read_bytes() == before
    again = make(tmp_path, resume=str(trainer.run.folder))
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()


@pytest.mark.parametrize("gone", ["folder", "events.jsonl", "metrics.jsonl"])
def test_a_folder_that_goes_while_it_trains_is_noticed(gone, whole, tmp_path):
    trainer = make(tmp_path)
    trainer.fit(steps=5)
    there = trainer.run.folder if gone == "folder" else trainer.run.folder / gone
    aside = tmp_path / "aside"
    there.rename(aside)
    with pytest.raises(RunError, match=r"is gone: it was moved or deleted while the run went on; put it back"):
        trainer.fit(steps=STEPS)
    assert not there.exists(), "nothing is made anew in its place"
    aside.rename(there)
    again = make(tmp_path, resume=str(trainer.run.folder))
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()


@pytest.mark.parametrize("gone", ["params.yaml", "events.jsonl", "metrics.jsonl", "interventions.yaml", "checkpoints"])
def test_half_a_folder_is_not_resumed(gone, tmp_path):
    trainer = make(tmp_path)
    trainer.fit(steps=5)
    folder = shutil.copytree(trainer.run.folder, tmp_path / "half")
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    left = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}
    with pytest.raises(RunError, match=f"half is not a complete run folder, it has no {gone}"):
        make(tmp_path, resume=str(folder))
    assert left == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def test_a_moved_folder_is_said_and_its_new_place_works(whole, tmp_path):
    trainer = make(tmp_path)
    trainer.fit(steps=5)
    moved = shutil.move(trainer.run.folder, tmp_path / "elsewhere")
    with pytest.raises(RunError, match="resume: no run folder"):
        make(tmp_path, resume=trainer.run.folder.name)
    again = make(tmp_path, resume=str(moved))
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()


def test_two_processes_on_one_run(root, tmp_path):
    trainer = make(tmp_path)
    trainer.fit(steps=5)
    before = {p: p.read_bytes() for p in trainer.run.folder.rglob("*") if p.is_file()}
    other = "import sys; from tests.training.regimes import open_run; open_run(sys.argv[1], resume=sys.argv[2])"
    command = [sys.executable, "-c", other, str(tmp_path), str(trainer.run.folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert f"another process (pid {os.getpid()}) is writing to the run" in done.stderr
    assert before == {p: p.read_bytes() for p in trainer.run.folder.rglob("*") if p.is_file()}


def test_a_step_that_fails_half_way_ends_the_trainer_not_the_run(whole, tmp_path):
    trainer = make(tmp_path)
    player = trainer.players["model"]
    loss, player.loss = player.loss, lambda turn: loss(turn) if turn.step != 8 else 1 / 0
    with pytest.raises(ZeroDivisionError):
        trainer.fit(steps=STEPS)
    with pytest.raises(RunError, match="step 8 failed half way"):
        trainer.fit(steps=STEPS)
    again = make(tmp_path, resume=trainer.run.folder.name)
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()


def test_killed_before_its_first_checkpoint_it_starts_again(whole, tmp_path):
    run = open_run(tmp_path)  # a kill between opening the run and building the trainer
    again = make(tmp_path, resume=str(run.folder))
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()


class Killed(BaseException):
    """Stands for a kill: nothing after it runs."""


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_killed_at_its_first_checkpoint_it_is_resumed(moment, whole, tmp_path, monkeypatch):
    """No event says that a checkpoint is there before it is."""
    trainer = make(tmp_path)
    replace = files.Path.replace

    def killed(aside, target):
        if target.suffix != ".safetensors":
            return replace(aside, target)
        if moment == "before":
            aside.unlink()
        if moment == "after":
            replace(aside, target)
        raise Killed

    with monkeypatch.context() as m, pytest.raises(Killed):
        m.setattr(files.Path, "replace", killed)
        trainer.fit(steps=STEPS)
    assert trainer.run.events("checkpoint") == []
    again = make(tmp_path, resume=str(trainer.run.folder))
    assert not list(trainer.run.folder.rglob("*.part")), "the next start cleans up"
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()
    assert [e["step"] for e in again.run.events("checkpoint")][:3] == [0, 5, 10]


def test_a_branch_and_a_replay_killed_at_their_first_checkpoint_are_branched_and_replayed(whole, tmp_path, monkeypatch):
    steered = make(tmp_path / "steered")
    steered.watchers.append(lambda t: t.step == 3 and t.session.inbox.put(Command("move", "weight", 0.5)))
    steered.fit(steps=STEPS)
    log = str(steered.run.folder / "interventions.yaml")
    for given, steps in ({"branch": str(whole.run.folder)}, 20), ({"replay": log}, STEPS):
        straight = make(tmp_path / "straight", **given)
        straight.fit(steps=steps)
        trainer = make(tmp_path / "killed", **given)
        with monkeypatch.context() as m, pytest.raises(Killed):
            m.setattr(type(trainer.checkpoints), "write", lambda *_: (_ for _ in ()).throw(Killed))
            trainer.fit(steps=steps)
        again = make(tmp_path / "killed", **given, resume=str(trainer.run.folder))
        again.fit(steps=steps)
        assert again.weights() == straight.weights()


@pytest.fixture
def default_signals():
    """No signal is ignored, whatever the tests were started under."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_an_ignored_signal_stays_ignored_as_under_nohup(whole, tmp_path, default_signals):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    trainer = make(tmp_path)
    trainer.watchers.append(lambda t: t.step == 7 and os.kill(os.getpid(), signal.SIGHUP))
    trainer.fit(steps=STEPS)
    assert trainer.weights() == whole.weights()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_terminated_it_saves_and_says_so(number, whole, tmp_path, default_signals):
    trainer = make(tmp_path)
    trainer.watchers.append(lambda t: t.step == 7 and os.kill(os.getpid(), number))
    with pytest.raises(Paused, match=rf"interrupted by {number.name} at step \d+ .*; saved"):
        trainer.fit(steps=STEPS)
    assert trainer.checkpoints.by_step()[0][0] == trainer.step > 0
    assert signal.getsignal(number) == signal.SIG_DFL, "a second one ends the process"
    again = make(tmp_path, resume=str(trainer.run.folder))
    again.fit(steps=STEPS)
    assert again.weights() == whole.weights()


def test_a_place_without_room_for_runs_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"cannot make a run folder in .*file/toy \(Not a directory\); name another"):
        open_run(tmp_path / "file")
