"""Strategies, rules and ingredients of `motion_balance` side by side, on synthetic speakers, over seeds.

    python benchmarks/motion_arms.py --seeds 0 1    # 64 steps; adds to results/motion_arms.json
    python benchmarks/motion_arms.py --long         # 504 steps of fewer arms; adds to results/motion_collapse.json
    python benchmarks/motion_arms.py --trace        # writes results/motion_trace.json: losses without any rule

Every call is `gannb run motion_balance` on one thread: the quick preset's tiny networks, more steps, and a D that
learns twice as fast as G, so that it can win within them. Arms and seeds that are there already are kept, or measured
anew with `--again`; others are added.
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
from typing import Any

from gannb.experiments.motion_balance.params import EXTENSIONS

ROOT = Path(__file__).parents[1]
SHORT, LONG, TRACE = (ROOT / "results" / f"motion_{name}.json" for name in ("arms", "collapse", "trace"))
TOLD = {
    "head": "coordinates", "epochs": 16, "batch_size": 8, "warmup_epochs": 3, "curriculum_epochs": 10,
    "check_every": 8, "evaluate_every": 8, "lr_g": 0.002, "lr_d": 0.004, "ema": 0.9, "threads": 1,
}  # fmt: skip
LASTING = TOLD | {"epochs": 63, "batch_size": 4, "warmup_epochs": 5, "curriculum_epochs": 25, "check_every": 50}
TRACED = TOLD | {"epochs": 60, "batch_size": 16, "warmup_epochs": 10, "curriculum_epochs": 50, "lr_g": 0.001}
TRACED |= {"lr_d": 0.002, "d_strong_below": 0.0, "check_every": 100_000, "evaluate_every": 60, "precision": "fp32"}
OWN = "merged, literal"
ARMS = ("no-rules", "repaired", "legacy", "without-attention", "without-curriculum", "without-physics",
        "without-mixed-precision", "mixed-from-0", *EXTENSIONS)  # fmt: skip
LONG_ARMS = ("legacy",)
SEEN = ("D/loss", "G/loss", "G/adversarial", "D/accuracy")


def run(told: dict[str, Any], compared: list[str], runs: str) -> Path:
    """Run the notebook; returns its run folder."""
    values = told | {"compared": json.dumps(compared)}
    flags = [part for name, value in values.items() for part in ("-p", f"{name}={value}")]
    command = [sys.executable, "-m", "gannb.cli", "run", "motion_balance", "--runs", runs, *flags]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise RuntimeError(f"the run failed:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
    return Path(done.stdout.split("run: ")[-1].strip())


def outcomes(told: dict[str, Any], arms: list[str]) -> list[dict[str, Any]]:
    """What became of this run and some arms."""
    with tempfile.TemporaryDirectory() as runs:
        rows = json.loads((run(told, arms, runs) / "arms.json").read_text())
    return [row | {"arm": OWN if row["arm"] == "this run" else row["arm"]} for row in rows]


def record() -> dict[str, list[float]]:
    """Losses of a run without rules, by name."""
    with tempfile.TemporaryDirectory() as runs:
        lines = (run(TRACED, [], runs) / "metrics.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if "G/loss" in row]
    return {name: [row[name] for row in rows] for name in SEEN}


def head(told: dict[str, Any], flags: str) -> dict[str, Any]:
    """Where and how it was measured, all of it."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, shared, 1 thread a run"
    command = f"python benchmarks/motion_arms.py {flags}"
    return {"command": command, "commit": commit.stdout.strip(), "machine": machine, "told": told}


def main() -> None:
    """Measure what is asked for, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--arms", nargs="*", help="all by default")
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("--long", action="store_true", help="504 steps: does D end the learning?")
    parser.add_argument("--trace", action="store_true", help="record the losses that rules are replayed over")
    args = parser.parse_args()
    if args.trace:
        TRACE.write_text(json.dumps(head(TRACED, "--trace") | {"trace": record()}) + "\n")
        return
    out, told, arms = (LONG, LASTING, LONG_ARMS) if args.long else (SHORT, TOLD, ARMS)
    stored = json.loads(out.read_text()) if out.exists() else {"told": told, "outcomes": []}
    rows = stored["outcomes"] if stored["told"] == told else []  # other numbers are another comparison
    for seed in args.seeds:
        there = set() if args.again else {row["arm"] for row in rows if row["seed"] == seed}
        wanted = [arm for arm in args.arms or arms if arm not in there]
        if wanted or OWN not in there:
            generated = outcomes(told | {"seed": seed}, wanted)
            new = {(row["arm"], row["seed"]): row for row in generated if row["arm"] not in there}
            rows = [new.pop((row["arm"], row["seed"]), row) for row in rows] + list(new.values())
            seeds = " ".join(map(str, sorted({row["seed"] for row in rows})))
            flags = f"{'--long ' if args.long else ''}--seeds {seeds}"
            out.write_text(json.dumps(head(told, flags) | {"outcomes": rows}, indent=1) + "\n")
            print(f"seed {seed}: {', '.join(wanted)}", flush=True)


if __name__ == "__main__":
    main()
