"""What a cleaned face feature gained or lost: similarity to the target by yaw, harm, removed energy, verification.

Everything is measured on identities that were not trained on, and on one population (claim I8).
Intervals are 95 %: over people (bootstrap) for means, Wilson's for shares, over folds for accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from gannb.experiments.identity.faces import FRONTAL, Faces
from gannb.experiments.identity.verification import PROFILE, verification, wilson
from gannb.metrics.score import Score, Scores
from gannb.random import generator
from gannb.tables import Table

YAW_BINS = ((0.0, 15.0), (15.0, 30.0), (30.0, 45.0), (45.0, 60.0), (60.0, 75.0), (75.0, 90.0))
HARM = 0.005  # a fall of the cosine by more than this counts as harm


@dataclass(frozen=True)
class Comparison:
    """Cosine to the target before and after, face by face.

    Attributes:
        before, after: `[N]` in [-1, 1].
        yaw: `[N]` absolute, degrees.
        person: `[N]` identities.
    """

    before: Tensor
    after: Tensor
    yaw: Tensor
    person: Tensor

    def __len__(self) -> int:
        return len(self.yaw)

    @property
    def change(self) -> Tensor:
        """After − before, `[N]`."""
        return self.after - self.before

    @property
    def harmed(self) -> Tensor:
        """Which faces fell by more than 0.005, `[N]` bool."""
        return self.change < -HARM

    @property
    def bins(self) -> list[tuple[float, float]]:
        """Those of `YAW_BINS` that hold faces."""
        return [ends for ends in YAW_BINS if len(self.within(*ends))]

    def within(self, low: float, high: float) -> Comparison:
        """The faces with low ≤ |yaw| < high; 90 as `high` takes everything beyond it along."""
        kept = (self.yaw >= low) & ((self.yaw < high) | (high >= 90))
        return Comparison(self.before[kept], self.after[kept], self.yaw[kept], self.person[kept])


def compare(cleaned: Tensor, faces: Faces) -> Comparison:
    """Compare cleaned features `[N, 512]` with the raw ones of `faces`, at their targets.

    Raises:
        ValueError: faces without targets, or another number of features.
    """
    if faces.target is None:
        raise ValueError("these faces have no targets; use faces.with_targets()")
    if cleaned.shape != faces.features.shape:
        raise ValueError(f"cleaned features have shape {list(cleaned.shape)}, raw {list(faces.features.shape)}")
    return Comparison(
        before=cosine_similarity(faces.features, faces.target),
        after=cosine_similarity(cleaned.float(), faces.target),
        yaw=faces.yaw,
        person=faces.identity,
    )


def improvement(comparison: Comparison, low: float = 0.0, high: float = 90.0) -> Score:
    """Mean change of the cosine at low ≤ |yaw| < high, with an interval over people.

    Args:
        comparison: similarity before and after, face by face.
        low: degrees; 90 takes everything beyond it along.
        high: degrees; 90 takes everything beyond it along.
    """
    name = "improvement" if (low, high) == (0, 90) else f"improvement_{low:g}_{high:g}"
    return _mean_score(name, comparison.within(low, high), "change", yaw=f"{low:g}-{high:g}°")


def advantage(one: Comparison, other: Comparison, low: float = 0.0, high: float = 90.0) -> Score:
    """Mean cosine after `one` less that after `other`, face by face, at low ≤ |yaw| < high.

    The error is over people; how much another training seed would change it is not in it.

    Args:
        one: comparisons of the same faces.
        other: comparisons of the same faces.
        low: degrees.
        high: degrees.

    Raises:
        ValueError: the two were not measured on the same faces.
    """
    if not (torch.equal(one.yaw, other.yaw) and torch.equal(one.person, other.person)):
        raise ValueError("the two comparisons are not of the same faces")
    one, other = one.within(low, high), other.within(low, high)
    if not len(one):
        return Score.missing("advantage", f"no face between {low:g}° and {high:g}°")
    return _over_people("advantage", one.after - other.after, one.person, {"yaw": f"{low:g}-{high:g}°"})


def similarity(comparison: Comparison, *, raw: bool = False) -> Score:
    """Mean cosine to the target of the cleaned features, or of the raw ones."""
    return _mean_score("similarity_raw" if raw else "similarity", comparison, "before" if raw else "after")


def harm_rate(comparison: Comparison, low: float = 0.0, high: float = 90.0) -> Score:
    """Share of the faces at low ≤ |yaw| < high whose cosine fell by more than 0.005, with Wilson's interval.

    Args:
        comparison: similarity before and after, face by face.
        low: degrees.
        high: degrees.
    """
    name = "harm_rate" if (low, high) == (0, 90) else f"harm_rate_{low:g}_{high:g}"
    part = comparison.within(low, high)
    if not len(part):
        return Score.missing(name, f"no face between {low:g}° and {high:g}°")
    harmed, people = int(part.harmed.sum()), len(part.person.unique())
    protocol = {"n": len(part), "people": people, "drop": f"> {HARM}", "yaw": f"{low:g}-{high:g}°"}
    return Score(name, harmed / len(part), interval=wilson(harmed, len(part)), protocol=protocol)


def by_yaw(comparison: Comparison) -> Table:
    """One row per yaw bin: faces, similarity before and after, change with its interval, share harmed."""
    rows = []
    for low, high in YAW_BINS:
        part, gain = comparison.within(low, high), improvement(comparison, low, high)
        found = [None] * 6
        if len(part):
            means = part.before.mean().item(), part.after.mean().item(), float(gain)
            found = [*means, *(gain.interval or (None, None)), part.harmed.float().mean().item()]
        rows.append((f"{low:g}-{high:g}°", len(part), *found))
    columns = ("yaw", "faces", "before", "after", "change", "from", "to", "harmed")
    return Table(columns, rows, note="from, to: 95 % interval of the change, bootstrap over people")


def _mean_score(name: str, comparison: Comparison, which: str, **protocol: str) -> Score:
    if not len(comparison):
        return Score.missing(name, "no face in this range of yaw", **protocol)
    return _over_people(name, getattr(comparison, which), comparison.person, protocol)


def _over_people(name: str, values: Tensor, person: Tensor, protocol: dict[str, str]) -> Score:
    people, error, interval = len(person.unique()), None, None
    if people > 1:
        error, interval = resampled(values, person).std(), mean_interval(values, person)
    shown = {"n": len(values), "people": people, "error": "bootstrap over people", **protocol}
    return Score(name, values.double().mean(), error=error, interval=interval, protocol=shown)


def planted_share(features: Tensor, planted: Tensor) -> Tensor:
    """Share `[N]` of each feature's energy (squared length) inside a subspace of orthonormal basis `[512, k]`."""
    return (normalize(features.float(), dim=1) @ planted).square().sum(dim=1)


def removed_energy(cleaned: Tensor, faces: Faces) -> Score:
    """How much of the energy in the planted pose subspace is gone: 1 − Σ share(cleaned) / Σ share(raw).

    Shares are of unit-length features, so that shrinking a feature removes nothing. 1: all gone; 0: none; negative:
    more than before.

    Args:
        cleaned: `[N, 512]`, one row per face.
        faces: the raw ones, with their planted subspace.
    """
    if faces.planted is None:
        return Score.missing("removed_energy", "these features have no planted subspace")
    left, raw = planted_share(cleaned, faces.planted), planted_share(faces.features, faces.planted)
    people, interval = len(faces.identities), None
    if people > 1:
        interval = tuple(1 - end for end in reversed(mean_interval(left, faces.identity, raw)))
    protocol = {"n": len(faces), "people": people, "directions": faces.planted.shape[1]}
    return Score("removed_energy", 1 - left.sum().item() / raw.sum().item(), interval=interval, protocol=protocol)


def evaluate(cleaned: Tensor, faces: Faces) -> Scores:
    """Every score of cleaned features `[N, 512]` of held-out faces with targets.

    `improvement` (also at 0-15° and 60-90°), `similarity`, `harm_rate` (also at 0-15°), `removed_energy`, and the
    verification scores before (`…_raw`) and after.
    """
    comparison = compare(cleaned, faces)
    own = [
        *(improvement(comparison, *ends) for ends in ((0, 90), (0, FRONTAL), (PROFILE, 90))),
        similarity(comparison, raw=True),
        similarity(comparison),
        *(harm_rate(comparison, *ends) for ends in ((0, 90), (0, FRONTAL))),
        removed_energy(cleaned, faces),
    ]
    return Scores(own) | verification(faces.features, faces, suffix="_raw") | verification(cleaned, faces)


def mean_interval(values: Tensor, person: Tensor, weights: Tensor | None = None) -> tuple[float, float]:
    """95 % bootstrap interval of Σ values / Σ weights over people.

    Args:
        values: as for `resampled`, each `[N]`.
        person: as for `resampled`, each `[N]`.
        weights: as for `resampled`, each `[N]`.
    """
    low, high = resampled(values, person, weights).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high


def resampled(values: Tensor, person: Tensor, weights: Tensor | None = None) -> Tensor:
    """Bootstrap draws `[2000]` of Σ values / Σ weights (weights 1: the mean) over people, each with all their faces.

    They are the same ones every time.

    Args:
        values: `[N]`.
        weights: `[N]`.
        person: `[N]` identities; faces of one person are alike, so people are what is drawn.
    """
    _, index = person.unique(return_inverse=True)
    count = int(index.max()) + 1
    weights = torch.ones_like(values) if weights is None else weights
    sums, sizes = (torch.zeros(count, dtype=torch.float64).index_add_(0, index, v.double()) for v in (values, weights))
    drawn = torch.randint(count, (2000, count), generator=generator("bootstrap", 0))
    return sums[drawn].sum(dim=1) / sizes[drawn].sum(dim=1)
