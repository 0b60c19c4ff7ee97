"""Benchmarks run: those that train nothing long, and the words of all."""

import subprocess
import sys
from pathlib import Path

import torch


def test_steps_of_networks_that_do_nothing_are_timed(root: Path) -> None:
    """On a card where there is one; else on the CPU, which is said."""
    command = [sys.executable, "steps.py", "--experiments", "null", "--steps", "1", "--pairs", "2"]
    done = subprocess.run(command, cwd=root / "benchmarks", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "null networks, fp32 trainer" in done.stdout and "added_us" in done.stdout
    assert ("runs on the CPU" in done.stderr) != torch.cuda.is_available()


def test_each_benchmark_says_how_it_is_run(root: Path) -> None:
    """A benchmark's first words name its command; those that train take a device."""
    for path in (root / "benchmarks").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.stem != "device":
            assert f"benchmarks/{path.name}" in text.split('"""')[1], path.name
