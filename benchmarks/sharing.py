"""How many seeds per hour a device finishes where 1, 2 or 4 trials of a sweep share it.

    python benchmarks/sharing.py                                     # on a card where there is one
    python benchmarks/sharing.py --notebook particles_sagan --seeds 8 --keep

Each sweep runs as a person runs it, `gannb sweep --per-gpu N`, into empty folders, the start of every kernel included;
on a CPU `--workers N` stands in, with one thread per trial. Processes take turns on a card, or share it where NVIDIA's
MPS daemon runs (`nvidia-cuda-mps-control -d`): the same command measures either. `--keep` writes
`results/sharing.json` (`sharing_cuda.json` on a card).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import device as device_options

from gannb.comparison.results import hardware, keep, numbers
from gannb.config.yaml_files import dump_yaml


def seconds(given: argparse.Namespace, sharing: int) -> float:
    """How long a sweep over the seeds takes."""
    card = given.device.type == "cuda"
    sweep = {"notebook": given.notebook, "preset": given.preset, "seeds": list(range(given.seeds))}
    sweep["values"] = {"threads": 1, "device": "auto" if card else "cpu"}
    share = ["--gpu", "yes", "--per-gpu"] if card else ["--gpu", "no", "--workers"]
    number, seen = given.device.index or 0, os.environ.get("CUDA_VISIBLE_DEVICES")
    one = {"CUDA_VISIBLE_DEVICES": seen.split(",")[number] if seen else str(number)}
    environment = os.environ | (one if card else {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sharing.yaml")
        path.write_text(dump_yaml(sweep), encoding="utf-8")
        command = [sys.executable, "-m", "gannb.cli", "sweep", path, "--runs", folder, *share, str(sharing)]
        began = time.perf_counter()
        subprocess.run(command, check=True, env=environment)
        return time.perf_counter() - began


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notebook", default="tour")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--sharing", type=int, nargs="+", default=[1, 2, 4], help="trials at a time")
    parser.add_argument("--keep", action="store_true", help="write results/sharing.json")
    device_options.option(parser)
    given = parser.parse_args()
    given.device = device_options.chosen(given.device)
    trials, alone = [], None
    for sharing in given.sharing:
        per_hour = 3600 * given.seeds / seconds(given, sharing)
        alone = alone or per_hour
        name = f"{given.notebook}, {given.preset}, {sharing} at a time"
        trials.append(numbers(name, seeds_per_hour=per_hour, over_first=per_hour / alone))
        print(f"{name}: {per_hour:.0f} seeds per hour, {per_hour / alone:.2f} times the first", flush=True)
    if given.keep:
        keep(
            device_options.named("sharing", given.device),
            trials,
            question="How many seeds per hour does a device finish where several trials share it?",
            data=f"{given.seeds} seeds of a preset",
            command="python benchmarks/sharing.py --keep",
            hardware=hardware(given.device),
        )


if __name__ == "__main__":
    main()
