"""Particles: networks that start from rendered images, against a start from scratch, on 300 real crops.

    python benchmarks/transfer.py --data CROPS

On 32 of the crops' 64 pixels, so that a pixel is as large as in the renderings; narrow and short, one thread a run.
Each seed pretrains on as many rendered images for 20 epochs; the variants start from the best checkpoint of that.
Processor time counts the pretraining. Writes `results/particles_transfer.json`; seeds that are there already are kept.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import device as device_options
import torch
from variants import collected, run

from gannb.batch.sweep.plan import Trial
from gannb.comparison import trials as measured
from gannb.comparison.results import hardware, keep, result
from gannb.config import presets
from gannb.experiments.particles_sagan.params import ParticlesSagan

NAME, NOTEBOOK = "particles_transfer", "particles_sagan"
SETTINGS = {
    "image_size": 32, "fit": "crop", "epochs": 40, "ngf": 16, "ndf": 16, "features": "faed", "fid_samples": 200,
    "choose_by": "kid", "score_every": 10, "samples_every": 40, "threads": 1,
}  # fmt: skip
"""What differs from the preset `tuned`."""
PRETRAINING = 20
"""Epochs on rendered images."""
VARIANTS: dict[str, tuple[bool, dict[str, Any]]] = {
    "from scratch": (False, {}),
    "from rendered": (True, {}),
    "from rendered, two layers of D frozen": (True, {"freeze_d": 2}),
    "from rendered, within the same epochs": (True, {"epochs": 40 - PRETRAINING}),
}
"""Variant → whether it starts from the pretrained networks, and what it changes."""


def trial(variant: str, seed: int, **changes: Any) -> Trial:
    """A run of the notebook, its values checked."""
    values = presets.preset(NOTEBOOK, "tuned") | SETTINGS | {"seed": seed} | changes
    return Trial(variant, seed, ParticlesSagan(**values), values)


def measure(seed: int, data: str, runs: Path, device: torch.device) -> list[measured.Trial]:
    """Pretrain with a seed, and train every variant.

    Args:
        seed: of all of them.
        data: the real crops.
        runs: where the run folders go.
        device: of all runs.
    """
    found, on = [], {"device": str(device)}
    pretrained, before = run(NOTEBOOK, trial("", seed, epochs=PRETRAINING), on, runs)
    for variant, (transferred, changes) in VARIANTS.items():
        each, start = trial(variant, seed, **changes), str(pretrained) if transferred else ""
        folder, spent = run(NOTEBOOK, each, on | {"data": data, "init_from": start}, runs)
        found += collected(each, folder, spent + transferred * before, ["choosing"])[""]
    return found


def main() -> None:
    """Measure the seeds that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder of grey crops, as particles_sagan takes it")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    device_options.option(parser)
    args = parser.parse_args()
    device = device_options.chosen(args.device)
    name = device_options.named(NAME, device)
    head = {
        "question": "Does pretraining on rendered particles help on 300 real ones?",
        "data": "300 real particle crops, 60 of them held out by file order, 32 of their 64 pixels",
        "command": f"python benchmarks/transfer.py --data {Path(args.data).name}",
        "hardware": hardware(device),
        "settings": SETTINGS,
    }
    for seed in args.seeds:
        if sum(kept.seed == seed for kept in result(name)) < len(VARIANTS):
            with tempfile.TemporaryDirectory() as runs:
                keep(name, measure(seed, args.data, Path(runs), device), metric="kid_faed", better="low", **head)
            print(f"seed {seed}: kept", flush=True)
    print(result(name))


if __name__ == "__main__":
    main()
