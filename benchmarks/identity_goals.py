"""Does the residual of 05_identity reach its goals? Five seeds, on synthetic people and on a file of real features.

    python benchmarks/identity_goals.py [--features FEATURES.npz] [--out results/identity_goals.json]

Each seed is one `gannb run identity`: other people, another split, other initial weights. Judged on people held out.
Without --features only the synthetic part runs; real features are not part of the project.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SEEDS = range(5)
SHOWN = (
    "improvement", "improvement_0_15", "improvement_60_90", "harm_rate", "harm_rate_0_15", "removed_energy",
    "accuracy_raw", "accuracy", "tar_at_far_0_01_raw", "tar_at_far_0_01",
)  # fmt: skip
GOALS = {
    "synthetic": {
        "harm_rate": ("at most", 0.01),
        "harm_rate_0_15": ("at most", 0.0),
        "improvement_60_90": ("at least", 0.05),
        "removed_energy": ("at least", 0.8),
    },
    "real": {"improvement": ("at least", 0.0), "improvement_0_15": ("at least", 0.0)},
}


def run(seed: int, options: dict[str, Any]) -> dict[str, float | None]:
    """One run's scores by name; None where one is unavailable."""
    with tempfile.TemporaryDirectory() as runs:
        values = {"seed": seed, "compared": "[]", **options}
        flags = [part for name, value in values.items() for part in ("-p", f"{name}={value}")]
        command = [sys.executable, "-m", "gannb.cli", "run", "identity", "--runs", runs, *flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (summary,) = Path(runs).glob("identity/*/summary.json")
        metrics = json.loads(summary.read_text(encoding="utf-8"))["metrics"]
    return {name: metrics[name]["value"] for name in SHOWN if name in metrics}


def measured(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """All seeds of one kind of data, their mean and spread, and whether each seed reached each goal."""
    by_seed = [run(seed, options) for seed in SEEDS]
    rows = {}
    for name in SHOWN:
        values = [scores[name] for scores in by_seed if scores.get(name) is not None]
        if not values:
            continue
        mean = sum(values) / len(values)
        spread = math.sqrt(sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1))
        rows[name] = {"mean": round(mean, 4), "sd": round(spread, 4), "seeds": [round(value, 4) for value in values]}
    goals = {
        f"{name} {words} {bound:g}": [reached(scores.get(name), words, bound) for scores in by_seed]
        for name, (words, bound) in GOALS[kind].items()
    }
    if kind == "real":
        goals["accuracy no worse than raw, mean over seeds"] = rows["accuracy"]["mean"] >= rows["accuracy_raw"]["mean"]
    return {"options": options, "scores": rows, "goals": goals}


def reached(value: float | None, words: str, bound: float) -> bool | None:
    """Whether a goal was reached; None where there is no value."""
    return None if value is None else value <= bound if words == "at most" else value >= bound


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", help="an .npz of real features")
    parser.add_argument("--out", default="results/identity_goals.json")
    args = parser.parse_args()
    # "python", not this interpreter's path: the command is for whoever reads the file
    found = {"command": " ".join(["python", *sys.argv]), "seeds": list(SEEDS), "synthetic": measured("synthetic", {})}
    if args.features:
        path = Path(args.features).resolve()
        found["real"] = measured("real", {"data": path})
        found["real"]["options"]["data"] = path.name
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for kind in ("synthetic", "real"):
        for name, row in found.get(kind, {}).get("scores", {}).items():
            print(f"{kind:10} {name:22} {row['mean']:8.4f} ± {row['sd']:.4f}  {row['seeds']}")
        for goal, seeds in found.get(kind, {}).get("goals", {}).items():
            print(f"{kind:10} {goal}: {seeds}")


if __name__ == "__main__":
    main()
