"""A run's trained networks, for inference: from its best or newest checkpoint, finished or still running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gannb.config.faults import BadInput
from gannb.runs import locations
from gannb.runs.checks import RunError, params_of
from gannb.training.checkpoint import Checkpoint, CheckpointError, Checkpoints


@dataclass(frozen=True)
class Network:
    """A trained network, and how to build it again without the run.

    Attributes:
        module: with its weights, in eval mode, frozen, on the CPU.
        builder: the function or class of gannb that builds it.
        arguments: of the builder, as JSON values.
        inputs: of how many and a generator: what the module is called with, tensors `[N, …]`.
        notes: what else a user has to know, as JSON values, such as the speakers' names.
        not_traced: why torch cannot export it to ONNX, where that is known.
    """

    module: nn.Module
    builder: Callable[..., nn.Module]
    arguments: Mapping[str, Any]
    inputs: Callable[[int, torch.Generator], tuple[Tensor, ...]]
    notes: Mapping[str, Any] = field(default_factory=dict)
    not_traced: str = ""


@dataclass(frozen=True)
class Trained:
    """A checkpoint of a run.

    Attributes:
        folder: of the run.
        params: its configuration.
        checkpoint: verified; no pickle is read.
        raw: whether to take the networks themselves, not their averages.
    """

    folder: Path
    params: Any
    checkpoint: Checkpoint
    raw: bool = False

    @classmethod
    def of(cls, run: str | Path, which: str = "", *, raw: bool = False, experiment: str = "*") -> Trained:
        """From a run folder's path or name, or `last`.

        Args:
            run: the run, which may still go on.
            which: "best" (by the run's own score), "last", or a step; by default the best, or else the last.
            raw: take the networks themselves, not their averages.
            experiment: whose run it has to be, a pattern such as "motion_*".

        Raises:
            NotFound: no such run.
            RunError: of another experiment, parameters that this gannb cannot read, or no whole checkpoint.
        """
        folder = locations.find(str(run), name=experiment if str(run) == "last" else "*")
        params = params_of(folder)
        if not fnmatchcase(params.name, experiment):
            raise RunError(f"{folder.name} is a run of {params.name}, and no run of {experiment}")
        return cls(folder, params, _read(folder, which), raw)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.checkpoint.state["step"]

    def number(self, name: str) -> float:
        """The value of a number that may move."""
        return self.checkpoint.state["numbers"]["numbers"][name]["value"]

    def weights(self, player: str) -> dict[str, Tensor]:
        """The tensors, of any shape, of a player's network: of its average, where one was kept and is wanted."""
        average = {} if self.raw else self.checkpoint.part(f"{player}/average/")
        return average or self.checkpoint.part(f"{player}/module/")

    def load(self, player: str, module: nn.Module) -> nn.Module:
        """Give a module a player's weights; it comes back in eval mode, frozen.

        Raises:
            RunError: the weights are of another network.
        """
        try:
            module.load_state_dict(self.weights(player))
        except RuntimeError as error:
            raise RunError(f"{self.folder.name}: its weights are of another network than its parameters say") from error
        return module.eval().requires_grad_(False)

    def network(self) -> Network:
        """The network that the run was for, by the experiment's own `inference.network`.

        Raises:
            BadInput: the experiment trains none that could be used without it.
        """
        if not self.params.generates:
            raise BadInput(f"{self.folder.name} is a run of {self.params.name}, which trains no network to be used")
        return import_module(f"gannb.experiments.{self.params.name}.inference").network(self)


def normal(latent_dim: int) -> Callable[[int, torch.Generator], tuple[Tensor, ...]]:
    """Inputs of a network that takes standard normal latents `[N, latent_dim]`."""
    return lambda n, generator: (torch.randn(n, latent_dim, generator=generator),)


def _read(folder: Path, which: str) -> Checkpoint:
    checkpoints = Checkpoints(folder / "checkpoints")
    try:
        if which not in ("", "last"):
            return Checkpoint.read(checkpoints.find(which))
        if which == "" and checkpoints.find("best").is_file():
            return Checkpoint.read(checkpoints.find("best"))
    except CheckpointError as error:
        raise RunError(f"{folder.name}: {error}") from error
    for _ in range(3):  # a run that goes on removes old ones while they are looked at
        checkpoint, faults = checkpoints.newest()
        if checkpoint is not None:
            return checkpoint
    raise RunError(f"{folder.name} has no whole checkpoint; {'; '.join(faults) or 'train it first'}")
