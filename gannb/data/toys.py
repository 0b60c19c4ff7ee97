"""Toys whose right answer is known: 8 and 25 Gaussians, a Swiss roll, and moving sequences.

Every toy has training and held-out samples of its own draws, and can tell which of its modes a sample belongs to.
Source: Gulrajani et al. 2017, section 3 (points); Srivastava et al. 2017 (modes found, share near a mode).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gannb.random import generator
from gannb.tables import ShownAsTable, Table

NEAR = 3.0
"""Standard deviations from a mode within which a point counts as its own; a 2-D Gaussian has 98.9 % of itself there."""

PURE = 0.9
"""Share of a sequence's energy that has to lie in one gait for it to count as that gait's own."""


@dataclass(frozen=True)
class Coverage:
    """What a sample covers.

    Attributes:
        counts: `[modes]`, samples near each mode.
        samples: how many there were in all.
        at_least: samples near it that a mode needs to count as found.
    """

    counts: Tensor
    samples: int
    at_least: int = 1

    @property
    def found(self) -> int:
        """Modes with enough samples near them."""
        return int((self.counts >= self.at_least).sum())

    @property
    def share(self) -> float:
        """Share of the samples that are near any mode."""
        return float(self.counts.sum()) / self.samples

    def as_dict(self) -> dict[str, float]:
        """The two numbers by name, as `trainer.every` records them."""
        return {"modes_found": self.found, "share_near": self.share}

    def __repr__(self) -> str:
        return f"{self.found} of {len(self.counts)} modes found, {self.share:.1%} of {self.samples} samples near one"


@dataclass(frozen=True, repr=False)
class Toy(ShownAsTable):
    """Samples with a known answer.

    Attributes:
        name: "8 Gaussians", …
        train, held_out: `[N, 2]` points, or `[N, T, F]` sequences.
        modes: how many there are.
        sigma: standard deviation of the noise around a mode.
        mode_of: from samples `[N, …]` to the index of each one's mode, or -1 where it is near none, `[N]` int64.
    """

    name: str
    train: Tensor
    held_out: Tensor
    modes: int
    sigma: float
    mode_of: Callable[[Tensor], Tensor]

    def coverage(self, samples: Tensor, at_least: int = 1) -> Coverage:
        """Count the modes found and the share near a mode, of samples `[N, …]`.

        Raises:
            ValueError: samples of another shape than the toy's.
        """
        if not len(samples) or samples.shape[1:] != self.train.shape[1:]:
            raise ValueError(f"samples have shape {tuple(samples.shape)}; {self.name} has [N, {self._shape()}]")
        mode = self.mode_of(samples.detach().to("cpu", torch.float32))
        return Coverage(torch.bincount(mode[mode >= 0], minlength=self.modes), len(samples), at_least)

    def _shape(self) -> str:
        return ", ".join(map(str, self.train.shape[1:]))

    def table(self) -> Table:
        """A row per part: how many samples, and the share near a mode."""
        rows = [
            (part, len(x), self.coverage(x).share) for part, x in (("train", self.train), ("held out", self.held_out))
        ]
        note = f"each sample [{self._shape()}], {self.modes} modes, sigma {self.sigma:g}"
        return Table(("part", "samples", "share near a mode"), rows, caption=self.name, note=note)


def gaussians(
    name: str, centres: Tensor, seed: int = 0, train: int = 8192, held_out: int = 2048, *, sigma: float
) -> Toy:
    """Gaussians of one width: a `Toy` of points `[N, 2]`.

    Args:
        name: of the toy.
        centres: of the Gaussians `[modes, 2]`.
        seed: of the samples.
        train: how many.
        held_out: how many.
        sigma: standard deviation of each.
    """

    def draw(part: str, count: int) -> Tensor:
        which = torch.randint(len(centres), (count,), generator=generator("toy", name, part, seed))
        return centres[which] + sigma * torch.randn(count, 2, generator=generator("toy", name, part, seed, "noise"))

    def mode_of(points: Tensor) -> Tensor:
        nearest, far = _nearest(points, centres)
        return torch.where(far <= NEAR * sigma, nearest, -1)

    return Toy(name, draw("train", train), draw("held out", held_out), len(centres), sigma, mode_of)


def ring() -> Tensor:
    """Eight points on a circle of radius 2 `[8, 2]`."""
    angle = torch.arange(8) * (2 * math.pi / 8)
    return 2 * torch.stack([angle.cos(), angle.sin()], dim=1)


def grid() -> Tensor:
    """Five rows of five points, 2 apart `[25, 2]`."""
    line = 2 * torch.arange(-2.0, 3.0)
    return torch.cartesian_prod(line, line)


def swiss_roll(seed: int = 0, train: int = 8192, held_out: int = 2048, *, sigma: float = 0.03) -> Toy:
    """A spiral of one and a half turns, up to a radius of 2: a `Toy` of points `[N, 2]`.

    It has no modes; 20 stretches of its curve, as many points in each, stand for them.

    Args:
        seed: of the samples.
        train: how many.
        held_out: how many.
        sigma: of the noise across and along the curve.
    """
    curve, stretches = _spiral(torch.linspace(0, 1, 4000)), 20

    def draw(part: str, count: int) -> Tensor:
        along = torch.rand(count, generator=generator("toy", "Swiss roll", part, seed))
        noise = torch.randn(count, 2, generator=generator("toy", "Swiss roll", part, seed, "noise"))
        return _spiral(along) + sigma * noise

    def mode_of(points: Tensor) -> Tensor:
        nearest, far = _nearest(points, curve)
        return torch.where(far <= NEAR * sigma, nearest * stretches // len(curve), -1)

    return Toy("Swiss roll", draw("train", train), draw("held out", held_out), stretches, sigma, mode_of)


GAITS = ((1, 1), (1, -1), (2, 1), (2, -1))
"""Cycles in 16 frames, and the way in which the wave goes through the features."""


def sequences(
    seed: int = 0, train: int = 4096, held_out: int = 1024, frames: int = 32, features: int = 6, sigma: float = 0.05
) -> Toy:
    """Waves through the features in four gaits, each with a phase of its own: a `Toy` of `[N, T, F]`.

    A sample is cos(2π(cycles·t/16 ± f/F) + phase) plus noise; a piece of 16·n frames is a sample of the same toy.

    Args:
        seed: of the samples.
        train: how many.
        held_out: how many.
        frames: T, a multiple of 16.
        features: F, at least 3, or the two directions would look alike.
        sigma: of the noise.

    Raises:
        ValueError: frames or features out of range.
    """
    if frames < 16 or frames % 16:
        raise ValueError(f"frames: given {frames}; allowed: a multiple of 16")
    if features < 3:
        raise ValueError(f"features: given {features}; allowed: 3 or more")

    def draw(part: str, count: int) -> Tensor:
        address = ("toy", "sequences", part, seed)
        gait = torch.randint(len(GAITS), (count,), generator=generator(*address))
        phase = 2 * math.pi * torch.rand(count, 1, 1, generator=generator(*address, "phase"))
        noise = torch.randn(count, frames, features, generator=generator(*address, "noise"))
        return (_waves(frames, features)[gait] + phase).cos() + sigma * noise

    def mode_of(clips: Tensor) -> Tensor:
        share, gait = gait_shares(clips).max(dim=1)
        return torch.where(share >= PURE, gait, -1)

    return Toy("sequences", draw("train", train), draw("held out", held_out), len(GAITS), sigma, mode_of)


def gait_shares(clips: Tensor) -> Tensor:
    """Share of the energy of each sequence `[N, T, F]` that lies in each gait `[N, 4]`; T a multiple of 16."""
    waves = torch.polar(torch.ones(()), -_waves(*clips.shape[1:]))
    inside = torch.einsum("ntf,gtf->ng", clips.to(waves.dtype), waves) / waves[0].numel()
    energy = clips.square().mean(dim=(1, 2)).clamp_min(1e-12)
    return 2 * inside.abs().square() / energy.unsqueeze(1)


TOYS: dict[str, Callable[..., Toy]] = {
    "8 Gaussians": partial(gaussians, "8 Gaussians", ring(), sigma=0.02),
    "25 Gaussians": partial(gaussians, "25 Gaussians", grid(), sigma=0.05),
    "Swiss roll": swiss_roll,
    "sequences": sequences,
}


def toy(name: str, seed: int = 0, **given: Any) -> Toy:
    """A toy by its name.

    Raises:
        ValueError: where there is none of that name; the message lists them.
    """
    if name not in TOYS:
        raise ValueError(f"toy {name!r} is not known; allowed: {', '.join(TOYS)}")
    return TOYS[name](seed, **given)


def _nearest(points: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
    """Which anchor is nearest to each point, and how far it is."""
    parts = [torch.cdist(part, anchors).min(dim=1) for part in points.split(1024)]
    return torch.cat([p.indices for p in parts]), torch.cat([p.values for p in parts])


def _spiral(along: Tensor) -> Tensor:
    """Points `[N, 2]` of the spiral; `along` runs from 0 (inner end) to 1."""
    turn = 1.5 * math.pi * (1 + 2 * along)
    return (2.0 * turn / (4.5 * math.pi)).unsqueeze(1) * torch.stack([turn.cos(), turn.sin()], dim=1)


def _waves(frames: int, features: int) -> Tensor:
    """The angle of each gait without its phase `[4, T, F]`."""
    t, f = torch.arange(frames).view(1, -1, 1) / 16, torch.arange(features).view(1, 1, -1) / features
    cycles, way = (torch.tensor(part).view(-1, 1, 1) for part in zip(*GAITS))
    return 2 * math.pi * (cycles * t + way * f)
