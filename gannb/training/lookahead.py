"""A look-ahead: the same losses on the same kind of turn, with other networks and other numbers, differentiably.

What a hypergradient needs (schedules.md §3.3, contradictions S1): take a step that is not taken, and ask how a later
loss depends on the numbers it was taken with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.func import functional_call

from gannb.draws import seeded
from gannb.dynamics.numbers import Now
from gannb.training.player import Player
from gannb.training.precision import full_precision
from gannb.training.turn import Turn

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer

Weights = dict[str, dict[str, Tensor]]
"""Parameters and buffers by player and name."""


class LookAhead:
    """Steps that are not taken, in full precision; the players stay untouched.

    Adam's moments are read, not moved: each look-ahead step starts from where the optimiser stands.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def weights(self) -> Weights:
        """The players as they stand: parameters as they are, buffers copied (spectral norm moves its own)."""
        return {
            name: dict(player.module.named_parameters()) | {k: v.clone() for k, v in player.module.named_buffers()}
            for name, player in self.trainer.players.items()
        }

    def loss(self, who: str, weights: Weights, now: Now, batch: Any, turn: str) -> Tensor:
        """A player's loss with these weights and numbers; `turn` names its randomness."""
        networks = {name: _functional(player, weights[name]) for name, player in self.trainer.players.items()}
        trainer = self.trainer
        with full_precision(trainer.device.type), seeded("dropout", trainer.seed, trainer.step, turn):
            view = Turn(who, networks, batch, now, trainer.draws(turn), trainer.step)
            return trainer.players[who].loss(view)

    def step(self, who: str, weights: Weights, now: Now, batch: Any, turn: str) -> Weights:
        """The weights after one Adam step of a player, as a function of the numbers."""
        player = self.trainer.players[who]
        names = [name for name, _ in player.module.named_parameters()]
        loss = self.loss(who, weights, now, batch, turn)
        gradients = torch.autograd.grad(loss, [weights[who][n] for n in names], create_graph=True, allow_unused=True)
        moved = dict(weights[who])
        for group, name, gradient in zip(_groups(player), names, gradients):
            if gradient is not None:
                moved[name] = weights[who][name] - _adam(player, group, name, gradient, now)
        return weights | {who: moved}


def _functional(player: Player, weights: Mapping[str, Tensor]) -> Any:
    return lambda *inputs, **named: functional_call(player.module, dict(weights), inputs, named)


def _groups(player: Player) -> list[dict[str, Any]]:
    """The optimiser's group of every parameter, in the module's order."""
    of = {id(p): group for group in player.optimiser.param_groups for p in group["params"]}
    return [of[id(p)] for p in player.module.parameters()]


def _adam(player: Player, group: dict[str, Any], name: str, gradient: Tensor, now: Now) -> Tensor:
    """Adam's step for a gradient, differentiable in it.

    ε stands inside the root: √v + ε has no gradient at v = 0.
    """
    state = player.optimiser.state[dict(player.module.named_parameters())[name]]
    beta1, beta2 = group["betas"]
    count = state["step"] + 1
    mean = beta1 * state["exp_avg"] + (1 - beta1) * gradient
    square = beta2 * state["exp_avg_sq"] + (1 - beta2) * gradient * gradient
    rate = player.lr[group["name"]](now)
    return rate * (mean / (1 - beta1**count)) / (square / (1 - beta2**count) + group["eps"] ** 2).sqrt()
