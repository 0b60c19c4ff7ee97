"""What a learned schedule costs over a fixed one: an update in steps of training, and the memory it needs.

    python benchmarks/learned_cost.py [--steps 12] [--width 16] [--device cuda] [--keep]

Batch, look-ahead, augmentation and interval are those of `params/schedules/document.yaml`; only the width is smaller.
Each variant trains a DCGAN at 32 px on digits in a process of its own, whose memory before training is taken off its
peak. Updates and steps alternate in one process and are timed by the processor, which other load disturbs less than
the clock. The share of time is for an update every 5 epochs (schedules §4.3). `--keep` writes
`results/learned_cost.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median

import device as device_options
import torch

from gannb.comparison.results import hardware, keep, numbers
from gannb.comparison.trials import Comparison
from gannb.config import presets
from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.experiments.schedules.image_splits import load
from gannb.experiments.schedules.losses import Losses
from gannb.experiments.schedules.meta.control_space import DOCUMENT_FEATURES, State
from gannb.experiments.schedules.meta.controller import MetaController
from gannb.experiments.schedules.meta.hypergradient import Hypergradient
from gannb.experiments.schedules.meta.objective import ValidationObjective
from gannb.experiments.schedules.meta.schedule import LearnedSchedule
from gannb.experiments.schedules.params import Schedules
from gannb.networks import dcgan
from gannb.random import seeded
from gannb.runs import environment
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer

DOCUMENT = Schedules(**presets.preset("schedules", "document"))
LATENT, RANGES = DOCUMENT.latent_dim, DOCUMENT.ranges


def measure(variant: str, steps: int, width: int, device: str, folder: str) -> dict[str, float]:
    """Seconds a step and an update, and the memory over what there was before."""
    images = load(size=32)
    with seeded("G"):
        G = dcgan.Generator(LATENT, width, 32)
    with seeded("D"):
        D = dcgan.Discriminator(width, 32, spectral=DOCUMENT.d_norm == "spectral")
    losses = Losses(DOCUMENT)
    players = [
        Player("D", D, losses.d_loss, lr=lambda now: now.lr_d),
        Player("G", G, losses.g_loss, lr=lambda now: now.lr_g),
    ]
    run = Run.open(DOCUMENT.configured_as(variant, 0, runs=folder, threads=1, device=device))
    batches = Batches(images.train.pixels, DOCUMENT.batch_size, seed=0, device=run.device)
    trainer = Trainer(players, batches, Numbers.of(run.params), run)
    state = State(DOCUMENT_FEATURES, RANGES, steps)
    held_out = images.validation.pixels.to(run.device)
    objective = ValidationObjective(held_out, losses.latents, count=DOCUMENT.objective_count)
    estimator = Hypergradient(objective, {"quality": 1.0, "stability": 0.1}, batch=DOCUMENT.lookahead_batch)
    controller = MetaController(state.size, len(RANGES))
    learned = LearnedSchedule(controller, RANGES, state, steps_per_move=1, estimator=estimator, moves_per_update=1)
    learned.attach(trainer)
    before, spent, updates = environment.peak_memory(run.device), [], []
    clock = time.perf_counter if run.device.type == "cuda" else time.process_time

    def timed(work: Callable[[], object]) -> float:
        device_options.synchronise(run.device)
        began = clock()
        work()
        device_options.synchronise(run.device)
        return clock() - began

    for step in range(steps):
        spent.append(timed(trainer.advance))
        if variant == "learned":
            seen = trainer.recorder.last or {"D/loss": 1.0}
            updates.append(timed(lambda at=step + 1, seen=seen: learned(at, seen, trainer.numbers.values())))
    per_epoch = trainer.batches.per_epoch
    found = {"step_seconds": median(spent[2:]), "steps_per_epoch": per_epoch}
    found["memory_mb"] = (environment.peak_memory(run.device) - before) / 2**20
    return found | ({"update_seconds": median(updates[2:])} if updates else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in {"steps": 12, "width": 16}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help="write results/learned_cost.json")
    device_options.option(parser)
    given = vars(parser.parse_args())
    keeps, device = given.pop("keep"), device_options.chosen(given["device"])
    given["device"] = str(device)
    if variant := given.pop("variant"):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(variant, **given, folder=folder)))
        return
    flags = [f"--{name}={value}" for name, value in given.items()]
    variants = {}
    for variant in ("fixed", "learned"):
        done = subprocess.run([sys.executable, __file__, "--variant", variant, *flags], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the {variant} variant failed:\n{done.stderr}")
        variants[variant] = json.loads(done.stdout.splitlines()[-1])
    learned, memory = variants["learned"], variants["fixed"]["memory_mb"]
    in_steps = learned["update_seconds"] / learned["step_seconds"]
    learned |= {
        "update_in_steps": round(in_steps, 2),
        "time_over_fixed": round(in_steps / (DOCUMENT.update_every * learned["steps_per_epoch"]), 4),
        "memory_over_fixed": round(learned["memory_mb"] / memory, 2),
    }
    settings = {
        **{name: given[name] for name in ("steps", "width")},
        "batch": DOCUMENT.batch_size,
        "look": DOCUMENT.lookahead_batch,
        "count": DOCUMENT.objective_count,
    }
    trials = [numbers(variant, **found) for variant, found in variants.items()]
    command = f"python benchmarks/learned_cost.py {' '.join(flags)} --keep"
    head = {"question": "What does a learned schedule cost over a fixed one?", "data": "8 x 8 digits at 32 pixels"}
    head |= {"command": command, "hardware": hardware(device), "settings": settings, "torch": torch.__version__}
    if keeps:
        keep(device_options.named("learned_cost", device), trials, **head)
    print(Comparison(trials).table(("update_in_steps", "time_over_fixed", "memory_over_fixed"), intervals=False))


if __name__ == "__main__":
    main()
