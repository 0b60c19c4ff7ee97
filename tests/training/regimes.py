"""Seven small regimes that the experiments need, on 2-D toys; each is made anew from a run."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gannb.config.experiment import Experiment
from gannb.config.fields import param
from gannb.control.numbers import Numbers
from gannb.control.parameter import DynamicParameter
from gannb.control.schedules import Schedule
from gannb.data.batches import Batches
from gannb.experiments.schedules.meta.lookahead import LookAhead
from gannb.losses.adversarial import LOSSES, bce, least_squares
from gannb.losses.penalties import PENALTIES, gradient_penalty
from gannb.random import generator, seeded
from gannb.runs.folder import Run
from gannb.training.player import Player
from gannb.training.trainer import Trainer
from gannb.training.turn import Turn

POINTS = torch.randn(96, 2, generator=generator("toy")) * 0.1 + torch.tensor([[1.0, 1.0], [-1.0, -1.0]]).repeat(48, 1)


class Toy(Experiment):
    """A toy's parameters."""

    name = "toy"
    seed: int = param(0, "every random draw follows from it", low=0)
    epochs: int = param(4, "passes over the data", low=1, grows=True)
    real_label: float = param(0.9, "target for real points", low=0, high=1, moves=True)
    lr: float = param(1e-2, "learning rate", low=0, high=1, open_low=True, moves=True)


def networks(run: Run, *, norm: bool = False, batch_norm: bool = False, width: int = 16) -> tuple[nn.Module, nn.Module]:
    wrap = spectral_norm if norm else (lambda module: module)
    with seeded(1, "networks"):
        G = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width) if batch_norm else nn.Identity(), nn.ReLU(), nn.Linear(width, 2)
        )
        D = nn.Sequential(
            wrap(nn.Linear(2, width)), nn.LeakyReLU(0.2), nn.Dropout(0.1), wrap(nn.Linear(width, 1)), nn.Flatten(0)
        )
    return G.to(run.device), D.to(run.device)


def points(run: Run) -> Batches:
    return Batches(POINTS, 16, seed=0, device=run.device)


def fake(turn: Turn) -> torch.Tensor:
    return turn.G(turn.draws.randn("z", len(turn.batch), 4))


def number(name: str, value: float, low: float, high: float) -> DynamicParameter:
    return DynamicParameter(name, value, low=low, high=high, integer=isinstance(value, int))


def declared(folder: Path, *, width: int = 16, batch_norm: bool = False, **given: object) -> Trainer:
    """A GAN whose numbers are those that its parameters declare; not started."""
    run = open_run(folder, **given)
    G, D = networks(run, width=width, batch_norm=batch_norm)

    def d_loss(turn):
        return bce(turn.D(turn.batch), turn.now.real_label) + bce(turn.D(fake(turn)), 0.0)

    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr),
        Player("G", G, lambda turn: bce(turn.D(fake(turn)), 1.0), lr=lambda now: now.lr, ema=0.9),
    ]
    return Trainer(players, points(run), Numbers.of(run.params), run, checkpoint_every=5)


def sagan(run: Run) -> Trainer:
    """bf16 + spectral norm + BatchNorm + EMA + dropout, a cosine on a label."""
    G, D = networks(run, norm=True, batch_norm=True)

    def d_loss(turn: Turn) -> torch.Tensor:
        real = turn.D(turn.batch + 0.1 * turn.draws.randn("noise", *turn.batch.shape))
        turn.log(real=real.sigmoid().mean())
        return LOSSES["bce"].d(real, turn.D(fake(turn)), turn.now.real_label, turn.now.fake_label)

    def g_loss(turn: Turn) -> torch.Tensor:
        return LOSSES["bce"].g(turn.D(fake(turn)))

    numbers = Numbers([number("real_label", 0.9, 0, 1), number("fake_label", 0.0, 0, 1), number("lr", 2e-3, 1e-9, 1)])
    numbers.drive(Schedule("real_label", lambda step: 0.8 + 0.1 * math.cos(step / 40)))
    return Trainer(
        [
            Player("D", D, d_loss, lr=lambda now: now.lr, clip_norm=1.0),
            Player("G", G, g_loss, lr=lambda now: now.lr, clip_norm=1.0, ema=0.99),
        ],
        points(run),
        numbers,
        run,
        precision="bf16",
        checkpoint_every=5,
    )


class Strict:
    """Skips D, gives G more turns and throttles D's learning rate while D is strong: every decision is a number."""

    names = ("d_turns", "g_turns", "lr_d_scale")

    def __init__(self) -> None:
        self.recent: list[float] = []
        self.skips = 0

    def __call__(self, step, seen, values):
        if "D/loss" not in seen:
            return {"d_turns": 1} if self.skips > 2 else {}
        self.recent = [*self.recent, seen["D/loss"]][-5:]
        strong = sum(self.recent) / len(self.recent) < 0.2
        self.skips = self.skips + 1 if strong else 0
        scale = values["lr_d_scale"] * (0.8 if strong else 1.01)
        return {
            "d_turns": 0 if strong and step % 3 else 1,
            "g_turns": min(8, values["g_turns"] + 1) if strong else 4,
            "lr_d_scale": min(1.0, max(0.1, scale)),
        }

    def state_dict(self):
        return {"recent": self.recent, "skips": self.skips}

    def load_state_dict(self, state):
        self.recent, self.skips = state["recent"], state["skips"]


def balance(run: Run) -> Trainer:
    """Least squares, G four times a step, D skipped by a rule."""
    G, D = networks(run, batch_norm=True)
    numbers = Numbers(
        [
            number("real_label", 0.9, 0, 1),
            number("lr", 1e-2, 1e-9, 1),
            number("lr_d_scale", 1.0, 0.1, 1),
            number("d_turns", 1, 0, 2),
            number("g_turns", 4, 1, 8),
        ]
    ).drive(Strict())

    def d_loss(turn: Turn) -> torch.Tensor:
        return LOSSES["least_squares"].d(turn.D(turn.batch), turn.D(fake(turn)), turn.now.real_label, 0.1)

    def g_loss(turn: Turn) -> torch.Tensor:
        return LOSSES["least_squares"].g(turn.D(fake(turn)), turn.now.real_label)

    return Trainer(
        [
            Player("D", D, d_loss, lr=lambda now: now.lr * now.lr_d_scale),
            Player("G", G, g_loss, lr=lambda now: now.lr, ema=0.99),
        ],
        points(run),
        numbers,
        run,
        turns=lambda now, step: ["D"] * now.d_turns + ["G"] * now.g_turns,
        checkpoint_every=5,
    )


def wgan(run: Run) -> Trainer:
    """WGAN-GP, five critic turns to one of G."""
    G, D = networks(run)
    D = nn.Sequential(*(layer for layer in D if not isinstance(layer, nn.Dropout)))

    def d_loss(turn: Turn) -> torch.Tensor:
        generated = fake(turn)
        mix = turn.draws.rand("mix", len(generated))
        penalty, _ = gradient_penalty(turn.D, turn.batch, generated, mix)
        loss = LOSSES["wasserstein"].d(turn.D(turn.batch), turn.D(generated))
        turn.log(W=-loss, penalty=penalty)
        return loss + turn.now.gp_weight * penalty

    def g_loss(turn: Turn) -> torch.Tensor:
        return LOSSES["wasserstein"].g(turn.D(fake(turn)))

    numbers = Numbers([number("gp_weight", 10.0, 0, 100), number("lr", 1e-3, 1e-9, 1), number("n_critic", 5, 1, 10)])
    return Trainer(
        [
            Player("D", D, d_loss, lr=lambda now: now.lr),
            Player("G", G, g_loss, lr=lambda now: now.lr),
        ],
        points(run),
        numbers,
        run,
        turns=lambda now, step: ["D"] + ["G"] * ((step + 1) % now.n_critic == 0),
        checkpoint_every=5,
    )


def single(run: Run) -> Trainer:
    """One player."""
    with seeded(0, "model"):
        model = nn.Sequential(nn.Linear(2, 16), nn.GELU(), nn.Linear(16, 2)).to(run.device)

    def loss(turn: Turn) -> torch.Tensor:
        return least_squares(turn.model(turn.batch), turn.batch) * turn.now.weight

    player = Player("model", model, loss, lr=lambda now: now.lr, betas=(0.9, 0.999), weight_decay=0.01)
    numbers = Numbers([number("weight", 1.0, 0, 10), number("lr", 1e-3, 1e-9, 1)])
    return Trainer([player], points(run), numbers, run, checkpoint_every=5)


class Learned:
    """A controller that learns by looking ahead through the trainer's own losses."""

    names = ("noise",)

    def __init__(self, every: int = 7) -> None:
        with seeded(3, "controller"):
            self.net = nn.Linear(2, 1)
        self.rate, self.every = 0.05, every
        self.ahead: LookAhead | None = None

    def output(self, step: int) -> torch.Tensor:
        return 0.5 * torch.sigmoid(self.net(torch.tensor([step / 100, 1.0])))[0]

    def __call__(self, step, seen, values):
        if step and step % self.every == 0:
            self.learn(step)
        return {"noise": float(self.output(step).detach())}

    def learn(self, step: int) -> None:
        trainer = self.ahead.trainer
        now, batch = trainer.numbers.now(trainer.device), trainer.batches[step]
        noisy = now.replace(noise=self.output(step).to(trainer.device))
        weights = self.ahead.step("D", self.ahead.weights(), noisy, batch, "look D")
        weights = self.ahead.step("G", weights, noisy, batch, "look G")
        held_out = self.ahead.loss(
            "D", weights, now.replace(noise=torch.zeros_like(now.noise)), POINTS[:32].to(batch), "look held out"
        )
        slopes = self.ahead.gradients(held_out, self.net.parameters())
        with torch.no_grad():
            for parameter, slope in zip(self.net.parameters(), slopes):
                parameter -= self.rate * slope

    def state_dict(self):
        return {name: value.tolist() for name, value in self.net.state_dict().items()}

    def load_state_dict(self, state):
        self.net.load_state_dict({name: torch.tensor(value) for name, value in state.items()})


def schedules(run: Run) -> Trainer:
    """A learned noise level: a look-ahead with other networks and other numbers."""
    G, D = networks(run, norm=True, batch_norm=True)

    def noisy(turn: Turn, points: torch.Tensor, stream: str) -> torch.Tensor:
        return points + turn.now.noise * turn.draws.randn(stream, *points.shape)

    def d_loss(turn: Turn) -> torch.Tensor:
        return LOSSES["non_saturating"].d(turn.D(noisy(turn, turn.batch, "a")), turn.D(noisy(turn, fake(turn), "b")))

    def g_loss(turn: Turn) -> torch.Tensor:
        return LOSSES["non_saturating"].g(turn.D(noisy(turn, fake(turn), "b")))

    controller = Learned()
    numbers = Numbers([number("noise", 0.5, 0, 1), number("lr", 2e-3, 1e-9, 1)]).drive(controller)
    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr),
        Player("G", G, g_loss, lr=lambda now: now.lr),
    ]
    trainer = Trainer(players, points(run), numbers, run, checkpoint_every=5)
    controller.ahead = LookAhead(trainer)
    return trainer


def lazy(run: Run) -> Trainer:
    """Pairs, with R1 and R2 on every fourth step only."""
    G, D = networks(run)

    def d_loss(turn: Turn) -> torch.Tensor:
        generated = fake(turn)
        loss = LOSSES["relativistic"].d(turn.D(turn.batch), turn.D(generated))
        if turn.due(4):
            mix = turn.draws.rand("mix", len(generated))
            loss = loss + 4 * turn.now.gamma * PENALTIES["r1_r2"](turn.D, turn.batch, generated, mix)
        return loss

    def g_loss(turn: Turn) -> torch.Tensor:
        return LOSSES["relativistic"].g(turn.D(turn.batch), turn.D(fake(turn)))

    numbers = Numbers([number("gamma", 0.1, 0, 10), number("lr", 2e-3, 1e-9, 1)])
    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr, betas=(0.0, 0.99 ** (4 / 5))),
        Player("G", G, g_loss, lr=lambda now: now.lr, ema=0.998),
    ]
    return Trainer(players, points(run), numbers, run, checkpoint_every=5)


def growing(run: Run) -> Trainer:
    """Sequences that become longer while training."""
    with seeded(0, "growing"):
        G, D = nn.GRU(3, 1, batch_first=True).to(run.device), nn.Conv1d(1, 1, 4, 2).to(run.device)
    clips = torch.randn(48, 32, 4, generator=generator("clips"))

    def generated(turn: Turn) -> torch.Tensor:
        return turn.G(turn.batch[:, : turn.now.frames, :3])[0].transpose(1, 2)

    def d_loss(turn: Turn) -> torch.Tensor:
        real = turn.batch[:, : turn.now.frames, 3:].transpose(1, 2)
        return LOSSES["hinge"].d(turn.D(real), turn.D(generated(turn)))

    def g_loss(turn: Turn) -> torch.Tensor:
        return LOSSES["hinge"].g(turn.D(generated(turn)))

    numbers = Numbers([number("frames", 8, 8, 32), number("lr", 2e-3, 1e-9, 1)])
    numbers.drive(Schedule("frames", lambda step: 8 if step < 7 else 16 if step < 14 else 32, label="growing"))
    players = [
        Player("D", D, d_loss, lr=lambda now: now.lr),
        Player("G", G, g_loss, lr=lambda now: now.lr),
    ]
    return Trainer(players, Batches(clips, 8, seed=0, device=run.device), numbers, run, checkpoint_every=5)


REGIMES: dict[str, Callable[[Run], Trainer]] = {
    make.__name__: make for make in (sagan, balance, wgan, single, schedules, lazy, growing)
}


def graphs_of(regime: str, trainer: Trainer) -> dict[str, str]:
    """What is captured of a regime in its first 60 steps."""
    several = {"lazy": {"D": "2 graphs"}, "growing": {"D": "3 graphs", "G": "3 graphs"}}
    return dict.fromkeys(trainer.players, "1 graph") | several.get(regime, {})


def open_run(folder, **given) -> Run:
    """A run of the toy in a folder; captured where the environment says so."""
    return Run.open(Toy(runs=str(folder), **{"capture": os.environ.get("TOY_CAPTURE", "auto")} | given))
