"""Damaged and odd files: a few each time, ten thousand per reader in a gate.

`pytest -m gate tests/data/test_fuzz.py` writes what came of them to `results/fuzz_readers.json`; `FUZZ_INPUTS=1000`
takes fewer.
"""

import json
import os
import subprocess
import sys

import pytest

from gannb.comparison.results import hardware, keep, numbers

COMMAND = "pytest -m gate tests/data/test_fuzz.py"


def fuzz(root, reader: str, count: int, seed: int) -> dict:
    """What came of the inputs, in a process of its own with bounded memory."""
    command = [sys.executable, "-m", "tests.data.fuzz", reader, str(count), str(seed)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def wrong(found: dict) -> list[str]:
    """Outcomes that may not be."""
    return [outcome for outcome in found["outcomes"] if outcome.startswith(("escaped", "lost"))]


@pytest.mark.parametrize("reader", ["folder", "npz"])
def test_damaged_files_are_images_or_named(root, reader):
    found = fuzz(root, reader, 200, 1)
    assert wrong(found) == [] and len(found["outcomes"]) >= 2, found


@pytest.mark.gate
@pytest.mark.timeout(3600)
def test_ten_thousand_inputs_per_reader(root):
    count = int(os.environ.get("FUZZ_INPUTS", "10000"))
    found = {reader: fuzz(root, reader, count, 0) for reader in ("folder", "npz")}
    store(found)
    assert {reader: wrong(result) for reader, result in found.items()} == {"folder": [], "npz": []}


def store(found: dict[str, dict]) -> None:
    """Keep what came of the inputs."""
    trials = [
        numbers(reader, escaped=len(wrong(result)), inputs=result["inputs"], peak_megabytes=result["peak_megabytes"])
        for reader, result in found.items()
    ]
    question = "How many damaged or odd files end the reader of images or arrays without being named?"
    head = {"question": question, "command": COMMAND, "hardware": hardware(), "outcomes": found}
    keep("fuzz_readers", trials, metric="escaped", better="low", **head)
