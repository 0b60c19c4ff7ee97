"""Modes found by WGAN-GP with the document's numbers and with the laboratory's, beside GANs without a penalty.

    python benchmarks/laboratory.py --out results/laboratory.json            # both toys, all arms, 1 seed: an hour
    python benchmarks/laboratory.py --toys "8 Gaussians" --steps 2000        # a look

Every arm gets the same steps. Prints a row per trial, with its seconds, and adds it to the file that `--out` names.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from gannb.data.toys import toy
from gannb.experiments.motion_wgan_gp.critic_metrics import critic_state, samples
from gannb.experiments.motion_wgan_gp.laboratory import bench
from gannb.experiments.motion_wgan_gp.params import DEFECTS, TOYS, Laboratory
from gannb.runs.folder import Run
from gannb.tables import Table

DOCUMENT = {
    "gp_weight": 10.0, "lr_d": 1e-4, "lr_g": 1e-4, "lr_falls": False, "beta1": 0.0, "ema": 0.0, "latent_dim": 8,
    "batch_size": 256,
}  # fmt: skip
PLAIN = {"loss": "non_saturating", "n_critic": 1}
USUAL = PLAIN | {"lr_d": 1e-3, "lr_g": 1e-3, "lr_falls": False, "ema": 0.0, "beta2": 0.999}

ARMS: dict[str, dict[str, Any]] = {
    "document": DOCUMENT,
    "document, lr 10e-4": DOCUMENT | {"lr_d": 1e-3, "lr_g": 1e-3},
    "laboratory": {},
    "laboratory, λ 10": {"gp_weight": 10.0},
    "plain GAN": USUAL,
    "plain GAN, the laboratory's numbers": PLAIN,
    "laboratory, rates that stay": {"lr_falls": False},
    "laboratory, no average": {"ema": 0.0},
    "laboratory, β1 0": {"beta1": 0.0},
    "laboratory, latent of 8": {"latent_dim": 8},
    "laboratory, 1 turn": {"n_critic": 1},
    "laboratory, 20 turns": {"n_critic": 20},
    **{f"laboratory, {defect}": {"defect": defect} for defect in DEFECTS if defect != "none"},
}


def trial(name: str, arm: str, seed: int, steps: int) -> dict[str, object]:
    """Train for so many steps; what the averaged generator then covers, and what the critic says."""
    data = toy(name, seed)
    with tempfile.TemporaryDirectory() as runs:
        run = Run.open(Laboratory(toy=name, seed=seed, steps=steps, runs=runs, threads=1, **ARMS[arm]))
        trainer = bench(run, data)
        began = time.process_time()
        for _ in range(steps):
            trainer.advance()
        spent = time.process_time() - began
        D, G = trainer.network("D"), trainer.network("G")
        row = {
            "toy": name,
            "arm": arm,
            "seed": seed,
            "steps": steps,
            "seconds": round(trainer.seconds, 1),
            "cpu_seconds": round(spent, 1),
        }
        row |= data.coverage(samples(trainer.ema("G"), 4096, seed)).as_dict() | {"modes": data.modes}
        return row | critic_state(D, G, data.train, data.held_out, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", nargs="*", default=["8 Gaussians", "25 Gaussians"], choices=TOYS[:3])
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=30_000, help="a trial; a step is a turn of the critic")
    parser.add_argument("--out", type=Path, help="where to add the rows as JSON")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in given.toys:
        for arm in given.arms:
            for seed in given.seeds:
                rows.append(trial(name, arm, seed, given.steps))
                print(json.dumps(rows[-1]), flush=True)
                if given.out:
                    add(given.out, rows[-1])
    print(Table.of(rows))


def add(path: Path, row: dict[str, object]) -> None:
    """Put a row in a result file, in the place of one of the same trial."""
    same = ("toy", "arm", "seed", "steps")
    before = json.loads(path.read_text()) if path.exists() else {"rows": []}
    rows = [old for old in before["rows"] if [old[k] for k in same] != [row[k] for k in same]] + [row]
    arms = {arm: ARMS[arm] for arm in ARMS if arm in {kept["arm"] for kept in rows}}
    command = "python benchmarks/laboratory.py --out results/laboratory.json"
    path.write_text(json.dumps({"command": command, "arms": arms, "rows": rows}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
