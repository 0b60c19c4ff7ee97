"""Modes found by WGAN-GP with the document's numbers and with the laboratory's, beside a plain GAN, on points.

    python benchmarks/laboratory.py                                          # both toys, all arms, 1 seed
    python benchmarks/laboratory.py --toys "8 Gaussians" --steps 2000        # a look

Every arm gets the same steps. Prints a row a trial, with its seconds, and writes all of them where `--out` says.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from gannb.data.batches import Batches
from gannb.data.toys import TOYS, Toy, toy
from gannb.draws import generator, seeded
from gannb.dynamics.numbers import Numbers
from gannb.losses import adversarial as L
from gannb.losses.penalty_defects import DEFECTS, critic_options, penalty_with
from gannb.metrics.critic import distances, slope_norms
from gannb.models.toys import PointCritic, PointGenerator
from gannb.params.declaration import Experiment, param
from gannb.runs.folder import Run
from gannb.tables import Table
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from gannb.training.turn import Turn

LATENT = 8


@dataclass(frozen=True)
class Arm:
    """What one trial is made with."""

    gp_weight: float = 10.0
    lr: float = 1e-4
    ema: float = 0.0
    n_critic: int = 5
    loss: str = "wasserstein"
    defect: str = "none"


ARMS = {
    "document": Arm(),
    "laboratory": Arm(gp_weight=0.1, lr=1e-3, ema=0.995),
    "laboratory, λ 10": Arm(lr=1e-3, ema=0.995),
    "plain GAN": Arm(loss="non-saturating", lr=1e-3, ema=0.995, n_critic=1),
    **{f"laboratory, {d}": Arm(0.1, 1e-3, 0.995, defect=d) for d in ("batch_norm", "dropout", "one_mix")},
}


class Trial(Experiment):
    """What a trial's run may be told."""

    name = "laboratory"
    seed: int = param(0, "every random draw follows from it", low=0)


def build(run: Run, data: Toy, arm: Arm, *, width: int = 128, batch_size: int = 256) -> Trainer:
    """A trainer of one arm on points."""
    with seeded(run.params.seed, "G"):
        G = PointGenerator(LATENT, width)
    with seeded(run.params.seed, "D"):
        D = PointCritic(width, **critic_options(arm.defect))
    plain, penalise = arm.loss == "non-saturating", penalty_with(arm.defect)

    def fake(turn: Turn) -> torch.Tensor:
        return turn.G(turn.draws.randn("z", len(turn.batch), LATENT))

    def d_loss(turn: Turn) -> torch.Tensor:
        made = fake(turn)
        if plain:
            return L.non_saturating_d(turn.D(turn.batch), turn.D(made))
        penalty, norms = penalise(turn.D, turn.batch, made, turn.draws.rand("mix", len(made)))
        w = L.wasserstein(turn.D(turn.batch), turn.D(made))
        turn.log(W=w, slope=norms.mean())
        return turn.now.gp_weight * penalty - w

    def g_loss(turn: Turn) -> torch.Tensor:
        return (L.non_saturating_g if plain else L.wasserstein_g)(turn.D(fake(turn)))

    return Trainer(
        [
            Player("D", D, d_loss, lr=lambda now: now.lr),
            Player("G", G, g_loss, lr=lambda now: now.lr, ema=arm.ema),
        ],
        Batches(data.train, batch_size, seed=run.params.seed),
        Numbers.plain(gp_weight=arm.gp_weight, lr=arm.lr, n_critic=arm.n_critic),
        run,
        turns=lambda now, step: ["D"] + ["G"] * ((step + 1) % now.n_critic == 0),
        checkpoint_every=0,
        record_every=100,
    )


def trial(name: str, arm: str, seed: int, steps: int) -> dict[str, object]:
    """Train for so many steps; what the averaged generator then covers, and what the critic says."""
    data = toy(name, seed)
    with tempfile.TemporaryDirectory() as runs:
        trainer = build(Run.open(Trial(seed=seed, runs=runs)), data, ARMS[arm])
        for _ in range(steps):
            trainer.advance()
        D, G = trainer.network("D"), trainer.ema("G")
        z = torch.randn(4096, LATENT, generator=generator("laboratory", "z", seed))
        made = G(z).detach()
        norms = slope_norms(D, data.held_out, made[:2048], torch.rand(2048, generator=generator("mix", seed)))
        row = {"toy": name, "arm": arm, "seed": seed, "steps": trainer.step, "seconds": round(trainer.seconds, 1)}
        row |= data.coverage(made).as_dict() | {"modes": data.modes, "slope": float(norms.mean())}
        return row | distances(D, data.train, data.held_out, made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", nargs="*", default=["8 Gaussians", "25 Gaussians"], choices=list(TOYS)[:3])
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=30_000, help="a trial; a step is a turn of the critic")
    parser.add_argument("--out", type=Path, help="where to write the rows as JSON")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in given.toys:
        for arm in given.arms:
            for seed in given.seeds:
                rows.append(trial(name, arm, seed, given.steps))
                print(json.dumps(rows[-1]), flush=True)
    print(Table.of(rows))
    if given.out:
        arms = {arm: asdict(ARMS[arm]) for arm in given.arms}
        given.out.write_text(json.dumps({"arms": arms, "defects": DEFECTS, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
