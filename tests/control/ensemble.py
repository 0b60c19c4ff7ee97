"""Many tiny GANs side by side as one batched network, some of them spoiled on purpose halfway."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from gannb.random import generator
from gannb.training.diversity import spread
from gannb.training.player import MOVED_EVERY

REAL_LABEL = 0.9
INJURIES = ("lr x 10", "D frozen", "latents zeroed", "half NaN")


class Ensemble:
    """`runs` GANs of three layers each on mixtures of six blobs; every tensor's first dimension is the run."""

    def __init__(self, runs: int, *, latent: int = 4, width: int = 24, lr: float = 2e-3) -> None:
        self.draws, self.runs, self.latent, self.steps = generator("ensemble"), runs, latent, 0

        def layers(*widths: int) -> list[Tensor]:
            pairs = list(itertools.pairwise(widths))
            weights = [torch.randn(runs, i, o, generator=self.draws) * math.sqrt(2 / i) for i, o in pairs]
            return [p.requires_grad_() for w in weights for p in (w, torch.zeros(runs, 1, w.shape[2]))]

        self.players = {"D": layers(2, width, width, 1), "G": layers(latent, width, width, 2)}
        self.squares = {name: [torch.zeros_like(p) for p in params] for name, params in self.players.items()}
        self.lr = {name: torch.full((runs, 1, 1), lr) for name in self.players}
        self.scale = torch.ones(runs, 1, 1)
        self.blobs = torch.randn(runs, 6, 2, generator=self.draws)

    def injure(self, how: str, who: slice) -> None:
        """Spoil some runs from here on."""
        if how == "lr x 10":
            for lr in self.lr.values():
                lr[who] *= 10
        elif how == "D frozen":
            self.lr["D"][who] = 0
        elif how == "latents zeroed":
            self.scale[who] = 0
        else:
            with torch.no_grad():
                for p in [*self.players["G"], *self.players["D"]]:
                    p[who] = p[who].where(torch.rand(p[who].shape, generator=self.draws) < 0.5, math.nan)

    def step(self) -> dict[str, Tensor]:
        """Train all by a step; what trainer and losses would record, `[runs]` each."""
        which = torch.randint(0, 6, (self.runs, 32, 1), generator=self.draws).expand(-1, -1, 2)
        real = self.blobs.gather(1, which) + 0.1 * torch.randn(self.runs, 32, 2, generator=self.draws)
        z = torch.randn(self.runs, 32, self.latent, generator=self.draws) * self.scale
        with torch.no_grad():
            made = self._net("G", z)
        on_real, on_made = self._net("D", real), self._net("D", made)
        d_loss = (F.softplus(on_real) - REAL_LABEL * on_real).mean((1, 2)) + F.softplus(on_made).mean((1, 2))
        row = {"D/real": on_real.sigmoid().mean((1, 2)), "D/fake": on_made.sigmoid().mean((1, 2))}
        row |= self._learn("D", d_loss) | self._learn("G", F.softplus(-self._net("D", self._net("G", z))).mean((1, 2)))
        if self.steps % MOVED_EVERY == 0:
            row["G/diversity"] = torch.stack([spread(samples) for samples in made])
        self.steps += 1
        return {name: value.detach() for name, value in row.items()}

    def _net(self, who: str, x: Tensor) -> Tensor:
        first, a, second, b, third, c = self.players[who]
        x = F.leaky_relu(torch.baddbmm(a, x, first), 0.2)
        return torch.baddbmm(c, F.leaky_relu(torch.baddbmm(b, x, second), 0.2), third)

    @torch.no_grad()
    def _learn(self, who: str, loss: Tensor) -> dict[str, Tensor]:
        """Adam with betas (0, 0.9), run by run."""
        params = self.players[who]
        with torch.enable_grad():
            grads = torch.autograd.grad(loss.sum(), params)
        moves = []
        for p, g, square in zip(params, grads, self.squares[who]):
            square.mul_(0.9).addcmul_(g, g, value=0.1)
            moves.append(self.lr[who] * g / ((square / (1 - 0.9 ** (self.steps + 1))).sqrt() + 1e-8))
            p -= moves[-1]
        row = {f"{who}/loss": loss, f"{who}/grad_norm": _norm(grads)}
        return row | ({f"{who}/moved": _norm(moves) / _norm(params)} if self.steps % MOVED_EVERY == 0 else {})


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([t.square().sum((1, 2)) for t in tensors]).sum(0).sqrt()


def rows(healthy: int, trials: int, *, steps: int, injured_at: int) -> Iterator[list[dict[str, float]]]:
    """Train `healthy` runs and `trials` of every injury; at each step one row a run, in that order."""
    ensemble = Ensemble(healthy + trials * len(INJURIES))
    for step in range(steps):
        if step == injured_at:
            for index, how in enumerate(INJURIES):
                first = healthy + index * trials
                ensemble.injure(how, slice(first, first + trials))
        row = ensemble.step()
        yield [dict(zip(row, values)) for values in torch.stack(list(row.values()), 1).tolist()]
