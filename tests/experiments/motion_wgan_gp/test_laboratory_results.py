"""Measured arms: means over the seeds of the longest trainings, and a table that says how long they were."""

from pathlib import Path

import pytest

from gannb.experiments.motion_wgan_gp.laboratory_results import LaboratoryArms, regimes_measured


def row(arm: str, seed: int, steps: int, share: float) -> dict:
    return {
        "toy": "8 Gaussians", "arm": arm, "seed": seed, "steps": steps, "seconds": 100.0, "modes_found": 8, "modes": 8,
        "share_near": share, "slope": 1.0,
    }  # fmt: skip


def test_the_longest_trainings_count_unless_told_otherwise() -> None:
    arms = LaboratoryArms([row("a", 0, 10, 0.1), row("a", 0, 30, 0.8), row("a", 1, 30, 0.6)], "made by hand")
    assert arms.value("8 Gaussians", "a") == pytest.approx(0.7)
    assert arms.value("8 Gaussians", "a", steps=10) == 0.1
    assert arms.value("8 Gaussians", "b") is arms.value("25 Gaussians", "a") is None
    assert arms.difference("8 Gaussians", ("a", 30), ("a", 10)) == pytest.approx(0.6)
    assert arms.difference("8 Gaussians", ("a", 30), ("b", 30)) is None
    assert "80.0%" in repr(arms) and "made by hand" in repr(arms)


def test_missing_files_say_how_they_are_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"laboratory\.py"):
        LaboratoryArms.read(tmp_path / "none.json")
    assert regimes_measured(tmp_path / "none.json") is None
