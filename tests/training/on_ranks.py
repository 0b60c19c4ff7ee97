"""What a rank runs in `test_ranks.py`: `python tests/training/on_ranks.py FOLDER CASE…`."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from pathlib import Path

import torch
from torch import distributed as dist
from torch import nn

from gannb import distributed
from gannb.control.alarms import Lasting
from gannb.control.commands import Command
from gannb.control.numbers import Numbers
from gannb.data.batches import Batches
from gannb.losses.adversarial import least_squares
from gannb.random import seeded
from gannb.training.interrupt import Paused
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from tests.training.regimes import POINTS, Strict, number, open_run

STEPS = 20


def build(run, dtype=torch.float64):
    """Least squares with the rule that skips D, throttles it and gives G more turns; no BatchNorm, no dropout."""
    with seeded(1, "networks"):
        G = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 2)).to(run.device, dtype)
        D = nn.Sequential(nn.Linear(2, 16), nn.GELU(), nn.Linear(16, 1), nn.Flatten(0))
    D = D.to(run.device, dtype)

    def fake(turn):
        return turn.G(turn.draws.randn("z", len(turn.batch), 4).to(dtype))

    def d_loss(turn):
        return least_squares(turn.D(turn.batch), turn.now.real_label) + least_squares(turn.D(fake(turn)), 0.1)

    moving = [number("real_label", 0.9, 0, 1), number("lr", 1e-2, 1e-9, 1), number("lr_d_scale", 1.0, 0.1, 1)]
    numbers = Numbers([*moving, number("d_turns", 1, 0, 2), number("g_turns", 2, 1, 8)]).drive(Strict())
    return Trainer(
        [
            Player("D", D, d_loss, lr=lambda now: now.lr * now.lr_d_scale),
            Player("G", G, lambda turn: least_squares(turn.D(fake(turn)), 0.9), lr=lambda now: now.lr, ema=0.9),
        ],
        Batches(POINTS.to(dtype), 16, seed=0, device=run.device),
        numbers,
        run,
        turns=lambda now, step: ["D"] * now.d_turns + ["G"] * now.g_turns,
        checkpoint_every=5,
        record_every=5,
    )


def gradients(trainer):
    """Of all players, after a step."""
    return {f"{n}/{i}": p.grad for n, player in trainer.players.items() for i, p in enumerate(player.parameters)}


def plain(folder: Path) -> None:
    """One fp32 step, then 20 in float64."""
    single = build(open_run(folder / "single"), torch.float32)
    single.fit(steps=1)
    torch.save(gradients(single), folder / f"gradients-{distributed.rank()}.pt")
    trainer = build(open_run(folder / "runs"))
    trainer.fit(steps=STEPS)
    save(folder, trainer)


def steered(folder: Path) -> None:
    """A person at rank 0 only: a move, a rollback, a pause, an interrupt; and an alarm that all hear."""
    trainer = build(open_run(folder / "steered"))
    trainer.alarms = [Lasting("late", lambda seen: "G/loss" in seen, "it rings", patience=13, action="pause")]
    if distributed.rank() == 0:
        asked = {4: Command("move", "lr", 3e-3), 9: Command("rollback", "5"), 12: Command("pause")}
        trainer.watchers.append(lambda t: t.step in asked and t.session.inbox.put(asked.pop(t.step)))
        signals = [signal.SIGINT]
        trainer.watchers.append(lambda t: t.step == 14 and signals and os.kill(os.getpid(), signals.pop()))
    pauses = 0
    while trainer.step < STEPS:
        try:
            trainer.fit(steps=STEPS)
        except Paused:
            pauses += 1
    save(folder, trainer, "steered", pauses=pauses)


def dies(folder: Path) -> None:
    """Rank 1 is killed after step 12; called again, the run is resumed."""
    again = (folder / "runs").exists() and any((folder / "runs" / "toy").iterdir())
    distributed.share(None)  # rank 0 opens the run only when both have looked
    trainer = build(open_run(folder / "runs", **({"resume": "last"} if again else {})))
    if distributed.rank() == 1 and not again:
        trainer.watchers.append(lambda t: t.step == 12 and os.kill(os.getpid(), signal.SIGKILL))
    trainer.fit(steps=STEPS)
    save(folder, trainer)


def save(folder: Path, trainer: Trainer, name: str = "end", **more: object) -> None:
    """What a rank holds in the end."""
    state = {"weights": trainer.weights(), "numbers": trainer.numbers.values(), **more}
    (folder / f"{name}-{distributed.rank()}.json").write_text(json.dumps(state))
    torch.save({k: v.clone() for k, v in trainer.tensors().items()}, folder / f"{name}-{distributed.rank()}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    told = Path(sys.argv[1]) / f"in-group-at-exit-{distributed.rank()}"
    atexit.register(lambda: told.write_text(str(dist.is_initialized())))  # after whatever is registered later
    for case in sys.argv[2:]:
        {"plain": plain, "steered": steered, "dies": dies}[case](Path(sys.argv[1]))
