"""A look-ahead: the same losses on the same kind of turn, with other networks and other numbers, differentiably.

A hypergradient needs it (schedules §3.3, claim S1): the derivative of a later loss in the numbers of a step that is
computed and not taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from gannb import distributed
from gannb.control.numbers import Now
from gannb.random import seeded
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from gannb.training.turn import Turn

Weights = dict[str, dict[str, Tensor]]
"""Parameters and buffers by player and name."""


class LookAhead:
    """Steps that are computed and not taken, in full precision; the players stay untouched.

    Adam's moments are read, not moved: each look-ahead step starts from where the optimiser stands. Over ranks each
    looks ahead on its own share of the batch, and `gradients` are averaged, so that what learns from them stays one.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def weights(self) -> Weights:
        """The players as they stand: parameters as they are, buffers copied (spectral norm moves its own)."""
        return {
            name: dict(player.module.named_parameters()) | {k: v.clone() for k, v in player.module.named_buffers()}
            for name, player in self.trainer.players.items()
        }

    def loss(self, who: str, weights: Weights, now: Now, batch: Any, turn: int | str) -> Tensor:
        """A player's loss, 0-d.

        Args:
            who: the player.
            weights: of all players.
            now: the numbers.
            batch: the samples.
            turn: names its randomness; an index is that turn's own.
        """
        networks = {name: _functional(player, weights[name]) for name, player in self.trainer.players.items()}
        trainer = self.trainer
        address = ("dropout", trainer.seed, trainer.step, turn, distributed.rank())
        with torch.autocast(trainer.device.type, enabled=False), seeded(*address):
            view = Turn(who, networks, batch, now, trainer.draws(turn), trainer.step)
            return trainer.players[who].loss(view)

    def step(self, who: str, weights: Weights, now: Now, batch: Any, turn: int | str) -> Weights:
        """The weights after one update of a player (clipping, Adam, decay), as a function of the numbers.

        Args:
            who: as for `loss`.
            weights: as for `loss`.
            now: as for `loss`.
            batch: as for `loss`.
            turn: as for `loss`.
        """
        player = self.trainer.players[who]
        learns = {name: p for name, p in player.module.named_parameters() if p.requires_grad}
        loss = self.loss(who, weights, now, batch, turn)
        found = torch.autograd.grad(loss, [weights[who][n] for n in learns], create_graph=True, allow_unused=True)
        gradients = {name: gradient for name, gradient in zip(learns, found) if gradient is not None}
        if player.clip_norm:
            share = (player.clip_norm / (nn.utils.get_total_norm(gradients.values()) + 1e-6)).clamp(max=1.0)
            gradients = {name: gradient * share for name, gradient in gradients.items()}
        group_of = {id(p): group for group in player.optimiser.param_groups for p in group["params"]}
        moved = dict(weights[who])
        for name, gradient in gradients.items():
            group, state = group_of[id(learns[name])], player.optimiser.state[learns[name]]
            rate = player.lr[group["name"]](now) * group["factor"]
            kept = 1 - rate * group["weight_decay"]
            moved[name] = kept * weights[who][name] - rate * _adam(state, group, gradient)
        return weights | {who: moved}

    def gradients(self, loss: Tensor, of: Iterable[Tensor]) -> list[Tensor]:
        """The gradients of a later loss (0-d) in some tensors of any shape; their mean over ranks."""
        found = list(torch.autograd.grad(loss, list(of)))
        distributed.average_(found)
        return found


def _functional(player: Player, weights: Mapping[str, Tensor]) -> Any:
    return lambda *inputs, **named: functional_call(player.module, dict(weights), inputs, named)


def _adam(state: Mapping[str, Tensor], group: Mapping[str, Any], gradient: Tensor) -> Tensor:
    """Adam's direction for a gradient, differentiable in it.

    ε stands inside the root: √v + ε has no gradient at v = 0.
    """
    beta1, beta2 = group["betas"]
    count = state["step"] + 1
    mean = beta1 * state["exp_avg"] + (1 - beta1) * gradient
    square = beta2 * state["exp_avg_sq"] + (1 - beta2) * gradient * gradient
    return mean / (1 - beta1**count) / (square / (1 - beta2**count) + group["eps"] ** 2).sqrt()
