"""A notebook runs with any values that its parameters allow, though its cells speak of the usual ones."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import soundfile

from gannb import cli
from gannb.config import presets
from gannb.config.faults import ParameterError
from gannb.experiments.motion.data import bvh
from gannb.experiments.motion.data.speech import SAMPLE_RATE
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion_wgan_gp.params import TOYS
from tests.notebooks.test_devices import SHORT
from tests.notebooks.trainers import trainer_of

OF_THE_MACHINE = {"device", "capture", "live", "track", "deterministic"}
OF_DATA = {"data", "transfer_to", "features", "controller_from", "conditional"}
"""Their choices need data or a run that is not there."""


def run(name: str, folder: Path, **changes: Any) -> int:
    """Run a notebook, as short as its figures allow, with some values changed; returns the exit status."""
    values = SHORT[name] | changes
    flags = [flag for key, value in values.items() for flag in ("-p", f"{key}={as_text(value)}")]
    return cli.main(["run", name.split("_", 1)[1], "--runs", str(folder), *flags])


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


FAILED = [
    pytest.param(
        "02_motion_wgan_gp",
        {"toys": ["25 Gaussians"], "defect": "one_mix", "clip_frames": [16]},
        marks=pytest.mark.gate,  # it takes twice as long as the others
    ),
    ("03_schedules", {"d_norm": "own", "method": "evolution", "noise": "latent_scale", "transfer_to": ""}),
    ("05_identity", {"epochs": 1, "evaluate_every": 2}),
]
"""Values that a notebook once did not run with."""


@pytest.mark.parametrize("name, changes", FAILED)
def test_a_notebook_runs_with_what_it_once_failed_on(name: str, changes: dict[str, Any], tmp_path: Path) -> None:
    assert run(name, tmp_path, **changes) == 0


@pytest.mark.parametrize("name", ["01_motion_balance", "02_motion_wgan_gp"])
def test_a_motion_notebook_runs_with_one_recording_of_one_speaker(name: str, tmp_path: Path) -> None:
    take = record(STYLES[0], 60.0)
    bvh.write(tmp_path / "alone.bvh", take.pose)
    soundfile.write(tmp_path / "alone.wav", take.speech.samples, SAMPLE_RATE)
    assert run(name, tmp_path / "runs", data=str(tmp_path)) == 0


@pytest.mark.gate
@pytest.mark.parametrize("toy", TOYS)
def test_the_laboratory_runs_with_one_toy(toy: str, tmp_path: Path) -> None:
    assert run("02_motion_wgan_gp", tmp_path, toys=[toy]) == 0


def drawn(name: str, seed: int) -> dict[str, Any]:
    """Random values, valid together, for nearly half of the choices and a third of the switches of a notebook."""
    declared = presets.declaration(name.split("_", 1)[1])
    draw = random.Random(f"{name} {seed}")
    while True:
        changes: dict[str, Any] = {}
        for field, declaration in declared.declarations().items():
            default = getattr(declared(), field)
            if field in OF_THE_MACHINE | OF_DATA:
                continue
            if declaration.choices and draw.random() < 0.45:
                some = draw.sample(declaration.choices, draw.randint(1, min(3, len(declaration.choices))))
                changes[field] = some if isinstance(default, list) else some[0]
            elif isinstance(default, bool) and draw.random() < 0.3:
                changes[field] = not default
        try:
            declared(**SHORT[name] | changes)
        except ParameterError:
            continue
        return changes


@pytest.mark.gate
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", SHORT)
def test_a_notebook_runs_with_choices_drawn_at_random(name: str, seed: int, tmp_path: Path) -> None:
    changes = drawn(name, seed)
    assert run(name, tmp_path, **changes) == 0, changes


@pytest.mark.parametrize("name", [name for name in SHORT if name not in ("00_tour", "06_compare_runs")])
def test_too_few_samples_are_noticed_before_anything_trains(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size: given 1024; allowed: 1 …"):
        trainer_of(name, **SHORT[name] | {"batch_size": 1024, "runs": str(tmp_path)})
    assert [path for path in tmp_path.rglob("metrics.jsonl") if path.stat().st_size] == []
