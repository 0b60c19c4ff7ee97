"""Run folders with a checkpoint, as training leaves them, without the training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gannb.config.experiment import Experiment
from gannb.control.numbers import Numbers
from gannb.random import seeded
from gannb.runs.folder import Run
from gannb.training.checkpoint import Checkpoint


def run_of(p: Experiment, player: str, build: Callable[[], nn.Module], *names: str) -> Run:
    """A run with the checkpoints `names` (by default one, of step 1); every network's weights differ."""
    run = Run.open(p)
    for number, name in enumerate(names or ("step-00000001",)):
        state: dict[str, Any] = {"step": number + 1, "numbers": Numbers.of(p).state_dict()}
        Checkpoint(dict(tensors(player, build, number)), state).write(run.path("checkpoints", f"{name}.safetensors"))
    return run


def tensors(player: str, build: Callable[[], nn.Module], number: int) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors, of any shape, of a player's network and of its average."""
    for part in ("module", "average"):
        with seeded("trained", part, number):
            network = build()
            for parameter in network.parameters():
                parameter.data += 0.1 * torch.randn_like(parameter)  # what starts at 0 too
        yield from ((f"{player}/{part}/{name}", tensor) for name, tensor in network.state_dict().items())


def files_below(folder: Path) -> set[str]:
    """The paths of all files, hidden ones included."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
