"""What the identity document advises beyond its second version, each beside that version: one table with intervals.

    python benchmarks/identity_roads.py [--seeds 0 1 2 3 4] [-p name=value …]

A seed is one `gannb run identity` (other people, another split, other weights) that trains the arms of
`gannb.experiments.identity.params.VARIANTS` side by side. Each arm's kept network then cleans the people held out.
Differences from `after` are within a seed; intervals are over seeds.
Time is the arm's training over that of `after` in the same run.
Seeds that are there already are kept. Writes `results/identity_roads.json` and `.md`.
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

import torch

from gannb.comparison.measured import Arms
from gannb.experiments.identity import files
from gannb.experiments.identity.cleaning import Cleaner
from gannb.experiments.identity.faces import Faces
from gannb.experiments.identity.metrics import compare, harm_rate, improvement
from gannb.experiments.identity.params import Identity
from gannb.experiments.identity.synthetic import synthesise
from gannb.runs.folder import settings_of
from gannb.training.checkpoint import Checkpoints

ROOT = Path(__file__).parents[1]
OUT = ROOT / "results" / "identity_roads.json"
BASE = "after"
ROADS = (
    "weighted-pooling",
    "attention-pooling",
    "removal-0.2-blend-0.7",
    "removal-0.3-blend-1",
    "identity-first",
    "small-identity-first",
    "identity-3-reconstruction-0.8",
    "fast-identity-layers",
    "lr-5e-5",
    "yaw-gate",
    "repaired",
)
BINS = {"improvement": (0, 90), "at 0-15°": (0, 15), "at 60-90°": (60, 90)}


def seed_of(seed: int, told: list[str]) -> list[dict[str, Any]]:
    """Train all arms with a seed; what each made of the people held out."""
    with tempfile.TemporaryDirectory() as runs:
        flags = [part for each in told for part in ("-p", each)]
        arms = json.dumps([BASE, *ROADS])
        command = [sys.executable, "-m", "gannb.cli", "run", "identity", "--runs", runs]
        command += ["-p", f"compared={arms}", "-p", f"seed={seed}", *flags]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        if done.returncode:
            raise RuntimeError(f"seed {seed} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        (top,) = Path(runs).glob("identity/*/")
        with torch.inference_mode():
            return judged(arms_of(top), seed)


def arms_of(top: Path) -> dict[str, Path]:
    """The run folder of each arm inside that of a run, found by what it was told."""
    p = Identity(**settings_of(top))
    folders = {Identity(**settings_of(folder)).hash: folder for folder in top.glob("variants/identity/*/")}
    return {name: folders[p.variant(name).hash] for name in (BASE, *ROADS)}


def judged(folders: dict[str, Path], seed: int) -> list[dict[str, Any]]:
    """A trial an arm: its scores on the people held out, and processor time of its training."""
    cleaners = {name: Cleaner.of(folder) for name, folder in folders.items()}
    held_out, trials = people_held_out(cleaners[BASE].params), []
    for name, clean in cleaners.items():
        found = compare(clean(held_out.features, held_out.pose), held_out)
        scores = {column: float(improvement(found, *bounds)) for column, bounds in BINS.items()}
        scores |= {"harmed": float(harm_rate(found))}
        checkpoint, _ = Checkpoints(folders[name] / "checkpoints").newest()
        spent = round(checkpoint.state["processor_seconds"], 1)
        told = {column: {"value": float(f"{value:.5g}")} for column, value in scores.items()}
        trials.append({"arm": name, "seed": seed, "cpu_seconds": spent, "scores": told})
    return trials


def people_held_out(p: Identity) -> Faces:
    """As the notebook splits them."""
    everybody = (
        synthesise(p.people, p.images, seed=p.seed)
        if p.data == "synthetic"
        else files.load(p.data, pose_unit=p.pose_unit, drop_singles=p.drop_singles)
    )
    return everybody.split(p.held_out, seed=p.seed)[1].with_targets(p.target, seed=p.seed)


def main() -> None:
    """Measure the seeds that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("-p", dest="told", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    trials = json.loads(args.out.read_text(encoding="utf-8"))["trials"] if args.out.exists() else []
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    for seed in args.seeds:
        if seed not in {trial["seed"] for trial in trials}:
            trials += [trial | {"commit": commit.strip()} for trial in seed_of(seed, args.told)]
            write(args.out, trials, args.told)
    write(args.out, trials, args.told)


def write(out: Path, trials: list[dict[str, Any]], told: list[str]) -> None:
    """Write what is there so far, as JSON and as a table."""
    flags = "".join(f" -p {name}={Path(value).name}" for name, value in (each.split("=", 1) for each in told))
    command = f"python benchmarks/identity_roads.py{flags}"
    hardware = f"{platform.machine()}, {os.cpu_count()} cores, one thread"
    head = {"command": command, "hardware": hardware}
    out.write_text(json.dumps(head | {"trials": trials}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    commits = ", ".join(sorted({trial["commit"] for trial in trials}))
    body = "Change of the held-out cosine; higher is better, but for `harmed` (share that fell by more than 0.005)."
    table = Arms(tuple(trials), "improvement", command).beside(BASE, "harmed", more=tuple(BINS)[1:]).markdown
    note = f"95 % over seeds. `{command}`, {hardware}, commits {commits}."
    out.with_suffix(".md").write_text("\n".join([body, "", table, "", note, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
