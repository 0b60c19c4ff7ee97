"""A notebook runs with each choice of a list alone, though its cells speak of several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gannb import cli
from gannb.experiments.motion_wgan_gp.params import TOYS

SHORT = {
    "toy_steps": 10, "defect_steps": 10, "lambda_steps": 10, "lambdas": [1.0], "epochs": 2, "batch_size": 4,
    "clip_frames": [16, 32], "grow_every": 1, "n_critic": 2, "evaluated": 16, "seconds": 10.0, "warmup_epochs": 1,
    "curriculum_epochs": 2, "evaluate_every": 1, "compared": [],
}  # fmt: skip
TRIED = "25 Gaussians"
"""The toy that is tried at every run of the tests: neither the first one nor the sequences."""


@pytest.mark.parametrize("toy", [pytest.param(toy, marks=[] if toy == TRIED else [pytest.mark.gate]) for toy in TOYS])
def test_the_laboratory_runs_with_one_toy(toy: str, tmp_path: Path) -> None:
    values = SHORT | {"toys": [toy]}
    flags = [flag for name, value in values.items() for flag in ("-p", f"{name}={json.dumps(value)}")]
    assert cli.main(["run", "motion_wgan_gp", "--runs", str(tmp_path), *flags]) == 0
