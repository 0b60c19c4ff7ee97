"""WGAN-GP against least squares with balance on gesture, over seeds: what `02_motion_wgan_gp` quotes.

    python benchmarks/motion_regimes.py                       # 3 seeds, about an hour on two cores
    python benchmarks/motion_regimes.py --seeds 2 --epochs 20 --arms two-rates one-rate

Runs the notebook itself without its laboratory, one seed after another, and adds what became of each arm to
`results/motion_regimes.json`; a seed that is there already, with the same numbers, is generated anew.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from gannb.config.presets import HOME
from gannb.experiments.motion_wgan_gp.params import VARIANTS

OUT = HOME / "results" / "motion_regimes.json"
NO_LABORATORY = {"toys": '["8 Gaussians", "sequences"]', "toy_steps": 50, "defect_steps": 10, "lambda_steps": 10}


def main() -> None:
    """Run every seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=40.0, help="length of a synthetic recording")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--arms", nargs="*", default=["least-squares"], choices=VARIANTS)
    given = parser.parse_args()
    for seed in range(given.first, given.first + given.seeds):
        told = NO_LABORATORY | {
            "seed": seed,
            "epochs": given.epochs,
            "seconds": given.seconds,
            "batch_size": given.batch,
        }
        told |= {"compared": json.dumps(given.arms), "grow_every": max(1, given.epochs // 10), "evaluate_every": 10}
        with tempfile.TemporaryDirectory() as runs:
            flags = [flag for name, value in (told | {"runs": runs}).items() for flag in ("-p", f"{name}={value}")]
            subprocess.run([sys.executable, "-m", "gannb.cli", "run", "motion_wgan_gp", *flags], check=True)
            (generated,) = Path(runs).glob("motion_wgan_gp/*/arms.json")
            add(json.loads(generated.read_text(encoding="utf-8")), given)


def add(outcomes: list[dict], given: argparse.Namespace) -> None:
    """Put outcomes in the file, in the place of those of the same arms and seeds."""
    before = json.loads(OUT.read_text(encoding="utf-8"))["outcomes"] if OUT.exists() else []
    new = {(o["arm"], o["seed"]) for o in outcomes}
    kept = [o for o in before if (o["arm"], o["seed"]) not in new] + outcomes
    seeds, arms = len({o["seed"] for o in kept}), " ".join(sorted({o["arm"] for o in kept} & {*VARIANTS}))
    command = f"python benchmarks/motion_regimes.py --seeds {seeds} --epochs {given.epochs} --seconds {given.seconds:g}"
    command += f" --batch {given.batch} --arms {arms}"
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HOME, capture_output=True, text=True)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, shared, 1 thread a run"
    stored = {"command": command, "commit": commit.stdout.strip(), "machine": machine}
    stored |= {"outcomes": sorted(kept, key=lambda o: (o["arm"], o["seed"]))}
    OUT.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
