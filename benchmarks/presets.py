"""How long presets take as a person runs them, start of the kernel included: on two CPU threads and on a card.

    python benchmarks/presets.py --keep                                       # `quick` of every notebook
    python benchmarks/presets.py particles_sagan --preset document --devices cuda

Where there is a card each preset runs on both, one after the other, and `over_cpu` is the card's time over the CPU's.
`--keep` writes `results/presets.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from gannb.comparison.results import hardware, keep, numbers
from gannb.config.presets import experiments

THREADS = 2


def taken(notebook: str, preset: str, device: str) -> dict[str, float]:
    """Seconds of the whole run and of its training; an experiment that trains nothing has no second.

    Raises:
        RuntimeError: the run failed; with the end of what it said.
    """
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "gannb.cli", "run", notebook, "--preset", preset, "--runs", runs]
        command += ["-p", f"device={device}"] if notebook != "compare_runs" else []
        began = time.perf_counter()
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": str(THREADS)}
        )
        found = {"seconds": time.perf_counter() - began}
        if done.returncode:
            raise RuntimeError(f"{notebook}, {preset}, {device} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        summary = json.loads(Path(done.stdout.split("run: ")[-1].strip(), "summary.json").read_text(encoding="utf-8"))
    return found | ({"training_seconds": summary["seconds"]} if summary.get("steps") else {})


def main() -> None:
    """Run what was asked for, print it, and keep it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", help="their plain names; all by default")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--devices", nargs="+", help="cpu, cuda, cuda:N; by default cpu, and cuda where there is one")
    parser.add_argument("--keep", action="store_true", help="write results/presets.json")
    given = parser.parse_args()
    devices = given.devices or ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    for notebook in given.notebooks or experiments():
        found = {device: taken(notebook, given.preset, device) for device in devices}
        for device, times in found.items():
            ratio = (
                {"over_cpu": times["seconds"] / found["cpu"]["seconds"]} if device != "cpu" and "cpu" in found else {}
            )
            print(f"{notebook}, {given.preset}, {device}:", {k: round(v, 2) for k, v in (times | ratio).items()})
            if given.keep:
                machine = hardware(device)
                trial = numbers(f"{notebook}, {given.preset}, {device}", **times, **ratio)
                keep(
                    "presets",
                    [trial],
                    question="How long does a preset take, with the start of its kernel, on a CPU and on a card?",
                    data="the presets' own",
                    command="python benchmarks/presets.py --keep",
                    hardware=machine if device != "cpu" else f"{machine.rsplit(', ', 1)[0]}, {THREADS} threads",
                )


if __name__ == "__main__":
    main()
