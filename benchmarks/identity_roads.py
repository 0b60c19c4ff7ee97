"""What identity.md advises beyond its second version, each beside that version: one table with intervals.

    python benchmarks/identity_roads.py [--seeds 0 1 2 3 4] [-p name=value …]

A seed is one `gannb run identity` (other people, another split, other weights) that trains the arms of
`gannb.params.identity.ARMS` side by side. Each arm's kept network then cleans the people held out. Differences from
`after` are within a seed, face by face; intervals are over seeds. Time is the arm's training over that of `after` in
the same run. Seeds that are there already are kept. Writes `results/identity_roads.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch

from gannb.data import faces
from gannb.metrics.identity import advantage, compare, harm_rate, improvement
from gannb.metrics.seeds import seeds_text
from gannb.params.identity import Identity
from gannb.runs.folder import settings_of
from gannb.training.checkpoint import Checkpoints
from gannb.training.cleaning import Cleaner

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
COLUMNS = ("improvement", "at 0-15°", "at 60-90°", "harmed", "over after", "over after, 0-15°", "over after, 60-90°")


def seed_of(seed: int, told: list[str]) -> dict[str, dict[str, float]]:
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
            return judged(arms_of(top))


def arms_of(top: Path) -> dict[str, Path]:
    """The run folder of each arm inside that of a run, found by what it was told."""
    p = Identity(**settings_of(top))
    folders = {Identity(**settings_of(folder)).hash: folder for folder in top.glob("arms/identity/*/")}
    return {name: folders[p.arm(name).hash] for name in (BASE, *ROADS)}


def judged(folders: dict[str, Path]) -> dict[str, dict[str, float]]:
    """The columns of each arm, and how long it trained."""
    cleaners = {name: Cleaner.of(folder) for name, folder in folders.items()}
    held_out = people_held_out(cleaners[BASE].params)
    made = {name: compare(clean(held_out.features, held_out.pose), held_out) for name, clean in cleaners.items()}
    rows = {}
    for name, found in made.items():
        scores = [improvement(found), improvement(found, 0, 15), improvement(found, 60, 90), harm_rate(found)]
        scores += [advantage(found, made[BASE], *bounds) for bounds in ((0, 90), (0, 15), (60, 90))]
        checkpoint, _ = Checkpoints(folders[name] / "checkpoints").newest()
        rows[name] = dict(zip(COLUMNS, map(float, scores))) | {"seconds": checkpoint.state["seconds"]}
    return rows


def people_held_out(p: Identity) -> faces.Faces:
    """As the notebook splits them."""
    everybody = (
        faces.make(p.people, p.images, seed=p.seed)
        if p.data == "self-made"
        else faces.load(p.data, pose_unit=p.pose_unit, drop_singles=p.drop_singles)
    )
    return everybody.split(p.held_out, seed=p.seed)[1].with_targets(p.target, seed=p.seed)


def table(seeds: dict[str, dict[str, dict[str, float]]]) -> Iterator[str]:
    """Markdown: a row an arm, means over seeds with 95 %."""
    yield "| arm | " + " | ".join(COLUMNS) + " | time |"
    yield "|---" * (2 + len(COLUMNS)) + "|"
    for arm in (BASE, *ROADS):
        rows = [arms[arm] for arms in seeds.values()]
        cells = [seeds_text([row[column] for row in rows]) if arm != BASE or "over" not in column else ""
                 for column in COLUMNS]  # fmt: skip
        time = median(row["seconds"] / arms[BASE]["seconds"] for row, arms in zip(rows, seeds.values()))
        yield f"| {arm} | " + " | ".join(cells) + f" | ×{time:.2f} |"


def main() -> None:
    """Measure the seeds that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("-p", dest="told", action="append", default=[], metavar="NAME=VALUE")
    args = parser.parse_args()
    kept = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    seeds, commits = kept.get("seeds", {}), set(kept.get("commits", []))
    for seed in args.seeds:
        if str(seed) in seeds:
            continue
        seeds[str(seed)] = seed_of(seed, args.told)
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
        commits.add(commit.stdout.strip())
        write(args.out, seeds, sorted(commits), args.told)


def write(out: Path, seeds: dict[str, Any], commits: list[str], told: list[str]) -> None:
    """Write what is there so far, as JSON and as a table."""
    flags = "".join(f" -p {name}={Path(value).name}" for name, value in (each.split("=", 1) for each in told))
    command = f"python benchmarks/identity_roads.py{flags}"
    hardware = f"{platform.machine()}, {os.cpu_count()} cores, one thread"
    head = {"command": command, "hardware": hardware, "commits": commits}
    out.write_text(json.dumps(head | {"seeds": seeds}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    body = [
        "Change of the held-out cosine; higher is better, but for `harmed` (share that fell by more than 0.005).",
        "",
    ]
    note = f"{len(seeds)} seeds, 95 % over seeds. `{command}`, {hardware}, commits {', '.join(commits)}."
    out.with_suffix(".md").write_text("\n".join([*body, *table(seeds), "", note, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
