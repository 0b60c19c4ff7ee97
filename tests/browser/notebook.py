"""A small notebook to steer: two tiny networks on 16×16 spots of light, with every kind of number."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SETUP = """
import math, time
import torch
from torch import nn
from gannb.data.batches import Batches
from gannb.random import generator, seeded
from gannb.control.alarms import Lasting
from gannb.control.numbers import Numbers
from gannb.control.schedules import Schedule
from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from gannb.widgets.live_view import live

rate = dict(group="optimiser", low=0, high=1, open_low=True, slider=(1e-6, 1e-2), scale="log", moves=True)

class Spots(Experiment):
    name = "spots"
    seed: int = param(0, "every random draw follows from it", low=0)
    steps: int = param(400, "how long", low=1, grows=True)
    lr_d: float = param(1e-3, "D's learning rate", **rate)
    lr_g: float = param(1e-3, "G's learning rate", **rate)
    real_label: float = param(0.9, "target for real images in D's loss", group="loss", low=0, high=1, moves=True)
    noise: float = param(0.3, "noise on what D sees", group="loss", low=0, high=2, moves=True)
    g_turns: int = param(1, "G's turns a step", group="balance", low=0, high=8, moves=True)
"""

TRAINER = """
p = Spots(runs=RUNS, threads=1, steps=STEPS, live=LIVE, replay=REPLAY)
run = Run.open(p)
y, x = torch.meshgrid(torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16), indexing="ij")
where = torch.rand(256, 2, generator=generator("where")) - 0.5
spots = 2 * torch.exp(-((x - where[:, :1, None]) ** 2 + (y - where[:, 1:, None]) ** 2) * 8) - 1
with seeded(0, "G"):
    G = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 256), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
with seeded(0, "D"):
    D = nn.Sequential(nn.Flatten(), nn.Linear(256, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
bce = nn.functional.binary_cross_entropy_with_logits
fake = lambda turn: turn.G(turn.draws.randn("z", len(turn.batch), 8))

def d_loss(turn):
    noisy = lambda images, name: images + turn.now.noise * turn.draws.randn(name, *images.shape)
    real, made = turn.D(noisy(turn.batch, "real")), turn.D(noisy(fake(turn), "made"))
    turn.log(real=real.sigmoid().mean(), fake=made.sigmoid().mean())
    return bce(real, turn.now.real_label.expand_as(real)) + bce(made, torch.zeros_like(made))

def g_loss(turn):
    made = turn.D(fake(turn))
    return bce(made, torch.ones_like(made))

numbers = Numbers.of(p).drive(Schedule("noise", lambda step: 0.3 * 0.5 ** (step / 500), label="exponential"))
players = [Player("D", D, d_loss, lr=lambda now: now.lr_d), Player("G", G, g_loss, lr=lambda now: now.lr_g, ema=0.99)]
trainer = Trainer(
    players, Batches(spots[:, None], 16, seed=p.seed), numbers, run,
    turns=lambda now, step: ["D"] + ["G"] * now.g_turns,
    alarms=[Lasting("D(x) < 0.5", lambda seen: seen["D/real"] < 0.5, "D is unsure of real images", patience=20)],
    checkpoint_every=50,
)
"""

LIVE = """
z = torch.randn(16, 8, generator=generator("grid"))
live(trainer, samples=lambda trainer: trainer.ema("G")(z))
"""

TRAIN = """
moved = [p.real_label]

def mark(trainer):  # when a move took effect, by the clock on the wall
    if trainer.numbers["real_label"].value != moved[-1]:
        moved.append(trainer.numbers["real_label"].value)
        with run.path("moved.txt").open("a") as file:
            print(time.time(), file=file)

if mark not in trainer.watchers:
    trainer.watchers += [mark, lambda trainer: time.sleep(PAUSE)]  # no faster than a person can watch
trainer.fit(steps=p.steps)
"""

AFTER = """print("weights", trainer.weights())"""


LATE = """
from gannb.widgets import message_priority
message_priority.install = lambda kernel: False
"""


def cells(
    runs: Path,
    *,
    steps: int = 400,
    live: str = "auto",
    pause: float = 0.01,
    replay: str = "",
    overtaking: bool = True,
) -> list[str]:
    """The code cells; run folders go to `runs`. Without overtaking the kernel is one that is deaf while it works."""
    head = f"RUNS, STEPS, LIVE, PAUSE, REPLAY = {str(runs)!r}, {steps}, {live!r}, {pause}, {replay!r}"
    return [cell.strip() for cell in (head, SETUP + LATE * (not overtaking), TRAINER, LIVE, TRAIN, AFTER)]


def write(path: Path, runs: Path, **options: object) -> Path:
    """Write the notebook."""
    made = [new_markdown_cell("# Spots"), *map(new_code_cell, cells(runs, **options))]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=made, metadata=kernel), path)
    return path
