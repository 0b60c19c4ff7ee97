"""The roads that a document names and did not take, each beside the same run without it, with what it costs.

    python benchmarks/roads.py roads_particles_small -p data=CROPS --seeds 0 1
    python benchmarks/roads.py roads_identity

Takes the arms of a sweep (`params/sweeps/`), runs each with each seed as `gannb run`, one after the other and on one
thread, and writes `results/<sweep>.json` and `.md`: the sweep's score with 95 % over seeds, the paired difference from
the first arm, and processor time as a multiple of the first arm's (elapsed time would say how busy the machine was).
Trials that are there already are kept, or measured anew with `--again`; notebooks read these files: do not delete one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from gannb.batch.sweep.plan import Sweep, Trial, find, read
from gannb.comparison.measured import Arms

ROOT = Path(__file__).parents[1]


def run(sweep: Sweep, trial: Trial, told: dict[str, str]) -> dict[str, Any]:
    """One trial: its scores, steps and processor time of the whole notebook, start and judging included."""
    values = {name: json.dumps(v) if isinstance(v, list) else v for name, v in trial.values.items() if name != "preset"}
    flags = [part for name, value in (values | told).items() for part in ("-p", f"{name}={value}")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "gannb.cli", "run", sweep.notebook, "--runs", runs, *flags]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise RuntimeError(f"{trial.arm}, seed {trial.seed} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        summary = json.loads((Path(done.stdout.split("run: ")[-1].strip()) / "summary.json").read_text())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    scores = {
        name: {"value": s["value"], "error": s["error"]}
        for name, s in summary["metrics"].items()
        if s["value"] is not None
    }
    row = {"arm": trial.arm, "seed": trial.seed, "steps": summary["steps"], "cpu_seconds": round(spent, 1)}
    print(row | {sweep.score: scores[sweep.score]["value"]}, flush=True)
    return row | {"scores": scores}


def write(sweep: Sweep, rows: list[dict[str, Any]], told: dict[str, str]) -> None:
    """Write what is there so far, as JSON and as a table."""
    order = {arm: place for place, arm in enumerate(sweep.arms)}
    rows = sorted(rows, key=lambda row: (order[row["arm"]], row["seed"]))
    options = " ".join(f"-p {name}={Path(value).name}" for name, value in told.items())
    head = {
        "command": f"python benchmarks/roads.py {sweep.name} {options}".strip(),
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread a run",
        "score": sweep.score,
        "better": sweep.better,
    }
    out = ROOT / "results" / f"{sweep.name}.json"
    out.write_text(json.dumps(head | {"trials": rows}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    seeds = ", ".join(map(str, sorted({row["seed"] for row in rows})))
    commits = ", ".join(sorted({row["commit"] for row in rows}))
    table = Arms(tuple(rows), sweep.score, head["command"]).beside(next(iter(sweep.arms))).markdown
    told = f"Seeds {seeds}; {'lower' if sweep.better == 'low' else 'higher'} is better; 95 % over seeds."
    note = f"`{head['command']}`, {head['hardware']}, commits {commits}."
    out.with_suffix(".md").write_text("\n".join([sweep.doc, "", told, "", table, "", note, ""]), encoding="utf-8")


def main() -> None:
    """Run what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sweep", help="a name in params/sweeps, or a file")
    parser.add_argument("--seeds", nargs="+", type=int, help="of the sweep's; all by default")
    parser.add_argument("--arms", nargs="+", help="of the sweep's; all by default")
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument("-p", dest="told", action="append", default=[], metavar="NAME=VALUE", help="for every trial")
    args = parser.parse_args()
    sweep, told = read(find(args.sweep)), dict(each.split("=", 1) for each in args.told)
    out = ROOT / "results" / f"{sweep.name}.json"
    rows = json.loads(out.read_text())["trials"] if out.exists() else []
    rows = [row for row in rows if row["arm"] in sweep.arms]
    done = set() if args.again else {(row["arm"], row["seed"]) for row in rows}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    for trial in sorted(sweep.trials, key=lambda trial: trial.seed):
        if (trial.arm, trial.seed) in done or trial.seed not in (args.seeds or [trial.seed]):
            continue
        if trial.arm in (args.arms or [trial.arm]):
            row = run(sweep, trial, told) | {"commit": commit.strip()}
            rows = [old for old in rows if (old["arm"], old["seed"]) != (trial.arm, trial.seed)] + [row]
            write(sweep, rows, told)
    write(sweep, rows, told)


if __name__ == "__main__":
    main()
