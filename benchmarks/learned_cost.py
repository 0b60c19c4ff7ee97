"""What a learned schedule costs over a fixed one: a lesson in steps of training, and the memory it needs.

    python benchmarks/learned_cost.py [--steps 12] [--width 16]

Batch, look-ahead, augmentation and interval are those of `params/schedules/document.yaml`; only the width is smaller.
Each arm trains a DCGAN at 32 px on digits in a process of its own, whose memory before training is taken off its
peak. Lessons and steps alternate in one process and are timed by the processor, which other load disturbs less than
the clock. The share of time is for a lesson every 5 epochs (schedules §4.3). Writes `results/learned_cost.json`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from gannb.config import presets
from gannb.control.numbers import Numbers
from gannb.data.augmentation import augment
from gannb.data.batches import Batches
from gannb.experiments.schedules.control_space import DOCUMENTED, State
from gannb.experiments.schedules.controller import MetaController
from gannb.experiments.schedules.datasets import load
from gannb.experiments.schedules.held_out import HeldOut
from gannb.experiments.schedules.hypergradient import Hypergradient
from gannb.experiments.schedules.learned import Learned
from gannb.experiments.schedules.params import Schedules
from gannb.losses import adversarial, penalties
from gannb.networks import dcgan
from gannb.random import seeded
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer

ROOT = Path(__file__).parents[1]
DOCUMENT = Schedules(**presets.preset("schedules", "document"))
LATENT, RANGES = DOCUMENT.latent_dim, DOCUMENT.ranges


def view(turn, x):
    """What D sees, as in the notebook."""
    x = augment(x, turn.draws, DOCUMENT.policy, strength=turn.now.augment_strength)
    return x + turn.now.instance_noise.sqrt() * turn.draws.randn("noise", *x.shape)


def fake(turn):
    return turn.G(turn.draws.randn("z", len(turn.batch), LATENT))


def d_loss(turn):
    made = fake(turn)
    mix = turn.draws.rand("mix", len(made))
    penalty, _ = penalties.gradient_penalty(turn.D, turn.batch, made, mix)
    real, seen = turn.D(view(turn, turn.batch)), turn.D(view(turn, made))
    return adversarial.non_saturating_d(real, seen) + turn.now.reg_weight * penalty


def g_loss(turn):
    return adversarial.non_saturating_g(turn.D(view(turn, fake(turn))))


def peak() -> float:
    """The most memory this process had so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(arm: str, steps: int, width: int, folder: str) -> dict[str, float]:
    """Seconds a step and a lesson, and the memory over what there was before."""
    pictures = load(size=32)
    with seeded("G"):
        G = dcgan.Generator(LATENT, width, 32)
    with seeded("D"):
        D = dcgan.Discriminator(width, 32, spectral=DOCUMENT.d_norm == "spectral")
    players = [Player("D", D, d_loss, lr=lambda now: now.lr_d), Player("G", G, g_loss, lr=lambda now: now.lr_g)]
    run = Run.open(DOCUMENT.variant(arm, 0, runs=folder, threads=1, device="cpu"))
    trainer = Trainer(players, Batches(pictures.train.pixels, DOCUMENT.batch_size, seed=0), Numbers.of(run.params), run)
    state = State(DOCUMENTED, RANGES, steps)
    guide = HeldOut(pictures.guide.pixels, lambda draws, n, now: draws.randn("z", n, LATENT), count=DOCUMENT.look_count)
    teacher = Hypergradient(guide, {"quality": 1.0, "stability": 0.1}, batch=DOCUMENT.look_batch)
    controller = MetaController(state.size, len(RANGES))
    learned = Learned(controller, RANGES, state, steps_per_epoch=1, teacher=teacher, every=1).attend(trainer)
    before, spent, lessons = peak(), [], []
    for step in range(steps):
        began = time.process_time()
        trainer.advance()
        spent.append(time.process_time() - began)
        if arm == "learned":
            began = time.process_time()
            learned(step + 1, trainer.recorder.last or {"D/loss": 1.0}, trainer.numbers.values())
            lessons.append(time.process_time() - began)
    per_epoch = trainer.batches.per_epoch
    found = {"step_seconds": median(spent[2:]), "memory_mb": peak() - before, "steps_per_epoch": per_epoch}
    return found | ({"lesson_seconds": median(lessons[2:])} if lessons else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in {"steps": 12, "width": 16}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--arm", help=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    if arm := given.pop("arm"):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(arm, **given, folder=folder)))
        return
    flags = [f"--{name}={value}" for name, value in given.items()]
    arms = {}
    for arm in ("fixed", "learned"):
        told = subprocess.run([sys.executable, __file__, "--arm", arm, *flags], capture_output=True, text=True)
        if told.returncode:
            raise RuntimeError(f"the {arm} arm failed:\n{told.stderr}")
        arms[arm] = json.loads(told.stdout.splitlines()[-1])
    learned = arms["learned"]
    in_steps = learned["lesson_seconds"] / learned["step_seconds"]
    result = {
        "settings": given | {"batch": DOCUMENT.batch_size, "look": DOCUMENT.look_batch, "count": DOCUMENT.look_count},
        "arms": arms,
        "lesson_in_steps": round(in_steps, 2),
        "time_over_fixed": round(in_steps / (DOCUMENT.learn_every * learned["steps_per_epoch"]), 4),
        "memory_over_fixed": round(learned["memory_mb"] / arms["fixed"]["memory_mb"], 2),
        "torch": torch.__version__,
    }
    (ROOT / "results" / "learned_cost.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
