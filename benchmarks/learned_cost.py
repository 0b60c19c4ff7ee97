"""What a learned schedule costs over a fixed one: an update in steps of training, and the memory it needs.

    python benchmarks/learned_cost.py [--preset quick] [--steps 12] [--width 16] [--device cuda] [--keep]

Image size, batch, look-ahead, augmentation and interval are those of a preset, `document` or `quick`, whose trials are
in `results/schedules_digits.json`; the width is that of `quick`. Each variant trains a DCGAN on digits in a process of
its own, whose memory before training is taken off its peak. Updates and steps alternate in one process and are timed by
the processor, which other load disturbs less than the clock. The share of time is for the preset's interval between
updates (`document`: 5 epochs, schedules §4.3). `--keep` writes `results/learned_cost.json`.
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
from gannb.experiments.schedules.meta.control_space import State
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


def measure(variant: str, preset: str, steps: int, width: int, device: str, folder: str) -> dict[str, float]:
    """Seconds a step and an update, and the memory over what there was before."""
    p = Schedules(**presets.preset("schedules", preset))
    images = load(size=p.image_size)
    with seeded("G"):
        G = dcgan.Generator(p.latent_dim, width, p.image_size)
    with seeded("D"):
        D = dcgan.Discriminator(width, p.image_size, spectral=p.d_norm == "spectral")
    losses = Losses(p)
    players = [
        Player("D", D, losses.d_loss, lr=lambda now: now.lr_d),
        Player("G", G, losses.g_loss, lr=lambda now: now.lr_g),
    ]
    run = Run.open(p.configured_as(variant, 0, runs=folder, threads=1, device=device))
    batches = Batches(images.train.pixels, p.batch_size, seed=0, device=run.device)
    trainer = Trainer(players, batches, Numbers.of(run.params), run)
    state = State(p.state, p.ranges, steps)
    held_out = images.validation.pixels.to(run.device)
    objective = ValidationObjective(held_out, losses.latents, count=p.objective_count)
    weighting = {"quality": p.quality_weight, "stability": p.stability_weight}
    estimator = Hypergradient(objective, weighting, batch=p.lookahead_batch)
    controller = MetaController(state.size, len(p.ranges), p.hidden)
    learned = LearnedSchedule(controller, p.ranges, state, steps_per_move=1, estimator=estimator, moves_per_update=1)
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
    interval = (p.move_every or trainer.batches.per_epoch) * p.update_every
    found = {"step_seconds": median(spent[2:]), "steps_per_update": interval}
    found["memory_mb"] = (environment.peak_memory(run.device) - before) / 2**20
    return found | ({"update_seconds": median(updates[2:])} if updates else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=presets.presets("schedules"), default="document")
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
        "time_over_fixed": round(in_steps / learned["steps_per_update"], 4),
        "memory_over_fixed": round(learned["memory_mb"] / memory, 2),
    }
    of = "" if given["preset"] == "document" else f", {given['preset']} preset"
    trials = [numbers(variant + of, **found) for variant, found in variants.items()]
    settings = {name: given[name] for name in ("steps", "width")}
    shown = [f"--{name}={value}" for name, value in settings.items()]
    command = f"python benchmarks/learned_cost.py {' '.join(shown)} --keep, and with --preset quick"
    question = "What does a learned schedule cost over a fixed one, in the document's preset and in the quick one?"
    head = {"question": question, "data": "8 x 8 digits at the preset's size", "command": command}
    head |= {"hardware": hardware(device), "settings": settings, "torch": torch.__version__}
    if keeps:
        keep(device_options.named("learned_cost", device), trials, **head)
    print(Comparison(trials).table(("update_in_steps", "time_over_fixed", "memory_over_fixed"), intervals=False))


if __name__ == "__main__":
    main()
