"""The tuned recipe beside the document's on real particle images: held-out kernel distance over seeds.

    python benchmarks/particles_tuned.py CROPS                         # document and tuned, 3 seeds, 4,004 steps
    python benchmarks/particles_tuned.py CROPS --arms all --seeds 0    # what each ingredient brings

Every run is `gannb run particles_sagan`, one thread each. The networks are narrow (width 16) and bf16 in all arms, so
that a laptop can do it; everything else is the preset's. Writes `results/particles_tuned.json` and `.md`; arms and
seeds that are there already are kept.
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
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import mean, stdev

ROOT = Path(__file__).parents[1]
OUT = ROOT / "results" / "particles_tuned.json"
COMMON = {
    "ngf": 16,
    "ndf": 16,
    "precision": "bf16",
    "features": "faed",
    "choose_by": "kid",
    "threads": 1,
    "samples_every": 77,
}
ARMS = {
    "document": ("document", {}),
    "tuned": ("tuned", {}),
    "tuned, bce": ("tuned", {"loss": "bce"}),
    "tuned, one rate": ("tuned", {"lr_g": 0.0004, "lr_d": 0.0004}),
    "tuned, flips alone": ("tuned", {"augment": "hflip,vflip"}),
    "tuned, no average": ("tuned", {"ema": 0.0}),
    "tuned, not settled": ("tuned", {"settle": False}),
    "document, beta1 0.5": ("document", {"beta1": 0.5}),
    "document, no attention": ("document", {"network_options": {"attention_at": []}}),
    "document, rotation": ("document", {"augment": "hflip,vflip,rotation"}),
    "document, affine": ("document", {"augment": "hflip,vflip,affine"}),
    "document, jitter": ("document", {"augment": "hflip,vflip,jitter"}),
}
METRICS = ("kid_faed", "faed", "faed_over_floor", "copies", "particle_number", "particle_radius", "particle_brightness")


def command(arm: str, seed: int, data: str, epochs: int, runs: str) -> list[str]:
    """The `gannb run` of one trial."""
    preset, told = ARMS[arm]
    values = COMMON | {"score_every": max(1, epochs // 7)} | told | {"data": data, "seed": seed, "epochs": epochs}
    flags = [part for name, value in values.items() for part in ("-p", f"{name}={value}")]
    return [sys.executable, "-m", "gannb.cli", "run", "particles_sagan", "--preset", preset, "--runs", runs, *flags]


def trial(arm: str, seed: int, data: str, epochs: int) -> dict[str, object]:
    """Run one arm with one seed; returns what its summary says."""
    with tempfile.TemporaryDirectory() as runs:
        done = subprocess.run(
            command(arm, seed, data, epochs, runs),
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        if done.returncode:
            raise RuntimeError(f"{arm}, seed {seed} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        summary = json.loads((Path(done.stdout.split("run: ")[-1].strip()) / "summary.json").read_text())
    scores = {name: summary["metrics"][name] for name in METRICS}
    row = {"arm": arm, "seed": seed, "steps": summary["steps"], "seconds": summary["seconds"]}
    print(row | {name: score["value"] for name, score in scores.items()}, flush=True)
    return row | {"scores": scores}


def table(rows: list[dict]) -> Iterator[str]:
    """Markdown: a row an arm, mean ± standard deviation over seeds."""
    yield "| arm | seeds | " + " | ".join(METRICS) + " |"
    yield "|---" * (2 + len(METRICS)) + "|"
    for arm in [arm for arm in ARMS if any(row["arm"] == arm for row in rows)]:
        mine = [row for row in rows if row["arm"] == arm]
        cells = []
        for metric in METRICS:
            values = [row["scores"][metric]["value"] for row in mine]
            spread = f" ± {stdev(values):.3g}" if len(values) > 1 else ""
            cells.append(f"{mean(values):.4g}{spread}")
        yield f"| {arm} | {', '.join(str(row['seed']) for row in mine)} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="a folder of 64×64 particle images")
    parser.add_argument("--arms", nargs="+", default=["document", "tuned"], help="arms, or all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=308, help="308 epochs of 13 steps are 4,004 steps")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    arms = list(ARMS) if args.arms == ["all"] else args.arms
    data = str(Path(args.data).resolve())
    kept = json.loads(OUT.read_text())["trials"] if OUT.exists() else []
    done = {(row["arm"], row["seed"]) for row in kept}
    wanted = [(arm, seed) for seed in args.seeds for arm in arms if (arm, seed) not in done]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    failed = []
    with ThreadPoolExecutor(args.jobs) as pool:
        for each in as_completed([pool.submit(trial, *one, data, args.epochs) for one in wanted]):
            if each.exception():
                failed.append(str(each.exception()))
                continue
            kept.append(each.result() | {"commit": commit.strip()})
            write(sorted(kept, key=lambda row: (list(ARMS).index(row["arm"]), row["seed"])))
    if failed:
        sys.exit("\n".join(failed))


def write(rows: list[dict]) -> None:
    """Write what is there so far, as JSON and as a table."""
    hardware = f"{platform.machine()}, {os.cpu_count()} cores, one thread a run"
    told = {"command": "python benchmarks/particles_tuned.py CROPS [--arms all --seeds 0]", "hardware": hardware}
    OUT.write_text(json.dumps(told | {"common": COMMON, "trials": rows}, indent=1) + "\n")
    head = "Held-out scores on 300 real crops (60 held out by file order), lower is better but for copies (0.5).\n"
    note = f"\n`{told['command']}`, {hardware}, commits {', '.join(sorted({r['commit'] for r in rows}))}.\n"
    OUT.with_suffix(".md").write_text("\n".join([head, *table(rows), note]))


if __name__ == "__main__":
    main()
