"""A gate: the tests of trained numbers on other machines: instruction sets, threads, versions, Pythons.

    python -m pytest -m gate tests/test_machines.py                      # all of it, about two minutes per cell
    python -m pytest -m gate tests/test_machines.py -k "here and avx2"   # some of it

`here` is the environment that runs this; others are made in `build/machines` by uv, of several GB each, with what
`constraints.txt` pins (newest) or the oldest of torch, numpy, scipy and pandas that `pyproject.toml` allows and that
have a wheel. What this machine lacks is skipped by name. All goes to `results/machines.json`.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gannb.comparison.results import hardware, keep, numbers
from gannb.comparison.trials import Trial
from gannb.metrics.score import Score, Scores

TESTS = (
    "losses", "networks", "metrics/test_frechet.py", "metrics/test_inception_score.py", "metrics/test_kernel.py",
    "metrics/test_neighbours.py", "metrics/test_perceptual.py", "metrics/test_small_sample.py",
    "training/test_capture.py", "training/test_player.py", "training/test_precision.py",
    "experiments/motion/networks", "experiments/motion/test_audio_pretraining.py",
    "experiments/motion/test_kinematics.py", "experiments/motion/test_matching.py",
    "experiments/motion/test_rotations.py", "experiments/motion_balance/test_closed_forms.py",
    "experiments/motion_balance/test_losses.py", "experiments/motion_wgan_gp/test_closed_forms.py",
    "experiments/motion_wgan_gp/test_penalties.py", "experiments/motion_wgan_gp/test_regimes.py",
    "experiments/identity/test_networks.py", "experiments/identity/test_phases.py",
    "experiments/identity/test_verification.py", "experiments/schedules/test_classifier.py",
    "experiments/schedules/meta", "experiments/tour/test_training.py",
)  # fmt: skip
"""What trains, or compares floats that were computed."""
VARY = ("torch", "numpy", "scipy", "pandas")
HERE = "here"
ENVIRONMENTS = (HERE, *(f"{python}-{age}" for python in ("3.11", "3.12", "3.13") for age in ("oldest", "newest")))
CAPABILITIES, THREADS = ("default", "avx2", "avx512"), (1, 2, 4)
DESCRIBE = (
    "import sys, torch, numpy, scipy, pandas; print(*map(str, sys.version_info[:2]), sep='.', end=';');"
    "print(torch.backends.cpu.get_cpu_capability(), *(m.__version__ for m in (torch, numpy, scipy, pandas)), sep=';')"
)
NAMED = {"NO AVX": "default"}
"""What older versions of torch call an instruction set."""


def unavailable(name: str, reason: str) -> None:
    """Record what this machine lacks, and skip."""
    kept([Trial(name, 0, Scores([Score.missing("failed", reason)]))])
    pytest.skip(f"{name}: {reason}")


def kept(trials: list[Trial]) -> None:
    keep(
        "machines",
        trials,
        question="Do the tests of trained numbers pass on other instruction sets, threads, versions and Pythons?",
        data="the tests' own",
        command="python -m pytest -m gate tests/test_machines.py",
        hardware=hardware().rsplit(",", 1)[0],
    )


def python_of(environment: str, root: Path) -> Path:
    """The interpreter of an environment, which is made where it is missing."""
    if environment == HERE:
        return Path(sys.executable)
    folder, (version, age) = root / "build" / "machines" / environment, environment.split("-")
    python = folder / "bin" / "python"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if python.exists():
        return python
    if not uv:
        unavailable(environment, "uv is not installed")
    found = subprocess.run([uv, "python", "find", "--no-python-downloads", version], capture_output=True, text=True)
    if found.returncode:
        unavailable(environment, f"no Python {version}")
    made = Path(f"{folder}.new")
    subprocess.run([uv, "venv", "-q", "--clear", "--relocatable", "--python", found.stdout.strip(), made], check=True)
    target = ["--python", made / "bin" / "python"]
    pins = root / "constraints.txt" if age == "newest" else oldest(uv, target, root, Path(f"{folder}.txt"))
    install = [uv, "pip", "install", "-q", *target, "-r", root / "pyproject.toml", "--extra", "test", "-c", pins]
    if (done := subprocess.run(install, capture_output=True, text=True)).returncode:
        unavailable(environment, f"uv could not install it: {done.stderr.strip().splitlines()[-1]}")
    made.rename(folder)
    return python


def oldest(uv: str, target: list, root: Path, pins: Path) -> Path:
    """Pins of the oldest versions that have a wheel for this Python; torchvision follows torch."""
    text = (root / "pyproject.toml").read_text()
    wanted = re.findall(rf'"((?:{"|".join(VARY)}|torchvision)>=[^"]*)"', text)
    command = [uv, "pip", "compile", "-q", "--resolution", "lowest-direct", "--only-binary", ":all:", "--no-deps"]
    found = subprocess.run(
        [*command, *target, "-"], input="\n".join(wanted), capture_output=True, text=True, check=True
    )
    pins.write_text(found.stdout)
    return pins


def test_what_the_gate_runs_is_there(root: Path) -> None:
    assert [part for part in TESTS if not (root / "tests" / part).exists()] == []


@pytest.mark.gate
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_trained_numbers_hold(environment: str, capability: str, threads: int, root: Path, tmp_path: Path) -> None:
    python = python_of(environment, root)
    settings = {"ATEN_CPU_CAPABILITY": capability, "OMP_NUM_THREADS": str(threads), "GANNB_CACHE": str(tmp_path / "c")}
    settings["OMP_WAIT_POLICY"] = "PASSIVE"  # more threads than cores do not spin
    child = {
        "cwd": root,
        "env": os.environ | settings | {"PYTHONPATH": str(root)},
        "capture_output": True,
        "text": True,
    }
    described = subprocess.run([python, "-c", DESCRIBE], check=True, **child)
    version, reached, *versions = described.stdout.strip().split(";")
    name = ", ".join([f"Python {version}", *map(" ".join, zip(VARY, versions)), capability, f"threads {threads}"])
    if NAMED.get(reached, reached.lower()) != capability:
        unavailable(name, f"this processor reaches {reached}")
    began = time.monotonic()
    tests = [f"tests/{part}" for part in TESTS]
    options = ["-q", "-p", "no:cacheprovider", "-m", "not gate and not browser and not cuda", "--tb=short"]
    done = subprocess.run([python, "-m", "pytest", *options, *tests], **child)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout.splitlines()[-1])}
    found = {"passed": counts.get("passed", 0), "failed": counts.get("failed", 0) + counts.get("error", 0)}
    assert found["passed"], done.stdout[-2000:] + done.stderr[-2000:]
    kept([numbers(name, **found, seconds=round(time.monotonic() - began))])
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert found["passed"] > 400, "most were not collected"
