"""A sweep from its file to its end: what is finished does not run again, what is killed is not lost nor done twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.batch.sweep import toy_project

SCRIPT = Path(toy_project.__file__)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    toy_project.make(tmp_path)
    return tmp_path


@pytest.fixture
def gannb(home: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start `gannb …` within the toy project; what is left at the end is killed."""
    started: list[subprocess.Popen] = []

    def start(*argv: str) -> subprocess.Popen:
        command = [sys.executable, str(SCRIPT), str(home), *argv]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def write(home: Path, name: str, text: str) -> None:
    (home / "params" / "sweeps" / f"{name}.yaml").write_text(text)


def wait_for(met: Callable[[], object], seconds: float = 150.0) -> object:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := met():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to it")


def records(home: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in (home / "runs" / "sweeps" / "trials").glob("*.json")]


def logs(home: Path) -> list[Path]:
    return sorted((home / "runs" / "toy").glob("*/steps.txt"))


def at_work(home: Path) -> bool:
    return any(len(path.read_text().split()) == 5 for path in logs(home))


def children(pid: int, word: str) -> list[psutil.Process]:
    """The processes below one whose command line has a word, and that have a trial below them."""
    below = psutil.Process(pid).children(recursive=True)
    return [
        p
        for p in below
        if word in " ".join(p.cmdline()) and any("sweep.trial" in " ".join(c.cmdline()) for c in p.children())
    ]


def assert_each_step_once(home: Path, runs: int, steps: int) -> None:
    """Every run folder holds every step, in order, once: nothing was lost, and nothing done twice."""
    assert [path.read_text().split() for path in logs(home)] == [[str(i) for i in range(steps)]] * runs


@pytest.mark.timeout(500)
def test_workers_and_driver_are_killed_and_nothing_is_lost_or_done_twice(home: Path, gannb) -> None:
    write(home, "killed", "notebook: toy\nvalues: {steps: 9}\ngrid: {lr: [0.1, 0.2]}\nscore: distance\n")
    driver = gannb("sweep", "killed", "--workers", "2")
    wait_for(lambda: at_work(home))
    victim = wait_for(lambda: children(driver.pid, "spawn_main"))[0]
    trial = psutil.Process(victim.pid).children()[0]
    victim.send_signal(signal.SIGKILL)
    wait_for(lambda: not trial.is_running() or trial.status() == psutil.STATUS_ZOMBIE, 30)
    rest = wait_for(lambda: children(driver.pid, "spawn_main"))
    trials = [p for worker in rest for p in worker.children() if "sweep.trial" in " ".join(p.cmdline())]
    os.kill(driver.pid, signal.SIGKILL)  # its workers notice, and each trial after them
    driver.wait()
    psutil.wait_procs(trials, timeout=40)
    assert records(home) and all(record["state"] != "done" for record in records(home))

    (home / "go").touch()
    again = gannb("sweep", "killed", "--workers", "2")
    out, err = again.communicate(timeout=200)
    assert again.returncode == 0, err
    assert "2 done" in out and "0.1 (1 run)" in out
    assert_each_step_once(home, runs=2, steps=9)
    assert len((home / "starts.txt").read_text().split("\n")) - 1 >= 3, "something did go on after a kill"

    third = gannb("sweep", "killed")
    out, err = third.communicate(timeout=120)
    assert third.returncode == 0 and "to run" not in err, "finished trials start no cluster"
    assert "2 done" in out


@pytest.mark.timeout(500)
def test_a_scheduler_of_its_own_and_a_worker_that_is_killed(home: Path, gannb, tmp_path: Path) -> None:
    variants = "variants: {plain: {}, broken: {kind: broken}}"
    write(home, "far", f"notebook: toy\nvalues: {{steps: 9}}\n{variants}\nscore: distance\n")
    where = tmp_path / "scheduler.json"
    environment = os.environ | {"TOY_HOME": str(home)}
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment, "cwd": tmp_path}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    scheduler = subprocess.Popen([*dask, "--port", "0", "--no-dashboard", "--scheduler-file", str(where)], **options)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(where)]
    worker = subprocess.Popen([*worker, "--nthreads", "1", "--no-dashboard"], **options)
    try:
        address = wait_for(lambda: where.is_file() and where.read_text() and json.loads(where.read_text())["address"])
        driver = gannb("sweep", "far", "--scheduler", address)
        wait_for(lambda: at_work(home))
        wait_for(lambda: children(worker.pid, "spawn_main"))[0].send_signal(signal.SIGKILL)  # its nanny starts another
        (home / "go").touch()
        out, err = driver.communicate(timeout=200)
    finally:
        for process in (worker, scheduler):
            process.terminate()
            process.wait(20)
    assert driver.returncode == 1, err
    assert "1 done, 1 failed" in out
    assert "broken" in out and "RuntimeError: no image could be read" in out
    failed = next(record for record in records(home) if record["state"] == "failed")
    assert failed["cell"] == 4 and (home / "runs" / "toy" / failed["folder"] / "notebook.ipynb").is_file()
    assert_each_step_once(home, runs=1, steps=9)
    assert "failed: broken" in err and "done: plain" in err


@pytest.mark.timeout(300)
def test_a_process_that_keeps_dying_is_a_failure_with_a_reason(home: Path, monkeypatch) -> None:
    from gannb.batch.sweep import plan
    from gannb.batch.sweep.trial import jobs, launch
    from gannb.config import presets

    monkeypatch.setattr(presets, "HOME", presets.HOME)
    monkeypatch.setenv("TOY_HOME", str(home))
    toy_project.settle(home)
    write(home, "deadly", "notebook: toy\nvalues: {kind: deadly}\n")
    (job,) = jobs(plan.read(plan.find("deadly")), home / "runs" / "toy")
    record = launch(vars(job))
    assert record["state"] == "failed" and "kernel died" in record["error"]
    assert launch(vars(job) | {"code": "other"})["error"].startswith("the code here is not the code")


def test_bad_sweeps_end_before_anything_starts(home: Path, gannb) -> None:
    write(home, "bad", "notebook: toy\ngrid: {lr: [0.1, 2.0], widht: [3]}\n")
    _, err = gannb("sweep", "bad").communicate(timeout=200)
    assert "2 of 2 cannot run" in err and "did you mean 'width'?" in err and "lr: given 2.0" in err
    assert not (home / "runs").exists()
    process = gannb("sweep", "bda")
    assert "did you mean 'bad'?" in process.communicate(timeout=120)[1] and process.returncode == 2


def test_nobody_at_the_address(home: Path, gannb) -> None:
    write(home, "one", "notebook: toy\n")
    process = gannb("sweep", "one", "--scheduler", "tcp://127.0.0.1:9")
    assert (
        "no scheduler answers at 'tcp://127.0.0.1:9'" in process.communicate(timeout=120)[1] and process.returncode == 2
    )
