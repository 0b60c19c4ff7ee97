"""Speed of the gesture parts, side by side in one process: `python benchmarks/motion.py [--threads 2] [--keep]`.

The graph layers against torch-geometric's scatter path and dense layers at equal output, and how long a slider takes to
a new clip. Ratios are of CPU time on one thread, so other work on the machine weighs little. `--keep` writes
`results/motion_speed.json`. Training steps: `benchmarks/steps.py`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch_geometric.nn import DenseGATConv, DenseGraphConv
from torch_geometric.nn import GATConv as SparseGATConv
from torch_geometric.nn import GraphConv as SparseGraphConv

from gannb.comparison.results import hardware, keep, numbers
from gannb.comparison.trials import Trial
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.networks.graph import graph_layers, skeleton_edges
from gannb.experiments.motion.skeleton import PARENTS
from gannb.experiments.motion.widgets.gesture import GestureEditor
from gannb.random import generator, seeded

FRAMES, CLIPS, MELS, SPEAKERS = 64, 16, 64, 4


def best(work: Callable[[], object], clock: Callable[[], float], times: int = 4) -> float:
    """The least of several timings, seconds."""
    taken = []
    for _ in range(times):
        start = clock()
        work()
        taken.append(clock() - start)
    return min(taken)


def graph(parents: tuple[int, ...], channels: int, frames: int, half: bool) -> Trial:
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
    name = f"graph layers, {frames} x {joints} joints, {channels} channels, {'bf16' if half else 'fp32'}"
    ratios = {"over_scatter": scatter_s / ours_s, "over_dense": dense_s / ours_s}
    return numbers(name, cpu_ms=1e3 * ours_s, **ratios, largest_difference=apart)


def slider(width: int) -> Trial:
    """From a slider's move to a new clip of 64 frames, and to the player's whole page."""
    with seeded("slider"):
        G = Generator(MELS, SPEAKERS, width, head="angles").eval().requires_grad_(False)
    desk = GestureEditor(G, record(STYLES[0], seconds=4.3), [style.name for style in STYLES])
    desk.player(height=0.1).page()
    clocks = {"ms": time.perf_counter, "cpu_ms": time.process_time}
    taken: dict[str, list[float]] = {f"{what}_{clock}": [] for what in ("clip", "page") for clock in clocks}
    for move in range(30):
        values = {"amplitude": 1 + move / 60, "height": move / 30, "coupling": 0.3, "speed": 1.1}
        for clock, now in clocks.items():
            start = now()
            desk.gesture(**values)
            drawn = now()
            desk.player(**values).page()
            taken[f"clip_{clock}"].append(1e3 * (drawn - start))
            taken[f"page_{clock}"].append(1e3 * (now() - drawn))
    return numbers(f"slider to clip, C={width}", **{name: statistics.median(ms) for name, ms in taken.items()})


def main() -> None:
    """Measure the parts asked for, and keep them; other parts stay as they were."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="for training and sliders; the ratios use one")
    parser.add_argument("--parts", nargs="*", default=["graph", "slider"])
    parser.add_argument("--keep", action="store_true", help="write results/motion_speed.json")
    given = parser.parse_args()
    measured = {
        "graph": lambda: (
            [graph(PARENTS, c, FRAMES * CLIPS, half) for half in (False, True) for c in (4, 16)]
            + [graph(PARENTS[:10], 16, 2048, False), graph(PARENTS, 64, FRAMES * CLIPS, False)]
        ),
        "slider": lambda: [slider(64)],
    }
    question = "How fast are graph layers beside other ways, and a slider?"
    for part in given.parts:
        torch.set_num_threads(1 if part == "graph" else given.threads)
        head = {"command": f"python benchmarks/motion.py --threads {given.threads} --keep", "hardware": hardware()}
        trials = measured[part]()
        print(*(json.dumps(trial.as_dict()) for trial in trials), sep="\n", flush=True)
        if given.keep:
            keep("motion_speed", trials, question=question, data="synthetic clips", **head)


if __name__ == "__main__":
    main()
