"""All arms of 03_schedules over seeds, and variants of the learned one: what the quick preset cannot decide.

    python benchmarks/schedules_arms.py digits                                # 5 seeds of every arm and variant
    python benchmarks/schedules_arms.py CIFAR.npz --features resnet56=FILE    # a few arms on real CIFAR-10 images

Each seed is one `gannb run schedules` with one thread. Writes `results/schedules_digits.json` (or `_cifar`), and for
transfer to rendered particles `results/schedules_transfer.json`; trials that are there already are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from gannb.comparison.trials import Trials
from gannb.experiments.schedules.drivers import DRIVEN
from gannb.experiments.schedules.params import ABLATIONS, VARIANTS

ROOT = Path(__file__).parents[1]
SETTINGS: dict[str, dict[str, object]] = {
    "digits": {},
    "cifar": {
        "image_size": 32,
        "count": 3000,
        "width": 8,
        "epochs": 5,
        "evaluate_every": 1,
        "lr_g": 0.0003,
        "lr_d": 0.0003,
        "ema": 0.98,
        "latent_dim": 64,
        "augment": "hflip,translation,brightness,saturation",
        "fid_samples": 600,
        "lookahead_batch": 16,
        "objective_count": 64,
        "transfer_to": "",
    },
}
TRANSFER = ROOT / "results" / "schedules_transfer.json"
FEW = ["learned", "document", "fixed", "constant-low", "adaptive"]


def run(settings: dict[str, object], wanted: list[str], runs: str) -> Path:
    """One `gannb run`; returns its folder."""
    names = {
        "variants": [arm for arm in wanted if arm in VARIANTS],
        "ablations": [arm for arm in wanted if arm in ABLATIONS],
    }
    told = settings | {name: json.dumps(arms) for name, arms in names.items()} | {"seeds": 1}
    flags = [part for name, value in told.items() for part in ("-p", f"{name}={value}")]
    command = [sys.executable, "-m", "gannb.cli", "run", "schedules", "--runs", runs, *flags]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise RuntimeError(f"{' '.join(flags)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return Path(done.stdout.split("run: ")[-1].strip())


def merged(path: Path, more: Path, command: str, settings: dict[str, object]) -> None:
    """Add the trials of a run to a result file."""
    found = Trials.read(more)
    kept = Trials.read(path)
    have = {(trial.arm, trial.seed) for trial in kept}
    both = Trials([*kept, *(t for t in found if (t.arm, t.seed) not in have)], found.metric, command)
    both.save(path, settings=settings)


def main() -> None:
    """Run what is missing, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="digits, or CIFAR-10 images: an .npz or a folder of its batch files")
    parser.add_argument("--features", default="fitted", help="what judges")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--few", nargs="+", default=FEW, help="arms that come first; on CIFAR-10 the only ones")
    args = parser.parse_args()
    name = "digits" if args.data == "digits" else "cifar"
    out, settings = ROOT / "results" / f"schedules_{name}.json", SETTINGS[name]
    rounds = [(args.few, args.seeds)]
    if name == "digits":
        rounds += [
            ([arm for arm in VARIANTS if arm not in (*args.few, "hand")], args.seeds),
            (list(ABLATIONS), args.seeds),
        ]
    shown = ["python", "benchmarks/schedules_arms.py", "digits" if name == "digits" else "CIFAR.npz"]
    shown += ["--features", args.features.partition("=")[0] + "=FILE"] if "=" in args.features else []
    features, _, file = args.features.partition("=")
    told = {"features": f"{features}={Path(file).resolve()}" if file else features}
    told |= {"data": "digits" if name == "digits" else str(Path(args.data).resolve())}
    for arms, seed in [(arms, seed) for arms, seeds in rounds for seed in seeds]:
        have = {(t.arm, t.seed) for t in Trials.read(out)}
        carried = {t.seed for t in Trials.read(TRANSFER)}
        carry = name == "digits" and "learned" in arms and seed not in carried  # a controller is carried over once
        wanted = [arm for arm in arms if (arm, seed) not in have or (carry and arm == "learned")]
        if not wanted:
            continue
        first = {"variant": wanted[0]} if wanted[0] in DRIVEN else {}
        extra = {} if carry else {"transfer_to": ""}
        with tempfile.TemporaryDirectory() as runs:
            folder = run(settings | told | first | extra | {"seed": seed}, wanted, runs)
            merged(out, folder / "trials.json", " ".join(shown), settings)
            if (folder / "transfer.json").is_file():
                merged(TRANSFER, folder / "transfer.json", " ".join(shown), settings)
        print(f"seed {seed}: {', '.join(wanted)}", flush=True)
    print(Trials.read(out))


if __name__ == "__main__":
    main()
