"""Benchmarks run: those that train nothing long, and the words of all."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_steps_of_networks_that_do_nothing_are_timed(root: Path, device: str) -> None:
    command = [sys.executable, "steps.py", "--experiments", "null", "--steps", "1", "--pairs", "2", "--device", device]
    done = subprocess.run(command, cwd=root / "benchmarks", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "null networks, fp32 trainer" in done.stdout and "added_us" in done.stdout
    assert not (root / "results" / "null.json").exists()


def test_each_benchmark_says_how_it_is_run(root: Path) -> None:
    """A benchmark's first words name its command; those that train take a device."""
    for path in (root / "benchmarks").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.stem != "device":
            assert f"benchmarks/{path.name}" in text.split('"""')[1], path.name
