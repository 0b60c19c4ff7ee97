"""Training the SAGAN in bf16 with channels last, as the notebook does, beside plain eager fp32, in one run.

    python benchmarks/precision.py [--steps 12] [--pairs 5] [--width 32]

Both train the same networks from the same weights on the same batches; blocks of steps alternate within one process.
Prints the ratio of their times by the clock and by the processor, and the share by which the losses of the blocks
differ. Writes `results/precision.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import nn

from gannb.losses.adversarial import bce
from gannb.networks import sagan
from gannb.random import Draws, generator, seeded
from gannb.runs import environment

ROOT = Path(__file__).parents[1]
BATCH, LATENT, SIZE = 16, 128, 64


def loop(width: int, *, tuned: bool) -> Callable[[int], float]:
    """A step of training: bf16, channels last and fused Adam, or plain fp32. Returns D's loss."""
    with seeded(0, "G"):
        G = sagan.Generator(LATENT, width, SIZE)
    with seeded(0, "D"):
        D = sagan.Discriminator(width, SIZE)
    if tuned:
        G, D = (network.to(memory_format=torch.channels_last) for network in (G, D))
    adams = {n: torch.optim.Adam(n.parameters(), 2e-4, (0.0, 0.9), fused=tuned) for n in (G, D)}
    images = torch.rand(64, 1, SIZE, SIZE, generator=generator("images")) * 2 - 1

    def update(network: nn.Module, loss: Callable[[], torch.Tensor]) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=tuned):
            value = loss()
        adams[network].zero_grad()
        value.backward()
        adams[network].step()
        return float(value)

    def step(at: int) -> float:
        batch = images[(torch.arange(BATCH) + at * BATCH) % len(images)]
        z = Draws(0, at).randn("z", BATCH, LATENT)
        G.requires_grad_(False)
        on_d = update(D, lambda: bce(D(batch), 0.9) + bce(D(G(z)), 0.0))
        G.requires_grad_(True)
        D.requires_grad_(False)
        update(G, lambda: bce(D(G(z)), 1.0))
        D.requires_grad_(True)
        return on_d

    return step


def timed(step: Callable[[int], float], first: int, steps: int) -> tuple[float, float, float]:
    """Seconds by the clock and by the processor, and the mean loss, of a block of steps."""
    clock, cpu = time.perf_counter(), time.process_time()
    loss = sum(step(first + i) for i in range(steps)) / steps
    return time.perf_counter() - clock, time.process_time() - cpu, loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--width", type=int, default=32)
    args = parser.parse_args()
    plain, tuned = loop(args.width, tuned=False), loop(args.width, tuned=True)
    load = os.getloadavg()[0]
    for step in (plain, tuned):
        timed(step, 0, 2)
    pairs = []
    for pair in range(args.pairs):
        first = 2 + pair * args.steps
        pairs.append((timed(plain, first, args.steps), timed(tuned, first, args.steps)))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    found = {
        "command": f"python benchmarks/precision.py --steps {args.steps} --pairs {args.pairs} --width {args.width}",
        "commit": commit.strip(),
        "environment": environment.describe(torch.device("cpu")),
        "load_before": round(load, 1),
        "plain_fp32_ms_a_step": round(1e3 * median(a[0] for a, _ in pairs) / args.steps, 1),
        "bf16_ms_a_step": round(1e3 * median(b[0] for _, b in pairs) / args.steps, 1),
        "ratio_by_clock": round(median(a[0] / b[0] for a, b in pairs), 3),
        "ratio_by_processor": round(median(a[1] / b[1] for a, b in pairs), 3),
        "loss_fp32_last_block": round(pairs[-1][0][2], 4),
        "loss_bf16_last_block": round(pairs[-1][1][2], 4),
    }
    (ROOT / "results" / "precision.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
