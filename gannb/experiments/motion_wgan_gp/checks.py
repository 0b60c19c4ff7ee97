"""The checks of `checklist`: of a penalty on critics whose slope is known, of a critic, and of the two losses."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gannb.losses.penalties import Critic
from gannb.random import generator, seeded

Penalty = Callable[[Critic, Tensor, Tensor], tuple[Tensor, Tensor]]
"""`(critic, real [N, …], fake [N, …])` to (penalty, norms); it draws its mixing from torch's generator."""
Loss = Callable[..., Tensor]
Verdict = tuple[bool, str]

PROBE = (8, 6, 4)
"""Shape of the samples on which penalties are checked: three dimensions, so that a norm over one of them shows."""

CHECKS: list[tuple[str, Callable[[Any], Verdict], str, str]] = []
"""Name, check, what is needed, and why: of a critic and a penalty."""
LOSS_CHECKS: list[tuple[str, Callable[[Any], Verdict], str, str]] = []
"""The same for the losses."""


@dataclass(frozen=True)
class Subject:
    """What a check looks at: the critic (a copy in train mode), the penalty, a batch, and the seed of all draws."""

    critic: nn.Module
    penalty: Penalty
    real: Tensor
    fake: Tensor
    seed: int

    def run(self, critic: Critic, real: Tensor, fake: Tensor, again: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """The penalty of a critic, its norms, and the mixed points `[N, …]` at which it evaluated the critic.

        Args:
            critic: samples `[N, …]` to scores.
            real: samples `[N, …]`.
            fake: samples of the same shape.
            again: the number of the call, by which its draws differ from others'.

        Raises:
            ValueError: a penalty that evaluates the critic at no point that needs a gradient.
        """
        points: list[Tensor] = []

        def watched(x: Tensor) -> Tensor:
            if x.requires_grad:
                points.append(x.detach().clone())
            return critic(x)

        with seeded("checklist", self.seed, again):
            value, norms = self.penalty(watched, real, fake)
        if not points:
            raise ValueError("the penalty evaluates the critic at no point that needs a gradient")
        return value, norms, points[-1]

    def noise(self, *shape: int, of: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normal draws `[*shape]` by name, on the batch's device."""
        return torch.randn(shape, generator=generator("checklist", of, self.seed)).to(self.real.device, dtype)

    def probe(self) -> tuple[Tensor, Tensor]:
        """Real and fake samples `[8, 6, 4]`."""
        return self.noise(*PROBE, of="probe real"), self.noise(*PROBE, of="probe fake")


def plain_norms(critic: Critic, points: Tensor) -> Tensor:
    """The gradient norm `[N]` of the mean score at each point `[N, …]`, one sample at a time: the reference.

    Slow, and so simple that it can be believed: nothing can be summed over the wrong dimension.
    """
    norms = []
    for point in points.detach():
        point = point.unsqueeze(0).requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(point).mean(), point)
        norms.append(gradient.norm())
    return torch.stack(norms)


def _listed(table: list[Any], name: str, needed: str, why: str) -> Callable[[Any], Any]:
    def add(verdict: Callable[[Any], Verdict]) -> Callable[[Any], Verdict]:
        table.append((name, verdict, needed, why))
        return verdict

    return add


# ---- of the penalty, on critics whose slope is known ---------------------------------------------------------


@_listed(CHECKS, "returns penalty and norms", "[] and [8]", "who returns no norms cannot log them (W12)")
def _returns(s: Subject) -> Verdict:
    given = s.penalty(_Linear(s.noise(6, 4, of="linear")), *s.probe())
    if not (isinstance(given, tuple) and len(given) == 2):
        return False, f"a {type(given).__name__}"
    value, norms = given
    good = value.ndim == 0 and norms.shape == (PROBE[0],) and not norms.requires_grad
    return good, f"{list(value.shape)} and {list(norms.shape)}" + (", with a graph" if norms.requires_grad else "")


@_listed(CHECKS, "norm of the whole sample", "4.899 = √24, of 1 per sample", "√F-fold slopes else (W4)")
def _whole_sample(s: Subject) -> Verdict:
    value, norms, _ = s.run(_Linear(torch.ones(PROBE[1:], device=s.real.device)), *s.probe())
    right, found = math.sqrt(math.prod(PROBE[1:])), norms.double().mean().item()
    good = _close(found, right) and _close(value.item(), (right - 1) ** 2)
    return good, f"{found:.3f}, of {norms.numel() / PROBE[0]:g} per sample"


@_listed(CHECKS, "equals a plain reference", "apart by < 1e-4", "on random networks, sample by sample")
def _reference(s: Subject) -> Verdict:
    far = 0.0
    for trial in range(3):
        critic = _network(s, f"network {trial}")
        value, _, points = s.run(critic, *s.probe(), again=trial)
        far = max(far, _apart(value, (plain_norms(critic, points) - 1).square().mean()))
    return far < 1e-4, f"apart by {far:.1e}"


@_listed(CHECKS, "one draw per sample", "256 in 256 samples", "a batch on one spot sees little of the way")
def _one_per_sample(s: Subject) -> Verdict:
    ones = torch.ones(256, *PROBE[1:], device=s.real.device)
    mix = s.run(_Linear(ones[0]), ones, torch.zeros_like(ones))[2].flatten(1)
    if len(mix) != len(ones):
        return False, f"{len(mix)} points for {len(ones)} samples"
    different, inside = len(mix[:, 0].unique()), float((mix - mix[:, :1]).abs().max())
    return different > 250 and inside < 1e-6, f"{different} in {len(mix)} samples"


@_listed(CHECKS, "draws are uniform", "largest gap < 0.2", "all of the way between real and fake counts")
def _uniform(s: Subject) -> Verdict:
    """The Kolmogorov distance over 64 calls of 16 samples, so that one draw per batch is spread out as well."""
    ones = torch.ones(16, 1, device=s.real.device)
    calls = [s.run(_Linear(ones[0]), ones, torch.zeros_like(ones), again=i)[2].flatten() for i in range(64)]
    mix = torch.cat(calls).double().sort().values
    even = torch.arange(1, len(mix) + 1, device=mix.device) / len(mix)
    gap = float((mix - even).abs().max())
    return gap < 0.2, f"largest gap {gap:.3f}"


@_listed(CHECKS, "full precision under autocast", "apart by < 1e-5", "squares and roots of small slopes (W5)")
def _full_precision(s: Subject) -> Verdict:
    critic = _network(s, "network 0")
    outside = s.run(critic, *s.probe())
    with torch.autocast(s.real.device.type, torch.bfloat16):
        inside = s.run(critic, *s.probe())
    far = max(_apart(one, two) for one, two in zip(inside[:2], outside[:2]))
    return far < 1e-5, f"apart by {far:.1e}"


@_listed(CHECKS, "patches are averaged", "1.000", "a sum over P patches aims at slope 1/P (W15)")
def _patches(s: Subject) -> Verdict:
    weight = s.noise(*PROBE[1:], of="patches")
    norms = s.run(_Linear(weight / weight.norm(), patches=5), *s.probe())[1]
    return _close(norms.mean().item(), 1.0), f"{norms.double().mean().item():.3f}"


@_listed(CHECKS, "flat critic", "finite", "√ has an infinite slope at 0: √(· + 1e-12)")
def _flat(s: Subject) -> Verdict:
    critic = _Linear(torch.zeros(PROBE[1:], device=s.real.device))
    s.run(critic, *s.probe())[0].backward()
    good = critic.weight.grad is not None and bool(critic.weight.grad.isfinite().all())
    return good, "finite" if good else "NaN, infinite or none"


@_listed(CHECKS, "gradcheck in float64", "agreement", "second derivatives reach the weights")
def _gradcheck(s: Subject) -> Verdict:
    real, fake = (s.noise(3, 3, 2, of=which, dtype=torch.float64) for which in ("gradcheck real", "gradcheck fake"))
    weights = [s.noise(*shape, of=f"gradcheck {shape}", dtype=torch.float64) for shape in ((6, 3), (3,))]

    def value(enter: Tensor, leave: Tensor) -> Tensor:
        return s.run(lambda x: (x.flatten(1) @ enter).tanh() @ leave, real, fake)[0]

    good = torch.autograd.gradcheck(value, [w.requires_grad_(True) for w in weights])
    return good, "analytic and numeric gradients agree"


# ---- of the critic -------------------------------------------------------------------------------------------


@_listed(CHECKS, "a score per sample", "as many as samples", "or scores per patch, sample by sample")
def _scores(s: Subject) -> Verdict:
    scores = s.critic(s.real)
    good = scores.ndim > 0 and len(scores) == len(s.real) and scores.is_floating_point()
    return good, f"{list(scores.shape)} for {len(s.real)} samples"


@_listed(CHECKS, "samples do not see each other", "< 0.1 %", "the penalty is per sample, no BatchNorm (W10)")
def _independent(s: Subject) -> Verdict:
    alone, among = (_scored(s, batch) for batch in (s.real, torch.cat([s.real[:1], 2 * s.fake[1:]])))
    far = float((alone[0] - among[0]).abs().max() / _size(alone))
    return far < 1e-3, f"a score moves by {far:.1%} of its size"


@_listed(CHECKS, "same scores when called twice", "< 0.1 %", "the penalty must see the same network: no dropout (W13)")
def _steady(s: Subject) -> Verdict:
    with torch.no_grad(), seeded("checklist", s.seed):
        one, two = s.critic(s.real), s.critic(s.real)
    far = float((one - two).abs().max() / _size(one))
    return far < 1e-3, f"scores move by {far:.1%} of their size"


@_listed(CHECKS, "scores without bounds", "beyond ±1.5", "a sigmoid or tanh is no critic")
def _unbounded(s: Subject) -> Verdict:
    """Push the weights up and down for a while: what ends in a sigmoid or tanh does not leave [-1, 1]."""
    low, high = (way * _pushed(s.critic, s.real, way) for way in (-1, 1))
    return low < -1.5 and high > 1.5, f"from {low:.3g} to {high:.3g}"


@_listed(CHECKS, "this critic equals the reference", "apart by < 1e-3", "critic and penalty together")
def _together(s: Subject) -> Verdict:
    value, norms, points = s.run(s.critic, s.real, s.fake)
    with seeded("checklist", s.seed, "reference"):
        plain = plain_norms(s.critic, points)
    far = max(_apart(value, (plain - 1).square().mean()), _apart(norms, plain))
    return far < 1e-3, f"apart by {far:.1e}"


@_listed(CHECKS, "the penalty trains this critic", "finite, above 0", "second derivatives that vanish teach nothing")
def _trains(s: Subject) -> Verdict:
    weights = [p for p in s.critic.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(s.run(s.critic, s.real, s.fake)[0], weights, allow_unused=True)
    size = sum(float(g.square().sum()) for g in gradients if g is not None) ** 0.5
    return math.isfinite(size) and size > 0, f"gradient of norm {size:.2e}"


# ---- of the losses -------------------------------------------------------------------------------------------


@_listed(LOSS_CHECKS, "means and signs", "-2.5 and -1.5", "E[fake] - E[real], and -E[fake], on 3, 5 and 1, 2 (W6)")
def _losses_signs(losses: tuple[Loss, Loss]) -> Verdict:
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 2.0])
    d, g = float(losses[0](real, fake)), float(losses[1](fake))
    return _close(d, -2.5) and _close(g, -1.5), f"{d:.3g} and {g:.3g}"


@_listed(LOSS_CHECKS, "the offset is free", "moves by 0", "there is no label and no smoothing left (W3, W7)")
def _losses_offset(losses: tuple[Loss, Loss]) -> Verdict:
    real, fake = torch.randn(8), torch.randn(8)
    moved = abs(float(losses[0](real + 100, fake + 100) - losses[0](real, fake)))
    return moved < 1e-3, f"moves by {moved:.3g}"


@_listed(LOSS_CHECKS, "G's slope does not vanish", "-1 and -1", "at scores of -50 and 50 (W16)")
def _losses_saturate(losses: tuple[Loss, Loss]) -> Verdict:
    slopes = []
    for level in (-50.0, 50.0):
        scores = torch.full((4,), level, requires_grad=True)
        slopes.append(float(torch.autograd.grad(losses[1](scores), scores)[0].sum()))
    return all(_close(slope, -1.0) for slope in slopes), f"{slopes[0]:.3g} and {slopes[1]:.3g}"


# ---- probes --------------------------------------------------------------------------------------------------


class _Linear(nn.Module):
    """Score ⟨weight, x⟩, given once per sample or as so many patches whose mean it is."""

    def __init__(self, weight: Tensor, patches: int = 0) -> None:
        super().__init__()
        self.weight, self.patches = nn.Parameter(weight.clone()), patches

    def forward(self, x: Tensor) -> Tensor:
        score = (self.weight * x).flatten(1).sum(dim=1)
        return score.unsqueeze(1).expand(-1, self.patches) if self.patches else score


def _network(s: Subject, name: str) -> nn.Module:
    with seeded("checklist", s.seed, name):
        layers = nn.Flatten(), nn.Linear(math.prod(PROBE[1:]), 16), nn.SiLU(), nn.Linear(16, 1), nn.Flatten(0)
    return nn.Sequential(*layers).to(s.real.device)


def _scored(s: Subject, batch: Tensor) -> Tensor:
    with torch.no_grad(), seeded("checklist", s.seed):
        return s.critic(batch)


def _pushed(critic: nn.Module, x: Tensor, way: int) -> float:
    """The largest score, times `way`, that a copy reaches when its weights are pushed that way."""
    copied = copy.deepcopy(critic)
    optimiser = torch.optim.Adam(copied.parameters(), lr=0.02)
    for _ in range(40):
        optimiser.zero_grad()
        (-way * copied(x).mean()).backward()
        optimiser.step()
    with torch.no_grad():
        return float((way * copied(x)).max())


def _apart(one: Tensor, two: Tensor) -> float:
    """The largest difference, relative to the size of the second; infinite where shapes differ."""
    if one.shape != two.shape:
        return math.inf
    one, two = one.detach().double(), two.detach().double()
    far = float((one - two).abs().max() / two.abs().max().clamp_min(1e-12))
    return far if math.isfinite(far) else math.inf


def _size(scores: Tensor) -> Tensor:
    return scores.abs().mean().clamp_min(1e-6)


def _close(found: float, right: float) -> bool:
    return math.isclose(found, right, rel_tol=1e-4)
