"""Speed of the motion parts, side by side in one process: `python benchmarks/motion.py [--threads 2]`.

The graph layers against torch-geometric's scatter path and dense layers at equal output, a training step's clips a
second, and how long a slider takes to a new clip. Ratios are of CPU time on one thread, so other work on the machine
weighs little; the rest is wall time beside CPU time, with the load of the machine. Prints, and writes
`results/benchmark_motion.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch_geometric.nn import DenseGATConv, DenseGraphConv
from torch_geometric.nn import GATConv as SparseGATConv
from torch_geometric.nn import GraphConv as SparseGraphConv

from gannb.experiments.motion import losses
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.networks.discriminator import Discriminator
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.networks.graph import graph_layers, skeleton_edges
from gannb.experiments.motion.skeleton import PARENTS
from gannb.experiments.motion.widgets.gesture import GestureEditor
from gannb.losses.adversarial import least_squares
from gannb.random import generator, seeded

FRAMES, CLIPS, MELS, SPEAKERS = 64, 16, 64, 4
OUT = Path(__file__).parents[1] / "results" / "benchmark_motion.json"


def best(work: Callable[[], object], clock: Callable[[], float], times: int = 4) -> float:
    """The least of several timings, seconds."""
    taken = []
    for _ in range(times):
        start = clock()
        work()
        taken.append(clock() - start)
    return min(taken)


def graph(parents: tuple[int, ...], channels: int, frames: int, half: bool) -> str:
    """Five layers, forward and backward: ours, scatter, dense."""
    joints, kinds = len(parents), "AGAGA"
    edges = torch.tensor(skeleton_edges(parents)).T
    many = torch.cat([edges + joints * m for m in range(frames)], 1)
    table = torch.zeros(joints, joints)
    table[edges[1], edges[0]] = 1
    with seeded("graph"):
        ours = [block.layer for block in graph_layers(channels, parents=parents)]
        attention = [SparseGATConv, DenseGATConv]
        plain = [SparseGraphConv, DenseGraphConv]
        sparse, dense = (
            [a(channels, channels // 4, heads=4) if kind == "A" else c(channels, channels) for kind in kinds]
            for a, c in zip(attention, plain)
        )
    for own, s, d in zip(ours, sparse, dense):
        weights = own.state_dict()
        s.load_state_dict(weights)
        d.load_state_dict({k: v.unsqueeze(0) if "att_" in k else v for k, v in weights.items()})

    def by_joint(x: Tensor) -> Tensor:
        for layer in ours:
            x = layer(x)
        return x

    def by_scatter(x: Tensor) -> Tensor:
        for layer in sparse:
            x = layer(x, many)
        return x

    def by_table(x: Tensor) -> Tensor:
        for layer in dense:
            x = layer(x, table)
        return x

    x = torch.randn(joints, channels, frames, generator=generator("x"))
    each = {  # every path gets its features as it wants them
        by_joint: x,
        by_scatter: x.permute(2, 0, 1).reshape(-1, channels),
        by_table: x.permute(2, 0, 1).contiguous(),
    }
    scattered = by_scatter(each[by_scatter]).view(frames, joints, channels).permute(1, 2, 0)
    apart = float((by_joint(x) - scattered).detach().abs().max())

    def step(path: Callable[[Tensor], Tensor]) -> Callable[[], None]:
        def work() -> None:
            y = each[path].clone().requires_grad_()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                out = path(y)
            out.sum().backward()

        return work

    ours_s, scatter_s, dense_s = (best(step(path), time.process_time) for path in (by_joint, by_scatter, by_table))
    return (
        f"graph layers, {frames} x {joints} joints, {channels} channels, {'bf16' if half else 'fp32'}: "
        f"{1e3 * ours_s:.1f} ms CPU; {scatter_s / ours_s:.2f} x scatter, {dense_s / ours_s:.2f} x dense; "
        f"largest difference in fp32 {apart:.0e}"
    )


def training(width: int, half: bool) -> str:
    """One turn of D and one of G on a batch, all losses in it."""
    with seeded("training"):
        G = Generator(MELS, SPEAKERS, width)
        D = Discriminator(width, n_mels=MELS, speakers=SPEAKERS)
    g_adam, d_adam = (torch.optim.Adam(m.parameters(), 1e-4, fused=True) for m in (G, D))
    mel = torch.randn(CLIPS, 4 * FRAMES, MELS, generator=generator("mel"))
    speaker = torch.arange(CLIPS) % SPEAKERS
    real = G(mel, speaker).detach()

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            with torch.no_grad():
                generated = G(mel, speaker)
            loss = least_squares(D(real, mel, speaker), 0.9) + least_squares(D(generated, mel, speaker), 0.1)
        d_adam.zero_grad()
        loss.backward()
        d_adam.step()
        D.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            generated = G(mel, speaker)
            loss = least_squares(D(generated, mel, speaker), 0.9)
        loss = loss + losses.absolute(generated, real) + losses.velocity(generated, real) + losses.smoothness(generated)
        g_adam.zero_grad()
        (loss + losses.physics(generated)).backward()
        g_adam.step()
        D.requires_grad_(True)

    seconds, cpu = best(step, time.perf_counter, times=3), best(step, time.process_time, times=3)
    turns = f"training, C={width}, {'bf16' if half else 'fp32'}, a D and a G turn a step"
    return f"{turns}: {CLIPS / seconds:.0f} clips/s by the wall clock, {CLIPS / cpu:.0f} a CPU second"


def slider(width: int) -> str:
    """From a slider's move to a new clip of 64 frames, and to the player's whole page."""
    with seeded("slider"):
        G = Generator(MELS, SPEAKERS, width, head="angles").eval().requires_grad_(False)
    desk = GestureEditor(G, record(STYLES[0], seconds=4.3), [style.name for style in STYLES])
    desk.player(height=0.1).page()
    clocks = {"wall": time.perf_counter, "CPU": time.process_time}
    taken: dict[str, list[float]] = {f"{what}, {clock}": [] for what in ("clip", "page") for clock in clocks}
    for move in range(30):
        values = {"amplitude": 1 + move / 60, "height": move / 30, "coupling": 0.3, "speed": 1.1}
        for clock, now in clocks.items():
            start = now()
            desk.gesture(**values)
            drawn = now()
            desk.player(**values).page()
            taken[f"clip, {clock}"].append(1e3 * (drawn - start))
            taken[f"page, {clock}"].append(1e3 * (now() - drawn))
    shown = [f"{name}: median {statistics.median(ms):.1f} ms" for name, ms in taken.items()]
    return f"slider to clip, C={width}, four controls moved; {'; '.join(shown)}"


def main() -> None:
    """Measure the parts asked for, print them, and put them into the results; other parts stay as they were."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="for training and sliders; the ratios use one")
    parser.add_argument("--parts", nargs="*", default=["graph", "training", "slider"])
    args = parser.parse_args()
    measured = {
        "graph": lambda: (
            [graph(PARENTS, c, FRAMES * CLIPS, half) for half in (False, True) for c in (4, 16)]
            + [graph(PARENTS[:10], 16, 2048, False), graph(PARENTS, 64, FRAMES * CLIPS, False)]
        ),
        "training": lambda: [training(64, half) for half in (False, True)],
        "slider": lambda: [slider(64)],
    }
    stored = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=OUT.parent, capture_output=True, text=True)
    for part in args.parts:
        torch.set_num_threads(1 if part == "graph" else args.threads)
        head = {"command": f"python benchmarks/motion.py --threads {args.threads} --parts {part}"}
        head |= {"commit": commit.stdout.strip(), "load": round(os.getloadavg()[0], 1)}
        head |= {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, shared"}
        stored[part] = head | {"threads": torch.get_num_threads(), "measured": measured[part]()}
        print("\n".join(stored[part]["measured"]), flush=True)
        OUT.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
