"""The real pair of motion and speech goes through the whole notebook: it loads, trains, plays, is exported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.gate
def test_a_real_recording_trains_a_few_epochs_and_plays(shared_data: Path, tmp_path: Path) -> None:
    told = {"data": shared_data / "motion" / "beat2", "epochs": 3, "warmup_epochs": 1, "curriculum_epochs": 2,
            "evaluate_every": 3, "compared": "[]", "threads": 1}  # fmt: skip
    flags = [part for name, value in told.items() for part in ("-p", f"{name}={value}")]
    command = [sys.executable, "-m", "gannb.cli", "run", "motion_balance", "--runs", str(tmp_path), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    folder = Path(done.stdout.split("run: ")[-1].strip())
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["epochs"] == 3 and summary["metrics"]["maje"]["value"] > 0
    assert json.loads((folder / "speakers.json").read_text()) == ["scott"]
    assert {"gesture.bvh", "gesture.npz", "mine.bvh", "player.html"} <= {
        path.name for path in (folder / "samples").iterdir()
    }
