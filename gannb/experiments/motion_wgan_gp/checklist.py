"""An executable checklist for the critic and the gradient penalty of a WGAN-GP: each row is a check that can fail.

It replaces a table of ticks (motion_wgan_gp, "checklist against the standard"). Nothing that is brought is changed:
critics are copied, and torch's generators are put back. Contradictions W4, W5, W10, W12, W13, W15.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gannb.losses.penalties import Critic
from gannb.random import generator, seeded
from gannb.tables import Table

Penalty = Callable[[Critic, Tensor, Tensor], tuple[Tensor, Tensor]]
"""`(critic, real [N, …], fake [N, …])` to (penalty, norms); it draws its mixing from torch's generator."""

Verdict = tuple[bool, str]

PROBE = (8, 6, 4)
"""Shape of the samples on which penalties are checked: three dimensions, so that a norm over one of them shows."""


@dataclass(frozen=True)
class Check:
    """One row: what was checked, whether it holds, what was found, and why it matters."""

    name: str
    passed: bool
    found: str
    needed: str
    why: str


@dataclass(frozen=True, repr=False)
class Checklist:
    """All rows of one critic and one penalty."""

    rows: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every row holds."""
        return all(row.passed for row in self.rows)

    @property
    def failed(self) -> list[str]:
        """Names of the rows that do not hold."""
        return [row.name for row in self.rows if not row.passed]

    def table(self) -> Table:
        """A row per check."""
        columns = ("check", "holds", "found", "needed", "why")
        held = sum(row.passed for row in self.rows)
        rows = [(row.name, row.passed, row.found, row.needed, row.why) for row in self.rows]
        return Table(columns, rows, note=f"{held} of {len(self.rows)} hold")

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


Loss = Callable[..., Tensor]


def check_losses(critic_loss: Loss, generator_loss: Loss) -> Checklist:
    """The checks of the two losses, before the penalty and its weight are added.

    Args:
        critic_loss: of the scores `[N]` of real and of generated samples.
        generator_loss: of the scores of generated samples.
    """
    return Checklist(tuple(_row((critic_loss, generator_loss), 0, *row) for row in LOSS_CHECKS))


def compare(checklists: Mapping[str, Checklist]) -> Table:
    """Checklists side by side: a row per check, and a column for each of the critics or penalties, by its name."""
    names = [row.name for row in next(iter(checklists.values())).rows]
    rows = [(name, *(c.rows[i].passed for c in checklists.values())) for i, name in enumerate(names)]
    return Table(("check", *checklists), rows)


@dataclass(frozen=True)
class Brought:
    """What a check looks at: the critic (a copy in train mode), the penalty, a batch, and the seed of all draws."""

    critic: nn.Module
    penalty: Penalty
    real: Tensor
    fake: Tensor
    seed: int

    def run(self, critic: nn.Module, real: Tensor, fake: Tensor, again: int = 0) -> Seen:
        """The penalty of a critic, with the points at which it was evaluated."""
        spy = _Spy(critic)
        with seeded("checklist", self.seed, again):
            value, norms = self.penalty(spy, real, fake)
        if spy.points is None:
            raise ValueError("the penalty evaluates the critic at no point that needs a gradient")
        return Seen(value, norms, spy.points)

    def noise(self, *shape: int, of: str, dtype: torch.dtype = torch.float32) -> Tensor:
        """Normal draws by name, on the batch's device."""
        return torch.randn(shape, generator=generator("checklist", of, self.seed)).to(self.real.device, dtype)


@dataclass(frozen=True)
class Seen:
    """What a penalty gave, and the mixed points `[N, …]` at which it evaluated the critic."""

    value: Tensor
    norms: Tensor
    points: Tensor


def check(critic: nn.Module, penalty: Penalty, real: Tensor, fake: Tensor, *, seed: int = 0) -> Checklist:
    """Run every check on a critic and a penalty, as they are used together in a training step.

    Args:
        critic: samples `[N, …]` to scores `[N]` or patch scores `[N, …]`.
        penalty: does all that the step does for the penalty, autocast's switching off included. A penalty that is
            handed its mixing is brought as `penalties.drawing_mix(penalty)`.
        real, fake: a batch of each, `[N, …]` with N >= 4.
        seed: of every draw of the checks.

    Raises:
        ValueError: a critic that is no module, or a batch that is too small or of two shapes.
    """
    if not isinstance(critic, nn.Module):
        raise ValueError(f"critic: given {type(critic).__name__}; a torch.nn.Module is needed (wrap a function in one)")
    if real.shape != fake.shape or len(real) < 4:
        raise ValueError(f"real {tuple(real.shape)} and fake {tuple(fake.shape)}: one shape and 4 samples are needed")
    brought = Brought(copy.deepcopy(critic).train(), penalty, real.detach(), fake.detach(), seed)
    _settle(brought)
    return Checklist(tuple(_row(brought, seed, *row) for row in CHECKS))


def plain_norms(critic: Critic, points: Tensor) -> Tensor:
    """The gradient norm of the mean score at each point, one sample at a time: the reference `[N]`.

    Slow, and so simple that it can be believed: nothing can be summed over the wrong dimension.
    """
    norms = []
    for point in points.detach():
        point = point.unsqueeze(0).requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(point).mean(), point)
        norms.append(gradient.norm())
    return torch.stack(norms)


# ---- of the penalty, on critics whose slope is known ---------------------------------------------------------


def _returns(b: Brought) -> Verdict:
    given = b.penalty(_Linear(b.noise(6, 4, of="linear")), *_probe(b))
    if not (isinstance(given, tuple) and len(given) == 2):
        return False, f"a {type(given).__name__}"
    value, norms = given
    good = value.ndim == 0 and norms.shape == (PROBE[0],) and not norms.requires_grad
    return good, f"{_shape(value)} and {_shape(norms)}" + (", with a graph" if norms.requires_grad else "")


def _whole_sample(b: Brought) -> Verdict:
    seen = b.run(_Linear(torch.ones(PROBE[1:], device=b.real.device)), *_probe(b))
    right = math.sqrt(math.prod(PROBE[1:]))
    found = seen.norms.double().mean().item()
    good = _close(found, right) and _close(seen.value.item(), (right - 1) ** 2)
    return good, f"{found:.3f}, of {seen.norms.numel() / PROBE[0]:g} per sample"


def _reference(b: Brought) -> Verdict:
    far = 0.0
    for trial in range(3):
        critic = _network(b, f"network {trial}")
        seen = b.run(critic, *_probe(b), again=trial)
        norms = plain_norms(critic, seen.points)
        far = max(far, _apart(seen.value, (norms - 1).square().mean()))
    return far < 1e-4, f"apart by {far:.1e}"


def _one_a_sample(b: Brought) -> Verdict:
    ones = torch.ones(256, *PROBE[1:], device=b.real.device)
    mix = b.run(_Linear(ones[0]), ones, torch.zeros_like(ones)).points.flatten(1)
    if len(mix) != len(ones):
        return False, f"{len(mix)} points for {len(ones)} samples"
    inside = float((mix - mix[:, :1]).abs().max())
    return len(mix[:, 0].unique()) > 250 and inside < 1e-6, f"{len(mix[:, 0].unique())} in {len(mix)} samples"


def _uniform(b: Brought) -> Verdict:
    """The Kolmogorov distance over 64 calls of 16 samples, so that draws a batch are spread out as well."""
    ones = torch.ones(16, 1, device=b.real.device)
    calls = [b.run(_Linear(ones[0]), ones, torch.zeros_like(ones), again=i).points.flatten() for i in range(64)]
    mix = torch.cat(calls).double().sort().values
    even = torch.arange(1, len(mix) + 1, device=mix.device) / len(mix)
    gap = float((mix - even).abs().max())
    return gap < 0.2, f"largest gap {gap:.3f}"


def _full_precision(b: Brought) -> Verdict:
    critic = _network(b, "network 0")
    outside = b.run(critic, *_probe(b))
    with torch.autocast(b.real.device.type, torch.bfloat16):
        inside = b.run(critic, *_probe(b))
    far = max(_apart(inside.value, outside.value), _apart(inside.norms, outside.norms))
    return far < 1e-5, f"apart by {far:.1e}"


def _patches(b: Brought) -> Verdict:
    weight = b.noise(*PROBE[1:], of="patches")
    norms = b.run(_Linear(weight / weight.norm(), patches=5), *_probe(b)).norms
    return _close(norms.mean().item(), 1.0), f"{norms.double().mean().item():.3f}"


def _flat(b: Brought) -> Verdict:
    critic = _Linear(torch.zeros(PROBE[1:], device=b.real.device))
    b.run(critic, *_probe(b)).value.backward()
    good = critic.weight.grad is not None and bool(critic.weight.grad.isfinite().all())
    return good, "finite" if good else "NaN, infinite or none"


def _gradcheck(b: Brought) -> Verdict:
    real, fake = (b.noise(3, 3, 2, of=which, dtype=torch.float64) for which in ("gradcheck real", "gradcheck fake"))
    weights = [b.noise(*shape, of=f"gradcheck {shape}", dtype=torch.float64) for shape in ((6, 3), (3,))]

    def value(enter: Tensor, leave: Tensor) -> Tensor:
        return b.run(_Function(lambda x: (x.flatten(1) @ enter).tanh() @ leave), real, fake).value

    good = torch.autograd.gradcheck(value, [w.requires_grad_(True) for w in weights])
    return good, "analytic and numeric gradients agree"


# ---- of the critic -------------------------------------------------------------------------------------------


def _scores(b: Brought) -> Verdict:
    scores = b.critic(b.real)
    good = scores.ndim > 0 and len(scores) == len(b.real) and scores.is_floating_point()
    return good, f"{_shape(scores)} for {len(b.real)} samples"


def _independent(b: Brought) -> Verdict:
    others = torch.cat([b.real[:1], 2 * b.fake[1:]])
    with torch.no_grad(), seeded("checklist", b.seed):
        alone = b.critic(b.real)
    with torch.no_grad(), seeded("checklist", b.seed):
        among = b.critic(others)
    far = float((alone[0] - among[0]).abs().max() / _size(alone))
    return far < 1e-3, f"a score moves by {far:.1%} of its size"


def _steady(b: Brought) -> Verdict:
    with torch.no_grad(), seeded("checklist", b.seed):
        one, two = b.critic(b.real), b.critic(b.real)
    far = float((one - two).abs().max() / _size(one))
    return far < 1e-3, f"scores move by {far:.1%} of their size"


def _unbounded(b: Brought) -> Verdict:
    """Push the weights up and down for a while: what ends in a sigmoid or tanh does not leave [-1, 1]."""
    low, high = (way * _pushed(b.critic, b.real, way) for way in (-1, 1))
    return low < -1.5 and high > 1.5, f"from {low:.3g} to {high:.3g}"


def _together(b: Brought) -> Verdict:
    seen = b.run(b.critic, b.real, b.fake)
    with seeded("checklist", b.seed, "reference"):
        norms = plain_norms(b.critic, seen.points)
    far = max(_apart(seen.value, (norms - 1).square().mean()), _apart(seen.norms, norms))
    return far < 1e-3, f"apart by {far:.1e}"


def _trains(b: Brought) -> Verdict:
    weights = [p for p in b.critic.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(b.run(b.critic, b.real, b.fake).value, weights, allow_unused=True)
    size = sum(float(g.square().sum()) for g in gradients if g is not None) ** 0.5
    return math.isfinite(size) and size > 0, f"gradient of norm {size:.2e}"


# ---- of the losses -------------------------------------------------------------------------------------------


def _losses_signs(losses: tuple[Loss, Loss]) -> Verdict:
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 2.0])
    d, g = float(losses[0](real, fake)), float(losses[1](fake))
    return _close(d, -2.5) and _close(g, -1.5), f"{d:.3g} and {g:.3g}"


def _losses_offset(losses: tuple[Loss, Loss]) -> Verdict:
    real, fake = torch.randn(8), torch.randn(8)
    moved = abs(float(losses[0](real + 100, fake + 100) - losses[0](real, fake)))
    return moved < 1e-3, f"moves by {moved:.3g}"


def _losses_saturate(losses: tuple[Loss, Loss]) -> Verdict:
    slopes = []
    for level in (-50.0, 50.0):
        scores = torch.full((4,), level, requires_grad=True)
        slopes.append(float(torch.autograd.grad(losses[1](scores), scores)[0].sum()))
    return all(_close(slope, -1.0) for slope in slopes), f"{slopes[0]:.3g} and {slopes[1]:.3g}"


LOSS_CHECKS: tuple[tuple[str, Callable[[tuple[Loss, Loss]], Verdict], str, str], ...] = (
    (
        "means and signs",
        _losses_signs,
        "-2.5 and -1.5",
        "E[generated] - E[real], and -E[generated], on scores 3, 5 and 1, 2 (W6)",
    ),
    ("the offset is free", _losses_offset, "moves by 0", "there is no label and no smoothing left (W3, W7)"),
    ("G's slope does not vanish", _losses_saturate, "-1 and -1", "at scores of -50 and 50 (W16)"),
)
"""The same for the losses."""

CHECKS: tuple[tuple[str, Callable[[Brought], Verdict], str, str], ...] = (
    ("returns penalty and norms", _returns, "[] and [8]", "who returns no norms cannot log them (W12)"),
    ("norm of the whole sample", _whole_sample, "4.899 = √24, of 1 per sample", "√F-fold slopes else (W4)"),
    ("equals a plain reference", _reference, "apart by < 1e-4", "on random networks, sample by sample"),
    ("one draw per sample", _one_a_sample, "256 in 256 samples", "a batch on one spot sees little of the way"),
    ("draws are uniform", _uniform, "largest gap < 0.2", "all of the way between real and fake counts"),
    ("full precision under autocast", _full_precision, "apart by < 1e-5", "squares and roots of small slopes (W5)"),
    ("patches are averaged", _patches, "1.000", "a sum over P patches aims at slope 1/P (W15)"),
    ("flat critic", _flat, "finite", "√ has an infinite slope at 0: √(· + 1e-12)"),
    ("gradcheck in float64", _gradcheck, "agreement", "second derivatives reach the weights"),
    ("a score per sample", _scores, "as many as samples", "or scores per patch, sample by sample"),
    ("samples do not see each other", _independent, "< 0.1 %", "the penalty is per sample, no BatchNorm (W10)"),
    ("same scores when called twice", _steady, "< 0.1 %", "the penalty must see the same network: no dropout (W13)"),
    ("scores without bounds", _unbounded, "beyond ±1.5", "a sigmoid or tanh is no critic"),
    ("this critic equals the reference", _together, "apart by < 1e-3", "critic and penalty together"),
    ("the penalty trains this critic", _trains, "finite, above 0", "second derivatives that vanish teach nothing"),
)
"""Name, check, what is needed, and why."""


def _row(brought: Any, seed: int, name: str, verdict: Callable[[Any], Verdict], needed: str, why: str) -> Check:
    try:
        with seeded("checklist", seed, name):
            passed, found = verdict(brought)
    except Exception as error:  # whatever was brought may raise anything: that is a row that does not hold
        passed, found = (
            False,
            f"{type(error).__name__}: {str(error).strip().splitlines()[0][:100] if str(error) else ''}",
        )
    return Check(name, passed, found, needed, why)


# ---- probes --------------------------------------------------------------------------------------------------


class _Spy(nn.Module):
    """A critic that keeps the last points at which a gradient was needed."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic, self.points = critic, None

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            self.points = x.detach().clone()
        return self.critic(x)


class _Linear(nn.Module):
    """Score ⟨weight, x⟩, given once a sample or as so many patches whose mean it is."""

    def __init__(self, weight: Tensor, patches: int = 0) -> None:
        super().__init__()
        self.weight, self.patches = nn.Parameter(weight.clone()), patches

    def forward(self, x: Tensor) -> Tensor:
        score = (self.weight * x).flatten(1).sum(dim=1)
        return score.unsqueeze(1).expand(-1, self.patches) if self.patches else score


class _Function(nn.Module):
    def __init__(self, function: Critic) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _network(b: Brought, name: str) -> nn.Module:
    with seeded("checklist", b.seed, name):
        layers = nn.Flatten(), nn.Linear(math.prod(PROBE[1:]), 16), nn.SiLU(), nn.Linear(16, 1), nn.Flatten(0)
    return nn.Sequential(*layers).to(b.real.device)


def _probe(b: Brought) -> tuple[Tensor, Tensor]:
    return b.noise(*PROBE, of="probe real"), b.noise(*PROBE, of="probe fake")


def _settle(b: Brought) -> None:
    """Let the power iterations of spectral norms come to rest, which move at every call in train mode."""
    with torch.no_grad(), seeded("checklist", b.seed, "standardise"):
        for _ in range(30):
            b.critic(b.real)


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


def _shape(x: Tensor) -> str:
    return str(list(x.shape))
