"""Modes found by WGAN-GP with the document's numbers and with the laboratory's, beside GANs without a penalty.

    python benchmarks/laboratory.py --keep                              # both toys, all variants, 1 seed: an hour
    python benchmarks/laboratory.py --toys "8 Gaussians" --steps 2000   # a look

Every variant gets the same steps. With `--keep` they are added to `results/laboratory.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from typing import Any

import device as device_options
import torch

from gannb.comparison.results import hardware, keep
from gannb.comparison.trials import Trial
from gannb.data.toys import toy
from gannb.experiments.motion_wgan_gp.critic_metrics import critic_state, samples
from gannb.experiments.motion_wgan_gp.laboratory import bench
from gannb.experiments.motion_wgan_gp.params import DEFECTS, TOYS, Laboratory
from gannb.metrics.score import Score, Scores
from gannb.runs.folder import Run

DOCUMENT = {
    "gp_weight": 10.0, "lr_d": 1e-4, "lr_g": 1e-4, "lr_falls": False, "beta1": 0.0, "ema": 0.0, "latent_dim": 8,
    "batch_size": 256,
}  # fmt: skip
PLAIN = {"loss": "non_saturating", "n_critic": 1}
USUAL = PLAIN | {"lr_d": 1e-3, "lr_g": 1e-3, "lr_falls": False, "ema": 0.0, "beta2": 0.999}

QUESTION = (
    "Does WGAN-GP find every mode of a toy, with the document's numbers and with the laboratory's, beside GANs "
    "without a penalty?"
)
VARIANTS: dict[str, dict[str, Any]] = {
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


def trial(name: str, variant: str, seed: int, steps: int, device: torch.device) -> Trial:
    """Train for so many steps; what the averaged generator then covers, and what the critic says."""
    data = toy(name, seed)
    with tempfile.TemporaryDirectory() as runs:
        execution = {"runs": runs, "threads": 1, "device": str(device)}
        run = Run.open(Laboratory(toy=name, seed=seed, steps=steps, **execution, **VARIANTS[variant]))
        trainer = bench(run, data)
        began = time.process_time()
        for _ in range(steps):
            trainer.advance()
        spent = round(time.process_time() - began, 1)
        found = data.coverage(samples(trainer.ema("G"), 4096, seed)).as_dict() | {"modes": data.modes}
        found |= critic_state(trainer.network("D"), trainer.network("G"), data.train, data.held_out, seed=seed)
        scores = Scores(Score(key, value) for key, value in found.items())
        label = f"{name}: {variant}, {steps} steps"
        return Trial(label, seed, scores, steps, round(trainer.seconds, 1), spent)


def main() -> None:
    """Train each variant on each toy, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", nargs="*", default=["8 Gaussians", "25 Gaussians"], choices=TOYS[:3])
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=30_000, help="of each; a step is a turn of the critic")
    parser.add_argument("--keep", action="store_true", help="add them to results/laboratory.json")
    device_options.option(parser)
    given = parser.parse_args()
    device = device_options.chosen(given.device)
    torch.set_num_threads(1)
    for name, variant, seed in itertools.product(given.toys, given.variants, given.seeds):
        found = trial(name, variant, seed, given.steps, device)
        print(json.dumps(found.as_dict(), ensure_ascii=False), flush=True)
        if given.keep:
            command = "python benchmarks/laboratory.py --keep"
            head = {"question": QUESTION, "command": command, "hardware": hardware(device)}
            keep(device_options.named("laboratory", device), [found], metric="share_near", better="high", **head)


if __name__ == "__main__":
    main()
