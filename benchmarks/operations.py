"""How many operations a training step launches, and which part of the package launches them; no timing, any machine.

    python benchmarks/operations.py                       # every experiment, at the document's settings
    python benchmarks/operations.py --only SAGAN --keep --note "norms one by one"

On a card a small GAN's step takes as long as its launches, so this count says what a change of the code saves there.
It is what `tests/card.py`, a card that is not there, is given; views do not count. Data are few and batches of two, on
which the count does not depend.
`--keep` writes `results/operations.json`; with `--note`, from an older commit, it keeps what came before a change.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from steps import MAKERS, Bench, Make, Quiet, Step, bench_trainer, params, plain
from torch.utils._python_dispatch import TorchDispatchMode

from gannb.comparison.results import hardware, keep, numbers
from gannb.config.experiment import Experiment
from gannb.runs.folder import Run

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))
STEPS = 5
"""As long as the cycle of a critic's turns."""
EXPERIMENTS = ("SAGAN", *MAKERS)


class Operations(TorchDispatchMode):
    """Counts operations by the part of the package that called them, `backward` and `optimiser` apart."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and func.namespace != "profiler":
            self.found[_part()] += 1
        return func(*args, **(kwargs or {}))


def _part() -> str:
    """What is at work: a module of the package, `backward` (the device's own thread) or `optimiser`."""
    if threading.current_thread() is not threading.main_thread():
        return "backward"
    frame = sys._getframe(2)
    while frame := frame.f_back:
        path = Path(frame.f_code.co_filename)
        if path.parent.name == "optim":
            return "optimiser"
        if ROOT / "gannb" in path.parents:
            return str(path.relative_to(ROOT).with_suffix(""))
    return "elsewhere"


def counted(step: Step) -> Counter[str]:
    """Operations of five steps, in which each player has its turn, after two that set up what is set up once."""
    for _ in range(2):
        step()
    with Operations() as operations:
        for _ in range(STEPS):
            step()
    return operations.found


def through(make: Make, p: Experiment, card: torch.device, precision: str) -> Step:
    """A step of the trainer, with its look for commands."""
    run = Run.open(p)
    run.device = card
    trainer = make(run, card, precision)
    trainer.start().session.running = True

    def step() -> None:
        trainer.session.boundary(Quiet)
        trainer.advance()

    return step


def loops(experiment: str, card: torch.device, precision: str, folder: str) -> dict[str, Step]:
    """A step through the trainer, with turns that are not captured, and of the SAGAN plain ones too."""
    execution = {"runs": folder, "device": "cpu", "capture": "off"}
    if experiment == "SAGAN":
        steps = {tuned: plain("SAGAN", 8, card, precision, tuned=tuned) for tuned in (True, False)}
        own = through(bench_trainer("SAGAN", 8), Bench(**execution), card, precision)
        return {"SAGAN": own, "SAGAN, plain loop": steps[True], "SAGAN, plain loop, torch's defaults": steps[False]}
    few = {"people": 8, "images": 4} if experiment == "identity" else {"recordings": 2, "seconds": 20.0}
    p = params(experiment, "document", batch_size=2, **few, **execution)
    return {experiment: through(MAKERS[experiment], p, card, precision)}


def main() -> None:
    """Count what was asked for, print it, and keep it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(EXPERIMENTS), choices=EXPERIMENTS)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--note", default="", help="added to the names of what is counted")
    parser.add_argument("--keep", action="store_true", help="write results/operations.json")
    given = parser.parse_args()
    from tests.card import inserted

    torch.set_num_threads(1)
    trials = []
    with tempfile.TemporaryDirectory() as folder, inserted() as card:
        for experiment in given.only:
            for name, step in loops(experiment, card, given.precision, folder).items():
                found, title = counted(step), ", ".join(filter(None, [name, given.note]))
                shares = {part: n / STEPS for part, n in found.most_common()}
                print(f"{title}: {found.total() / STEPS:,.0f}", flush=True)
                print(*(f"  {n:8,.0f} {part}" for part, n in list(shares.items())[:12]), sep="\n", flush=True)
                parts = {part: shares.pop(part, 0.0) for part in ("backward", "optimiser")}
                trials.append(numbers(title, operations=found.total() / STEPS, forward=sum(shares.values()), **parts))
    if given.keep:
        keep(
            "operations",
            trials,
            question="How many operations does a training step launch, and what did changes of the code save?",
            data="the benchmark's own",
            command="python benchmarks/operations.py --keep",
            hardware=hardware(),
        )


if __name__ == "__main__":
    main()
