"""What a step of the trainer adds to a bare loop: in µs on networks that do nothing, as a ratio on the SAGAN.

    python benchmarks/overhead.py [--steps 30] [--pairs 7]

Bare and trained steps alternate in blocks within one process, so that a busy machine slows both; times are of the
processor, which other load disturbs less than the clock's. The bare loop differs from itself by some per cent (printed
beside), so a small share shows in µs only. Writes `results/overhead.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import nn

from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.control.alarms import gan_alarms
from gannb.control.numbers import Numbers
from gannb.control.schedules import Schedule
from gannb.data.batches import Batches
from gannb.losses.adversarial import bce
from gannb.networks import sagan
from gannb.random import generator, seeded
from gannb.runs import environment
from gannb.runs.folder import Run
from gannb.training.diversity import Diversity
from gannb.training.player import Player
from gannb.training.trainer import Trainer

ROOT = Path(__file__).parents[1]
LR, LATENT = 2e-4, 128


class Bench(Experiment):
    """Numbers as a GAN has them."""

    name = "bench"
    seed: int = param(0, "every random draw follows from it", low=0)
    lr: float = param(LR, "learning rate", low=0, high=1, moves=True)
    real_label: float = param(0.9, "target for real images", low=0, high=1, moves=True)


class Null(nn.Module):
    """One weight that scales what comes in: as little as a network can do."""

    def __init__(self, to: int) -> None:
        super().__init__()
        self.scale, self.to = nn.Parameter(torch.ones(())), to

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x[:, : self.to]


def networks(kind: str, width: int) -> tuple[nn.Module, nn.Module]:
    """G and D: null ones, or the SAGAN at 64×64."""
    if kind == "null":
        return Null(2), Null(1)
    with seeded(0, "networks"):
        return sagan.Generator(LATENT, width), sagan.Discriminator(width)


def data(kind: str) -> torch.Tensor:
    """Real samples."""
    shape = (300, 2) if kind == "null" else (300, 1, 64, 64)
    return torch.randn(*shape, generator=generator("bench")).tanh()


def bare(kind: str, width: int, batch: int) -> Callable[[int], None]:
    """The loop as a notebook without gannb has it: the same draws, losses, optimisers, average and log of losses."""
    G, D = networks(kind, width)
    real = data(kind)
    players = {"D": D, "G": G}
    adam = {
        n: torch.optim.AdamW(m.parameters(), lr=LR, betas=(0.0, 0.9), weight_decay=0.0, fused=True)
        for n, m in players.items()
    }
    average = [p.detach().clone() for p in G.parameters()]
    seen: list[dict[str, torch.Tensor]] = []

    def step(_: int) -> None:
        x = real[torch.randint(0, len(real), (batch,))]
        for p in G.parameters():
            p.requires_grad_(False)
        adam["D"].zero_grad()
        d_loss = bce(D(x), 0.9) + bce(D(G(torch.randn(batch, LATENT))), 0.0)
        d_loss.backward()
        d_norm = nn.utils.get_total_norm([p.grad for p in D.parameters()])
        adam["D"].step()
        for p in G.parameters():
            p.requires_grad_(True)
        for p in D.parameters():
            p.requires_grad_(False)
        adam["G"].zero_grad()
        g_loss = bce(D(G(torch.randn(batch, LATENT))), 1.0)
        g_loss.backward()
        g_norm = nn.utils.get_total_norm([p.grad for p in G.parameters()])
        adam["G"].step()
        with torch.no_grad():
            torch._foreach_lerp_(average, list(G.parameters()), 0.01)
        for p in D.parameters():
            p.requires_grad_(True)
        seen.append({"D": d_loss.detach(), "D_norm": d_norm, "G": g_loss.detach(), "G_norm": g_norm})

    return step


def trained(kind: str, width: int, batch: int, folder: Path, alarms: bool = False) -> Callable[[int], None]:
    """The same through the trainer: recorded, steerable, with a moving number; with alarms and diversity if asked."""
    G, D = networks(kind, width)
    p = Bench(runs=str(folder))
    run = Run.open(p)

    def fake(turn):
        return turn.G(turn.draws.randn("z", len(turn.batch), LATENT))

    def d_loss(turn):
        real, made = turn.D(turn.batch), turn.D(fake(turn))
        if alarms:
            turn.log(real=real.sigmoid().mean(), fake=made.sigmoid().mean())
        return bce(real, turn.now.real_label) + bce(made, 0.0)

    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr),
        Player("G", G, lambda turn: bce(turn.D(fake(turn)), 1.0), lr=lambda now: now.lr, ema=0.99),
    ]
    numbers = Numbers.of(p).drive(Schedule("lr", lambda step: LR * 0.99 ** (step // 50)))
    trainer = Trainer(
        players, Batches(data(kind), batch, seed=0), numbers, run,
        alarms=gan_alarms() if alarms else (), checkpoint_every=0,
    )  # fmt: skip
    if alarms:
        trainer.every(steps=50, do=Diversity(fake))
    trainer.start().session.running = True

    def step(_: int) -> None:
        trainer.session.boundary(Quiet)
        trainer.advance()

    return step


class Quiet:
    """Nobody interrupts."""

    asked = False


def paired(loops: dict[str, Callable[[int], None]], steps: int, pairs: int) -> dict[str, list[float]]:
    """Processor seconds a step of each loop, block by block in turn; the order is turned round every time."""
    for loop in loops.values():
        for i in range(5):
            loop(i)
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for block in range(pairs):
        for name in list(loops)[:: 1 if block % 2 else -1]:
            began = time.process_time()
            for i in range(steps):
                loops[name](i)
            seconds[name].append((time.process_time() - began) / steps)
    return seconds


def ratios(one: list[float], two: list[float]) -> float:
    """The median over pairs of `one` to `two`."""
    return median(a / b for a, b in zip(one, two))


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--steps", type=int, default=30, help="SAGAN steps a block; null networks take 20 times as many"
    )
    parser.add_argument("--pairs", type=int, default=7, help="blocks of each kind")
    parser.add_argument("--width", type=int, default=32, help="ngf and ndf")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        null = {"bare": bare("null", 0, 16), "trainer": trained("null", 0, 16, path / "n")}
        null = paired(null, given.steps * 20, given.pairs)
        loops = {"bare": bare("sagan", given.width, 16), "again": bare("sagan", given.width, 16)}
        loops |= {"trainer": trained("sagan", given.width, 16, path / "s")}
        loops |= {"alarms": trained("sagan", given.width, 16, path / "a", alarms=True)}
        whole = paired(loops, given.steps, given.pairs)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    result = {
        "command": f"python benchmarks/overhead.py --steps {given.steps} --pairs {given.pairs} --width {given.width}",
        "commit": commit,
        "environment": environment.describe(torch.device("cpu")),
        "load_before": round(os.getloadavg()[0], 1),
        "added_us_a_step_null_networks": round(1e6 * median(t - b for t, b in zip(null["trainer"], null["bare"])), 1),
        "bare_null_step_us": round(1e6 * median(null["bare"]), 1),
        "sagan_ms_a_step_bare": round(1e3 * median(whole["bare"]), 2),
        "sagan_trainer_to_bare": round(ratios(whole["trainer"], whole["bare"]), 4),
        "sagan_bare_to_itself": round(ratios(whole["again"], whole["bare"]), 4),
        "sagan_alarms_to_trainer": round(ratios(whole["alarms"], whole["trainer"]), 4),
    }
    (ROOT / "results" / "overhead.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
