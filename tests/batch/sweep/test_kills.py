"""A gate: driver, workers and trials of a running sweep are killed at random; nothing is lost or done twice."""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from gannb.comparison.results import hardware, keep, numbers
from tests.batch.sweep.test_command import assert_each_step_once, gannb, home, wait_for, write

KILLS = 10
__all__ = ["gannb", "home"]  # fixtures


def below(driver: psutil.Process) -> dict[str, list[psutil.Process]]:
    """The processes of a sweep by what they do."""
    found: dict[str, list[psutil.Process]] = {"driver": [driver], "worker": [], "trial": []}
    for process in driver.children(recursive=True):
        line = " ".join(process.cmdline())
        kind = "trial" if "sweep.trial" in line else "worker" if "spawn_main" in line else ""
        if kind:
            found[kind].append(process)
    return found


@pytest.mark.gate
@pytest.mark.timeout(3000)
def test_a_sweep_survives_kills_at_random(home: Path, gannb) -> None:
    write(home, "killed", "notebook: toy\nvalues: {steps: 9}\ngrid: {lr: [0.1, 0.2, 0.3]}\nscore: distance\n")
    chance, kills = random.Random(0), Counter()
    while kills.total() < KILLS:
        driver = gannb("sweep", "killed", "--workers", "2", "--again")
        alive = psutil.Process(driver.pid)
        while driver.poll() is None and kills.total() < KILLS:
            try:
                wait_for(lambda alive=alive: below(alive)["trial"])
                time.sleep(chance.uniform(0, 8))
                kind = chance.choice(["driver", "worker", "trial"])
                victim = chance.choice(below(alive)[kind])
            except (psutil.NoSuchProcess, IndexError):  # gone by itself meanwhile
                continue
            os.kill(victim.pid, signal.SIGKILL)
            kills[kind] += 1
            victim.wait()
        if driver.poll() is None:
            driver.kill()
        driver.communicate()
    (home / "go").touch()
    last = gannb("sweep", "killed", "--workers", "2", "--again")
    out, err = last.communicate(timeout=600)
    finished = last.returncode == 0 and "3 done" in out
    head = {"question": "Does a sweep finish, with each step done once, whatever of it is killed?"}
    head |= {"command": "pytest -m gate tests/batch/sweep/test_kills.py", "hardware": hardware()}
    keep("sweep_kills", [numbers("a sweep of 3 trials", **kills, kills=kills.total(), finished=finished)], **head)
    assert finished, err
    assert set(kills) == {"driver", "worker", "trial"}
    assert_each_step_once(home, runs=3, steps=9)
