"""Gates: do the tests notice when a formula is wrong, and how much of `gannb` do they run?

`pytest -m gate tests/test_mutations.py` changes one place at a time in a copy of the package and runs the tests of that
module there. What was found is kept in `results/mutations.json` and `results/coverage.json`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from gannb.comparison.results import hardware, keep, numbers

CAUGHT, COVERED = 28, 90


@dataclass(frozen=True)
class Mutation:
    """One wrong place: in `gannb/<module>.py`, `was` becomes `becomes`; the mirrored tests should fail."""

    module: str
    was: str
    becomes: str

    @property
    def tests(self) -> str:
        folder, _, name = self.module.rpartition("/")
        return f"tests/{folder}/test_{name}.py"


MUTATIONS = [
    # Adversarial losses and their labels
    Mutation("losses/adversarial", "F.softplus(logits) - target * logits", "F.softplus(logits) - logits"),
    Mutation("losses/adversarial", "(scores - target).square()", "(scores - target).abs()"),
    Mutation("losses/adversarial", "F.softplus(-real).mean() + F.softplus(fake)", "F.softplus(-real).mean() + F.softplus(-fake)"),
    Mutation("losses/adversarial", "return -F.softplus(fake).mean()", "return F.softplus(-fake).mean()"),
    Mutation("losses/adversarial", "F.relu(1 - real).mean() + F.relu(1 + fake)", "F.relu(1 - real).mean() + F.relu(fake)"),
    Mutation("losses/adversarial", "F.softplus(fake - real)", "F.softplus(real - fake)"),
    Mutation("losses/adversarial", "share_real * real_label + (1 - share_real) * fake_label", "real_label"),
    # Penalties
    Mutation("losses/penalties", "gradient.flatten(1).square().sum(dim=1)", "gradient.square().sum(dim=1).flatten(1).mean(1)"),
    Mutation("losses/penalties", "return squared_gradient_norms(critic, real).mean() / 2", "return squared_gradient_norms(critic, real).mean()"),
    Mutation("losses/penalties", "mix * real.detach() + (1 - mix) * fake.detach()", "real.detach()"),
    Mutation("losses/penalties", "F.relu(norms - 1) if one_sided", "norms - 1 if one_sided"),
    Mutation("losses/penalties", "(squared_gradient_norms(critic, between) + 1e-12).sqrt()", "squared_gradient_norms(critic, between).sqrt()"),
    # Other losses
    Mutation("experiments/motion/losses", "HAND_SHARE * hands + BODY_SHARE * body", "BODY_SHARE * hands + HAND_SHARE * body"),
    Mutation("experiments/motion/losses", "return _difference(generated, 3)", "return _difference(generated, 2)"),
    Mutation("experiments/motion/losses", "kinematics.bone_lengths(generated) - lengths.to(generated)", "kinematics.bone_lengths(generated) - 1"),
    Mutation("experiments/identity/losses", "torch.relu(was - cosine_similarity", "torch.relu(-was + cosine_similarity"),
    Mutation("experiments/identity/losses", "before.detach() if detached", "before if detached"),
    Mutation("experiments/identity/losses", "predicted.float() - pose / 90", "predicted.float() - pose / 180"),
    Mutation("losses/energy_distance", "2 * torch.cdist(generated, real)", "torch.cdist(generated, real)"),
    # Schedules and curriculum
    Mutation("control/schedules", "(initial - final) * (1 - t) ** rate", "(initial - final) * (1 - t**rate)"),
    Mutation("control/schedules", "(1 + math.cos(math.pi * t)) / 2", "math.cos(math.pi * t / 2)"),
    Mutation("control/schedules", "/ max(1, epochs - 1))", "/ max(1, epochs))"),
    Mutation("experiments/motion/curriculum", "start = 0.5 * initial", "start = initial"),
    Mutation("experiments/motion/curriculum", "(stages.end - stages.warmup)", "stages.end"),
    Mutation("experiments/identity/phases", "(1 - share) * self.first[name] + share", "self.first[name] + share"),
    Mutation("control/adaptive_augmentation", "(above > 0) - (above < 0)", "(above < 0) - (above > 0)"),
    # Balance rules
    Mutation("experiments/motion_balance/balance", "if self.skips >= self.strategy.max_skips:", "if self.skips > self.strategy.max_skips:"),
    Mutation("experiments/motion_balance/balance", 'd_played and self.rules == "repaired"', "d_played"),
    Mutation("experiments/motion_balance/balance", 'now["lr_d_scale"] * fall, now["lr_g_scale"]', 'now["lr_d_scale"], now["lr_g_scale"]'),
    Mutation("experiments/motion_balance/balance", "ratio > 1.0 / self.ratio_below", "ratio > self.ratio_below"),
]  # fmt: skip


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """The project without its history, to be spoilt."""
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("gannb", "tests", "params", "docs", "notebooks"):
        shutil.copytree(root / name, tmp_path / name, ignore=leave)
    for name in ("pyproject.toml", "conftest.py", "README.md", "Makefile", "constraints.txt"):
        shutil.copy(root / name, tmp_path / name)
    return tmp_path


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run tests on the package of a folder, one thread a process."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    surroundings = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)


COMMAND = "pytest -m gate tests/test_mutations.py"


@pytest.mark.gate
@pytest.mark.timeout(3600)
def test_wrong_formulas_are_noticed(copy: Path, root: Path) -> None:
    for tests in sorted({m.tests for m in MUTATIONS}):
        assert pytest_in(copy, tests).returncode == 0, f"{tests} fails before anything is changed"
    began, rows = time.perf_counter(), []
    for mutation in MUTATIONS:
        path = copy / "gannb" / f"{mutation.module}.py"
        source = path.read_text(encoding="utf-8")
        assert source.count(mutation.was) >= 1, f"{mutation.module}.py has no {mutation.was!r}"
        path.write_text(source.replace(mutation.was, mutation.becomes, 1), encoding="utf-8")
        done = pytest_in(copy, "-x", mutation.tests)
        path.write_text(source, encoding="utf-8")
        assert done.returncode in (0, 1), done.stdout[-2000:]  # 2 and above: pytest itself did not manage
        failed = [
            line.split(" - ")[0].removeprefix("FAILED ") for line in done.stdout.splitlines() if "FAILED " in line
        ]
        rows.append(asdict(mutation) | {"caught": done.returncode == 1, "by": failed[:1]})
    caught = sum(row["caught"] for row in rows)
    head = {"question": "How many formulas that are wrong on purpose do the tests notice?", "mutations": rows}
    seconds = round(time.perf_counter() - began)
    trial = numbers("wrong formulas", places=len(rows), caught=caught, seconds=seconds)
    keep("mutations", [trial], command=COMMAND, hardware=hardware(), **head)
    assert caught >= CAUGHT, [row for row in rows if not row["caught"]]


@pytest.mark.gate
@pytest.mark.timeout(3600)
def test_the_tests_run_nearly_every_line(root: Path, tmp_path: Path) -> None:
    """Line coverage of `gannb` by the unit tests and the notebooks; kernels and ranks are processes of their own."""
    measured = tmp_path / "coverage.json"
    options = ["-n", "2", "--dist", "loadscope", "--cov=gannb", f"--cov-report=json:{measured}", "--cov-report="]
    began = time.perf_counter()
    done = pytest_in(root, *options)
    assert measured.exists(), done.stdout[-3000:]
    told = json.loads(measured.read_text())
    percent = told["totals"]["percent_covered"]
    least = sorted((file["summary"]["percent_covered"], name) for name, file in told["files"].items())[:10]
    seconds = round(time.perf_counter() - began)
    trial = numbers("unit tests and notebooks", lines_percent=round(percent, 2), seconds=seconds)
    head = {"question": "How many lines of the package do the tests run?", "least": least}
    keep("coverage", [trial], metric="lines_percent", better="high", command=COMMAND, hardware=hardware(), **head)
    assert done.returncode == 0, done.stdout[-3000:]
    assert percent >= COVERED, least
