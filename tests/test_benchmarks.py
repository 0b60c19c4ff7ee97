"""Benchmarks run: those that train nothing long, and the words of all."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch


def test_steps_of_networks_that_do_nothing_are_timed(root: Path) -> None:
    """On a card where there is one; else on the CPU, which is said."""
    command = [sys.executable, "steps.py", "--experiments", "null", "--steps", "1", "--pairs", "2"]
    done = subprocess.run(command, cwd=root / "benchmarks", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "null networks, fp32 trainer" in done.stdout and "added_us" in done.stdout
    assert "null networks, fp32 captured {" in done.stdout and "over_bare_captured" in done.stdout
    assert ("runs on the CPU" in done.stderr) != torch.cuda.is_available()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_bare_captured_loop_is_the_plain_one(precision: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On static inputs it computes what the plain loop computes, in every precision."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    steps = importlib.import_module("steps")
    logged = []
    for captured in (False, True):
        torch.manual_seed(0)
        step = steps.plain("null", 0, torch.device("cpu"), precision, captured=captured)
        logged.append(torch.stack([step() for _ in range(5)]))
    assert torch.equal(*logged) and len(logged[0].unique(dim=0)) == 5


def test_each_benchmark_says_how_it_is_run(root: Path) -> None:
    """A benchmark's first words name its command; those that train take a device."""
    for path in (root / "benchmarks").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.stem != "device":
            assert f"benchmarks/{path.name}" in text.split('"""')[1], path.name


@pytest.mark.parametrize("name", ["steps", "scores", "live", "sharing", "learned_cost", "variants"])
def test_what_a_card_is_measured_by_takes_a_device_and_names_it(name: str, root: Path) -> None:
    text = (root / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
    assert re.search(r"device(_options)?\.option\(", text), "--device"
    assert re.search(r"\bhardware\([\w.]+\)", text), "its results name the card"
    assert re.search(r"device(_options)?\.named\(", text), "and go to a file of their own"


def test_what_is_trained_beside_a_run_is_no_other_setting(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials that are there are kept when a sweep names more variants, not when a number of it changed."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    deciding = importlib.import_module("variants").deciding
    assert deciding({"lr": 1.0, "compared": ["legacy"]}) == deciding({"lr": 1.0, "compared": []}) == {"lr": 1.0}
    assert deciding({"lr": 2.0}) != deciding({"lr": 1.0})
