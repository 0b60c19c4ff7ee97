"""How long a training step takes: plain loops, the trainer, and the trainer with captured turns, in each precision.

    python benchmarks/steps.py                                      # the SAGAN, on a card where there is one
    python benchmarks/steps.py --experiments gestures wgan identity --scale document --keep

`null` are networks that do nothing: what the trainer adds. The SAGAN stands beside plain loops, as a notebook without
gannb has them: the same draws, losses, average and log; one with torch's defaults, one as a single CUDA graph (`bare
captured`). Loops take turns, block by block, within one process, so that a busy machine slows all; times are of the
processor, which other load disturbs less than the clock, and on a card of the clock. A CPU has no graphs: there the
trainer replays the operations that it recorded, and the bare loop is a plain call on the same static inputs. `--keep`
writes `results/steps.json` (`steps_cuda.json` on a card).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import device as device_options
import torch
from torch import nn

from gannb.comparison.results import hardware, keep, numbers
from gannb.comparison.trials import Trial
from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.config.presets import preset
from gannb.control.numbers import Numbers
from gannb.control.schedules import Schedule
from gannb.data.batches import Batches
from gannb.losses.adversarial import bce
from gannb.networks import sagan
from gannb.random import generator, seeded
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer

LR, LATENT, BATCH = 2e-4, 128, 16
Step = Callable[[], object]
Make = Callable[[Run, torch.device, str], Trainer]


class Bench(Experiment):
    """Numbers as a GAN has them."""

    name = "bench"
    seed: int = param(0, "every random draw follows from it", low=0)
    lr: float = param(LR, "learning rate", low=0, high=1, moves=True)
    real_label: float = param(0.9, "target for real images", low=0, high=1, moves=True)


class Null(nn.Module):
    """One weight that scales what comes in: as little as a network can do."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.scale, self.outputs = nn.Parameter(torch.ones(())), outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x[:, : self.outputs]


def networks(kind: str, width: int, device: torch.device) -> tuple[nn.Module, nn.Module, torch.Tensor]:
    """G, D and real samples: null ones, or a SAGAN at 64×64."""
    with seeded(0, "networks"):
        G, D = (Null(2), Null(1)) if kind == "null" else (sagan.Generator(LATENT, width), sagan.Discriminator(width))
    shape = (300, 2) if kind == "null" else (300, 1, 64, 64)
    return G.to(device), D.to(device), torch.randn(*shape, generator=generator("bench")).tanh().to(device)


def plain(
    kind: str, width: int, device: torch.device, precision: str, *, tuned: bool = True, captured: bool = False
) -> Callable[[], torch.Tensor]:
    """A step as a notebook without gannb has it; it gives D's and G's losses and gradient norms `[4]`.

    Args:
        kind: of the networks.
        width: of the SAGAN.
        device: of the networks.
        precision: of forward passes.
        tuned: channels last and a fused optimiser, as in the trainer.
        captured: all after the choice of the batch as one CUDA graph on a batch that stays where it is.
    """
    G, D, real = networks(kind, width, device)
    if tuned and kind != "null":
        G, D = (network.to(memory_format=torch.channels_last) for network in (G, D))
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.bfloat16)
    options = {"fused": tuned, "capturable": captured and device.type == "cuda"}
    adam = {n: torch.optim.Adam(n.parameters(), LR, (0.0, 0.9), **options) for n in (G, D)}
    scalers = {n: torch.amp.GradScaler(device.type, enabled=precision == "fp16") for n in (G, D)}
    average, log = [p.detach().clone() for p in G.parameters()], []

    def update(network: nn.Module, other: nn.Module, loss: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
        other.requires_grad_(False)
        with torch.autocast(device.type, half, enabled=precision != "fp32"):
            value = loss()
        adam[network].zero_grad()
        scalers[network].scale(value).backward()
        scalers[network].unscale_(adam[network])
        norm = nn.utils.get_total_norm([p.grad for p in network.parameters()])
        scalers[network].step(adam[network])
        scalers[network].update()
        other.requires_grad_(True)
        return [value.detach(), norm]

    def both(x: torch.Tensor) -> list[torch.Tensor]:
        found = update(D, G, lambda: bce(D(x), 0.9) + bce(D(G(torch.randn(BATCH, LATENT, device=device))), 0.0))
        found += update(G, D, lambda: bce(D(G(torch.randn(BATCH, LATENT, device=device))), 1.0))
        with torch.no_grad():
            torch._foreach_lerp_(average, list(G.parameters()), 0.01)
        return found

    play = replayed(both, real[:BATCH].clone()) if captured else both

    def step() -> torch.Tensor:
        log.append(torch.stack(play(real[torch.randint(0, len(real), (BATCH,), device=device)])))
        return log[-1]

    return step


def replayed(body: Callable[[torch.Tensor], Any], static: torch.Tensor) -> Callable[[torch.Tensor], Any]:
    """A body as a CUDA graph on an input that stays where it is; on a CPU a plain call in the graph's place.

    Args:
        body: takes the input; on a card it is played three times before the capture.
        static: the input, `[N, C, H, W]` or `[N, F]`.
    """
    play, device = lambda: body(static), static.device
    if device.type == "cuda":
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(3):
                body(static)
        torch.cuda.current_stream(device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            results = body(static)

        def play() -> Any:
            graph.replay()
            return results

    def on(x: torch.Tensor) -> Any:
        static.copy_(x)
        return play()

    return on


def bench_trainer(kind: str, width: int) -> Make:
    """The same loop through the trainer, with a number that moves."""

    def make(run: Run, device: torch.device, precision: str) -> Trainer:
        G, D, real = networks(kind, width, device)
        if kind != "null":
            G, D = (network.to(memory_format=torch.channels_last) for network in (G, D))

        def fake(turn):
            return turn.G(turn.draws.randn("z", len(turn.batch), LATENT))

        def d_loss(turn):
            return bce(turn.D(turn.batch), turn.now.real_label) + bce(turn.D(fake(turn)), 0.0)

        players = [
            Player("D", D, d_loss, lr=lambda now: now.lr),
            Player("G", G, lambda turn: bce(turn.D(fake(turn)), 1.0), lr=lambda now: now.lr, ema=0.99),
        ]
        moving = Numbers.of(run.params).drive(Schedule("lr", lambda step: LR * 0.99 ** (step // 50)))
        batches = Batches(real, BATCH, seed=0, device=device)
        return Trainer(players, batches, moving, run, precision=precision, checkpoint_every=0)

    return make


def gestures(run: Run, device: torch.device, precision: str) -> Trainer:
    """motion_balance: four turns of G per turn of D, physics and the rules in it; or WGAN-GP, by its parameters."""
    from gannb.experiments.motion.data.split import MotionSplit
    from gannb.experiments.motion.networks import building
    from gannb.experiments.motion_balance.losses import Losses
    from gannb.experiments.motion_wgan_gp import losses as wasserstein

    p = run.params
    split = MotionSplit.of(p)
    with seeded(p.seed, "networks"):
        G = building.generator(p, len(split.speakers), split.scales()).to(device)
        D = building.discriminator(p, len(split.speakers), split.scales()).to(device)
    losses = wasserstein if p.name == "motion_wgan_gp" else Losses(split, p.seed, device)
    players = [
        Player("D", D, losses.d_loss, lr=lambda now: now.lr_d),
        Player("G", G, losses.g_loss, lr=lambda now: now.lr_g),
    ]

    def turns(now: Any, step: int) -> list[str]:
        if p.name == "motion_wgan_gp":
            return ["D"] + ["G"] * ((step + 1) % now.n_critic == 0)
        return ["D"] * now.d_turns + ["G"] * now.g_turns

    batches = split.batches(p.batch_size, seed=p.seed, device=device)
    return Trainer(players, batches, Numbers.of(p), run, turns=turns, precision=precision, checkpoint_every=0)


def identity(run: Run, device: torch.device, precision: str) -> Trainer:
    """One player on face features."""
    from gannb.experiments.identity.losses import Losses
    from gannb.experiments.identity.networks import build
    from gannb.experiments.identity.synthetic import synthesise

    p = run.params
    faces = synthesise(p.people, p.images, seed=p.seed).with_targets(p.target, seed=p.seed)
    with seeded(p.seed, "model"):
        model = build(p).to(device)
    batches = Batches(faces.for_batches(), p.batch_size, seed=p.seed, device=device)
    player = Player("model", model, Losses(p).loss, lr=lambda now: now.lr)
    return Trainer([player], batches, Numbers.of(p), run, precision=precision, checkpoint_every=0)


def params(experiment: str, scale: str, **execution: Any) -> Experiment:
    """The parameters of an experiment at a preset's scale."""
    from gannb.experiments.identity.params import Identity
    from gannb.experiments.motion_balance.params import MotionBalance
    from gannb.experiments.motion_wgan_gp.params import MotionWganGp

    declared = {"gestures": MotionBalance, "wgan": MotionWganGp, "identity": Identity}[experiment]
    values = preset(declared.name, scale) | {"compared": []}
    return declared(**values | execution)


class Quiet:
    """Nobody interrupts."""

    received = False


def trained(make: Make, p: Experiment, device: torch.device, precision: str) -> Step:
    """A step of the trainer that `make` builds for these parameters, with its look for commands."""
    trainer = make(Run.open(p), device, precision)
    trainer.start().session.running = True

    def step() -> None:
        trainer.session.boundary(Quiet)
        trainer.advance()

    return step


def blocks(loops: Mapping[str, Step], steps: int, pairs: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds per step of each loop, block by block in turn; the order is reversed every time."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for block in range(-1, pairs):  # one to warm up, in which turns are captured
        for name in list(loops)[:: 1 if block % 2 else -1]:
            device_options.synchronise(device)
            began = clock()
            for _ in range(steps):
                loops[name]()
            device_options.synchronise(device)
            if block >= 0:
                seconds[name].append((clock() - began) / steps)
    return seconds


def loops_of(experiment: str, given: argparse.Namespace, folder: str) -> tuple[dict[str, Step], int]:
    """The loops of an experiment by name, and how many samples a step takes."""
    loops: dict[str, Step] = {}
    bench, batch = experiment in BENCH, BATCH
    for precision in given.precisions if experiment != "null" else ["fp32"]:
        for name, capture in given.captures.items():
            execution = {"runs": str(Path(folder, precision, name)), "device": str(given.device), "capture": capture}
            if bench:
                p, make = Bench(**execution, threads=1), bench_trainer(experiment, given.width)
            else:
                p, make = params(experiment, given.scale, **execution), MAKERS[experiment]
                batch = p.batch_size
            loops[f"{precision} {name}"] = trained(make, p, given.device, precision)
        if bench:
            loops[f"{precision} plain"] = plain(experiment, given.width, given.device, precision)
            loops[f"{precision} bare captured"] = plain(experiment, given.width, given.device, precision, captured=True)
    if experiment == "SAGAN":
        loops["fp32 torch's defaults"] = plain(experiment, given.width, given.device, "fp32", tuned=False)
    return loops, batch


def measured(experiment: str, given: argparse.Namespace) -> list[Trial]:
    """A trial per loop: milliseconds per step, samples per second, and the time over that of other loops."""
    with tempfile.TemporaryDirectory() as folder:
        loops, batch = loops_of(experiment, given, folder)
        taken = blocks(loops, given.steps * (20 if experiment == "null" else 1), given.pairs, given.device)
    title = {"null": "null networks", "SAGAN": f"SAGAN, width {given.width}"}.get(
        experiment, f"{experiment}, {given.scale}"
    )
    trials = []
    for name, seconds in taken.items():
        found = {"ms_per_step": 1e3 * median(seconds), "samples_per_second": batch / median(seconds)}
        kind = name.split()[0]
        beside = {"over_plain": f"{kind} plain", "over_bare_captured": f"{kind} bare captured"}
        beside["over_defaults"] = "fp32 torch's defaults"
        for ratio, other in (beside if experiment in BENCH else {"over_fp32": "fp32 trainer"}).items():
            if other in taken:
                found[ratio] = median(a / b for a, b in zip(seconds, taken[other]))
        if experiment == "null":
            found["added_us"] = median(1e6 * (a - b) for a, b in zip(seconds, taken["fp32 plain"]))
        trials.append(numbers(f"{title}, {name}", **found))
        print(trials[-1].variant, {score: f"{value:.4g}" for score, value in found.items()}, flush=True)
    return trials


def main() -> None:
    """Measure what was asked for, print it, and keep it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", nargs="+", default=list(BENCH), choices=[*BENCH, *MAKERS])
    parser.add_argument("--precisions", nargs="+", help="by default fp32 and bf16, and fp16 on a card")
    parser.add_argument("--scale", default="quick", choices=("quick", "document"), help="of gestures and identity")
    parser.add_argument("--width", type=int, default=32, help="of the SAGAN")
    parser.add_argument("--steps", type=int, default=10, help="per block; null networks take 20 times as many")
    parser.add_argument("--pairs", type=int, default=7, help="blocks of each loop")
    parser.add_argument("--keep", action="store_true", help="write results/steps.json")
    device_options.option(parser)
    given = parser.parse_args()
    given.device = device_options.chosen(given.device)
    card = given.device.type == "cuda"
    given.precisions = given.precisions or ["fp32", "bf16", *(["fp16"] if card else [])]
    given.captures = {"trainer": "off", "captured": "on"}
    torch.set_num_threads(1)
    for experiment in given.experiments:
        trials = measured(experiment, given)
        if given.keep:
            keep(
                device_options.named("steps", given.device),
                trials,
                question="How long does a training step take: plain, through the trainer, and with captured turns?",
                command="python benchmarks/steps.py --keep",
                hardware=hardware(given.device),
            )


BENCH = ("null", "SAGAN")
MAKERS: dict[str, Make] = {"gestures": gestures, "wgan": gestures, "identity": identity}

if __name__ == "__main__":
    main()
