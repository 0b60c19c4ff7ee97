"""What a run resumes, branches from and replays is checked before it starts, and without torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from gannb.config.experiment import Experiment
from gannb.config.faults import BadInput
from gannb.config.fields import param
from gannb.runs.checks import RunError, check_start, checkpoint_at, writable_folder
from gannb.runs.interventions import Interventions


class Toy(Experiment):
    """One parameter."""

    name = "toy"
    seed: int = param(0, "every random draw follows from it", low=0)


def head(content: bytes) -> bytes:
    """The beginning of a safetensors file."""
    return len(content).to_bytes(8, "little") + content


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with two checkpoints, as far as a branch looks at it."""
    folder = tmp_path / "toy" / "20260101-000000-abcdef"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "params.yaml").write_text("experiment: toy\nseed: 0\n")
    for step in (4, 12):
        (folder / "checkpoints" / f"step-{step:08d}.safetensors").write_bytes(head(b"{}"))
    return folder


def test_a_branch_is_a_checkpoint_or_a_run_by_path_or_name(run: Path, tmp_path: Path) -> None:
    newest = run / "checkpoints" / "step-00000012.safetensors"
    assert checkpoint_at(str(run), tmp_path) == checkpoint_at(run.name, tmp_path / "toy") == newest
    assert checkpoint_at(str(newest), tmp_path) == newest
    check_start(Toy(branch=run.name, runs=str(tmp_path)))
    named = run / "checkpoints" / "warm.safetensors"
    named.write_bytes(head(b"{}"))
    assert checkpoint_at(f"{run}/warm", tmp_path) == checkpoint_at(f"{run.name}/warm", tmp_path / "toy") == named
    with pytest.raises(RunError, match="no checkpoint"):
        checkpoint_at(f"{run.name}/cold", tmp_path / "toy")


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 100, head(b"{"), head(b"no json"), b"\0" * 8])
def test_a_damaged_checkpoint_is_none(run: Path, content: bytes) -> None:
    file = run / "checkpoints" / "step-00000012.safetensors"
    file.write_bytes(content)
    with pytest.raises(RunError, match=f"branch: {file.name} is no checkpoint, or a damaged one"):
        check_start(Toy(branch=str(file)))


def test_a_checkpoint_outside_a_run_folder_is_refused(run: Path, tmp_path: Path) -> None:
    moved = (run / "checkpoints" / "step-00000012.safetensors").replace(tmp_path / "moved.safetensors")
    with pytest.raises(RunError, match=r"moved\.safetensors lies in no run folder"):
        check_start(Toy(branch=str(moved)))


def test_a_log_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "interventions.yaml"
    Interventions(path, {"experiment": "toy", "settings": {"seed": 3}, "data": "x", "weights": "y"})
    check_start(Toy(replay=str(path), seed=3))
    with pytest.raises(RunError, match="belongs to another run: seed is 3 there, 0 here"):
        check_start(Toy(replay=str(path)))


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    assert writable_folder(tmp_path / "new" / "deep", "--out").is_dir()
    assert list((tmp_path / "new" / "deep").iterdir()) == [], "nothing is left of the trial"
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/none"), tmp_path / ("x" * 300)):
        with pytest.raises(BadInput, match="--out: cannot write to "):
            writable_folder(path, "--out")
