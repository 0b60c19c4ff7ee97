"""A gate: a hundred kills at random moments, the first checkpoint included; every run is resumed to the same bits."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import torch

from gannb.comparison.results import hardware, keep, numbers
from tests.training.regimes import REGIMES, open_run

KILLS, STEPS = 100, 40
CONTEXT = multiprocessing.get_context("fork")  # torch is imported once, so that many kills take little time


def train(regime: str, runs: Path, out: Path) -> None:
    """Start a run, or resume the one that is there, and leave its weights' hash."""
    there = [path.parent for path in runs.glob("toy/[0-9]*/params.yaml")]
    trainer = REGIMES[regime](open_run(runs, resume=str(there[0]) if there else ""))
    trainer.fit(steps=STEPS, quiet=True)
    out.write_text(trainer.weights())


def process(regime: str, runs: Path, out: Path) -> multiprocessing.process.BaseProcess:
    child = CONTEXT.Process(target=train, args=(regime, runs, out))
    child.start()
    return child


def wait(child: multiprocessing.process.BaseProcess, runs: Path, pattern: str) -> float:
    """Wait until a file is there, or the process has ended; returns the time."""
    while child.is_alive() and not any(runs.glob(pattern)):
        time.sleep(0.001)
    return time.monotonic()


def moment(runs: Path) -> str:
    """How far a run had come when it was killed, by what is on disk."""
    folders = list(runs.glob("toy/[0-9]*/params.yaml"))
    if not folders:
        return "before the run was opened"
    steps = [int(path.stem.removeprefix("step-")) for path in folders[0].parent.glob("checkpoints/step-*.safetensors")]
    return "before the first checkpoint" if not steps else "after a checkpoint" if max(steps) else "after the first"


def rows(runs: Path) -> list[bytes]:
    return [path.read_bytes() for path in runs.glob("toy/[0-9]*/metrics.jsonl")]


@pytest.mark.gate
@pytest.mark.timeout(3000)
def test_a_hundred_kills_are_resumed_to_the_same_bits(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    chance = random.Random(0)
    whole, opening, training = {}, {}, {}
    for regime in REGIMES:
        child = process(regime, tmp_path / regime, tmp_path / f"{regime}.txt")
        opened = wait(child, tmp_path / regime, "toy/*")
        first = wait(child, tmp_path / regime, "toy/*/checkpoints/step-*")
        child.join()
        opening[regime], training[regime] = first - opened, time.monotonic() - first
        whole[regime] = ((tmp_path / f"{regime}.txt").read_text(), rows(tmp_path / regime))
    moments: Counter[str] = Counter()
    wrong = []
    trial = 0
    while moments.total() < KILLS:
        regime = list(REGIMES)[trial % len(REGIMES)]
        runs, out = tmp_path / f"trial-{trial}", tmp_path / f"trial-{trial}.txt"
        ahead = [opening[regime] * 1.2] * (chance.random() < 0.5) + [opening[regime] + training[regime]]
        while not out.exists():
            child = process(regime, runs, out)
            if ahead and moments.total() < KILLS:
                wait(child, runs, "toy/*")
                child.join(chance.uniform(0, ahead.pop(0)))
                if child.is_alive():
                    os.kill(child.pid, signal.SIGKILL)
                    moments[moment(runs)] += 1
            child.join()
            if child.exitcode not in (0, -signal.SIGKILL):
                wrong.append((regime, trial, "not resumed"))
                break
        else:
            if (out.read_text(), rows(runs)) != whole[regime]:
                wrong.append((regime, trial, "other bits"))
            assert [path for path in (runs / "toy").iterdir() if path.name.startswith(".")] == [], "left-overs"
        trial += 1
    head = {"question": "Is a run that was killed at any moment resumed to the same bits?"}
    head |= {"command": "pytest -m gate tests/training/test_kills.py", "hardware": hardware()}
    counts = {"kills": moments.total(), "runs": trial, "not bit-equal": len(wrong)}
    keep("kills", [numbers("toys of seven regimes", **moments, **counts)], **head)
    assert wrong == []
    assert moments["before the first checkpoint"] >= 5, "some kills must come before the first checkpoint"
