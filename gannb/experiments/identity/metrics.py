"""What a cleaned face feature gained or lost: similarity to the target by yaw, harm, removed energy, verification.

All is measured on identities that were not trained on, and all of it on one population (claim I8).
Intervals are 95 %: over people (bootstrap) for means, Wilson's for shares, over folds for accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from gannb.experiments.identity.faces import FRONTAL, Faces
from gannb.metrics.score import Score, Scores
from gannb.random import generator
from gannb.tables import Table

YAW_BINS = ((0.0, 15.0), (15.0, 30.0), (30.0, 45.0), (45.0, 60.0), (60.0, 75.0), (75.0, 90.0))
HARM = 0.005  # a fall of the cosine by more than this counts as harm
PROFILE = 60.0  # degrees of yaw from which a face counts as profile
FALSE_ACCEPT_RATES = (0.1, 0.01, 0.001)


# --- similarity to the target --------------------------------------------------------------------------------


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
        """after − before, `[N]`."""
        return self.after - self.before

    @property
    def harmed(self) -> Tensor:
        """Which faces fell by more than 0.005, `[N]` bool."""
        return self.change < -HARM

    def within(self, low: float, high: float) -> Comparison:
        """The faces with low ≤ |yaw| < high; 90 as `high` takes everything beyond it along."""
        kept = (self.yaw >= low) & ((self.yaw < high) | (high >= 90))
        return Comparison(self.before[kept], self.after[kept], self.yaw[kept], self.person[kept])


def compare(cleaned: Tensor, faces: Faces) -> Comparison:
    """Compare cleaned features `[N, 512]` with the raw ones of `faces` (which have targets), at their targets."""
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
    """Mean change of the cosine at low ≤ |yaw| < high, with an interval over people."""
    name = "improvement" if (low, high) == (0, 90) else f"improvement_{low:g}_{high:g}"
    return _mean_score(name, comparison.within(low, high), "change", yaw=f"{low:g}-{high:g}°")


def advantage(one: Comparison, other: Comparison, low: float = 0.0, high: float = 90.0) -> Score:
    """Mean cosine after `one` less that after `other`, face by face, at low ≤ |yaw| < high.

    The error is over people; how much another training seed would change it is not in it.

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
    """Share of the faces at low ≤ |yaw| < high whose cosine fell by more than 0.005, with Wilson's interval."""
    name = "harm_rate" if (low, high) == (0, 90) else f"harm_rate_{low:g}_{high:g}"
    part = comparison.within(low, high)
    if not len(part):
        return Score.missing(name, f"no face between {low:g}° and {high:g}°")
    harmed = int(part.harmed.sum())
    return Score(
        name,
        harmed / len(part),
        interval=wilson(harmed, len(part)),
        protocol={
            "n": len(part),
            "people": len(part.person.unique()),
            "drop": f"> {HARM}",
            "yaw": f"{low:g}-{high:g}°",
        },
    )


def by_yaw(comparison: Comparison) -> Table:
    """A row a yaw bin: faces, similarity before and after, change with its interval, share harmed."""
    rows = []
    for low, high in YAW_BINS:
        part = comparison.within(low, high)
        if not len(part):
            rows.append((f"{low:g}-{high:g}°", 0, None, None, None, None, None, None))
            continue
        gain = improvement(comparison, low, high)
        edges = gain.interval or (None, None)
        means = (part.before.mean().item(), part.after.mean().item(), float(gain))
        rows.append((f"{low:g}-{high:g}°", len(part), *means, *edges, part.harmed.float().mean().item()))
    columns = ("yaw", "faces", "before", "after", "change", "from", "to", "harmed")
    return Table(columns, rows, note="from, to: 95 % interval of the change, bootstrap over people")


def _mean_score(name: str, comparison: Comparison, which: str, **protocol: str) -> Score:
    if not len(comparison):
        return Score.missing(name, "no face in this range of yaw", **protocol)
    return _over_people(name, getattr(comparison, which), comparison.person, protocol)


def _over_people(name: str, values: Tensor, person: Tensor, protocol: dict[str, str]) -> Score:
    people = len(person.unique())
    several = people > 1
    return Score(
        name,
        values.double().mean(),
        error=resampled(values, person).std() if several else None,
        interval=mean_interval(values, person) if several else None,
        protocol={"n": len(values), "people": people, "error": "bootstrap over people", **protocol},
    )


# --- removed energy ------------------------------------------------------------------------------------------


def planted_share(features: Tensor, planted: Tensor) -> Tensor:
    """Share of each feature's energy (squared length) inside a subspace with orthonormal basis `[512, k]`, `[N]`."""
    return (normalize(features.float(), dim=1) @ planted).square().sum(dim=1)


def removed_energy(cleaned: Tensor, faces: Faces) -> Score:
    """How much of the energy in the planted pose subspace is gone: 1 − Σ share(cleaned) / Σ share(raw).

    Shares of unit-length features, so that shrinking a feature removes nothing. 1: all gone; 0: none; negative: more
    than before.
    """
    if faces.planted is None:
        return Score.missing("removed_energy", "these features have no planted subspace")
    left, had = planted_share(cleaned, faces.planted), planted_share(faces.features, faces.planted)
    people = len(faces.identities)
    return Score(
        "removed_energy",
        1 - left.sum().item() / had.sum().item(),
        interval=tuple(1 - end for end in reversed(mean_interval(left, faces.identity, had))) if people > 1 else None,
        protocol={"n": len(faces), "people": people, "directions": faces.planted.shape[1]},
    )


# --- verification, frontal against profile -------------------------------------------------------------------


@dataclass(frozen=True)
class Pairs:
    """Frontal-profile pairs: positions of the two faces `[P]`, and whether they show the same person `[P]` bool."""

    frontal: Tensor
    profile: Tensor
    same: Tensor

    def scores(self, features: Tensor) -> Tensor:
        """Cosine of each pair, `[P]`."""
        return cosine_similarity(features[self.frontal].float(), features[self.profile].float())


def frontal_profile_pairs(faces: Faces, *, most: int = 500, seed: int = 0) -> Pairs:
    """Every pair of a frontal (|yaw| < 15°) and a profile face (≥ 60°), of at most `most` drawn from each.

    After the frontal-profile protocol of CFP (Sengupta et al. 2016), which fixes its pairs by hand.
    """
    draw = generator("pairs", seed)
    frontal, profile = ((mask).nonzero().squeeze(1) for mask in (faces.yaw < FRONTAL, faces.yaw >= PROFILE))
    frontal, profile = (found[torch.randperm(len(found), generator=draw)[:most]] for found in (frontal, profile))
    first, second = (grid.flatten() for grid in torch.meshgrid(frontal, profile, indexing="ij"))
    return Pairs(first, second, faces.identity[first] == faces.identity[second])


def verification_accuracy(scores: Tensor, same: Tensor, *, folds: int = 10, seed: int = 0) -> Score:
    """Accuracy of "same person above a threshold", the threshold chosen on nine folds and judged on the tenth.

    Same and different pairs count equally (as many different pairs as same ones are in CFP; here each side has its
    own rate, and accuracy is their mean). The error is the standard error over folds.

    Args:
        scores: `[P]`, higher is more alike.
        same: `[P]` bool.
        folds: drawn within same and within different pairs.
    """
    if min(int(same.sum()), int((~same).sum())) < folds:
        return Score.missing(
            "accuracy",
            f"{int(same.sum())} same and {int((~same).sum())} different pairs; {folds} folds need as many of each",
        )
    draw = generator("verification", seed)
    fold = torch.empty(len(scores), dtype=torch.long)
    for side in (same, ~same):
        fold[side] = torch.arange(int(side.sum()))[torch.randperm(int(side.sum()), generator=draw)] % folds
    each = torch.tensor([_accuracy_at(scores, same, fold, number) for number in range(folds)])
    error = each.std().item() / math.sqrt(folds)
    return Score(
        "accuracy",
        each.mean(),
        error=error,
        protocol={"same": int(same.sum()), "different": int((~same).sum()), "folds": folds, "error": "over folds"},
    )


def _accuracy_at(scores: Tensor, same: Tensor, fold: Tensor, number: int) -> float:
    """Balanced accuracy on fold `number` at the threshold that is best on the others."""
    inside = fold == number
    threshold = best_threshold(scores[~inside], same[~inside])
    accepted = scores[inside] > threshold
    return ((accepted[same[inside]]).float().mean() + (~accepted[~same[inside]]).float().mean()).item() / 2


def best_threshold(scores: Tensor, same: Tensor) -> float:
    """The threshold with the best balanced accuracy, midway between two scores; pairs above it are "same"."""
    ordered, order = scores.sort(descending=True)
    hits, alarms = same[order].cumsum(0) / same.sum(), (~same[order]).cumsum(0) / (~same).sum()
    gain = hits - alarms
    # between equal scores no threshold fits
    gain[:-1][ordered[:-1] == ordered[1:]] = -torch.inf
    best = int(gain.argmax())
    following = ordered[best + 1] if best + 1 < len(ordered) else ordered[best] - 1
    return (ordered[best] + following).item() / 2


def true_accepts(scores: Tensor, same: Tensor, false_accept_rate: float) -> Score:
    """TAR@FAR: share of same pairs above the threshold that lets at most this share of different pairs through.

    Args:
        scores, same: as in `verification_accuracy`.
        false_accept_rate: in (0, 1); needs at least 1/rate different pairs.
    """
    name = f"tar_at_far_{false_accept_rate:g}".replace(".", "_")
    genuine, impostor = scores[same], scores[~same].sort(descending=True).values
    allowed = math.floor(false_accept_rate * len(impostor) + 1e-9)
    if not len(genuine) or not allowed:
        return Score.missing(
            name, f"{len(genuine)} same and {len(impostor)} different pairs cannot show a rate of {false_accept_rate:g}"
        )
    threshold = impostor[allowed] if allowed < len(impostor) else impostor[-1] - 1
    accepted = int((genuine > threshold).sum())
    return Score(
        name,
        accepted / len(genuine),
        interval=wilson(accepted, len(genuine)),
        protocol={"same": len(genuine), "different": len(impostor)},
    )


def verification(
    features: Tensor, faces: Faces, *, suffix: str = "", rates: Sequence[float] = FALSE_ACCEPT_RATES
) -> Scores:
    """Accuracy and TAR@FAR on frontal-profile pairs; `suffix` is added to the names (`accuracy_raw`)."""
    pairs = frontal_profile_pairs(faces)
    scores = pairs.scores(features)
    made = [verification_accuracy(scores, pairs.same), *(true_accepts(scores, pairs.same, rate) for rate in rates)]
    return Scores(Score.from_dict(score.name + suffix, score.as_dict()) for score in made)


# --- all together --------------------------------------------------------------------------------------------


def judge(cleaned: Tensor, faces: Faces) -> Scores:
    """Every score of a cleaning: `improvement` (also at 0-15° and 60-90°), `similarity`, `harm_rate` (also at
    0-15°), `removed_energy`, and verification before (`…_raw`) and after.

    Args:
        cleaned: `[N, 512]`, one row a face.
        faces: held-out faces with targets.
    """
    comparison = compare(cleaned, faces)
    own = [
        improvement(comparison),
        improvement(comparison, 0, FRONTAL),
        improvement(comparison, PROFILE, 90),
        similarity(comparison, raw=True),
        similarity(comparison),
        harm_rate(comparison),
        harm_rate(comparison, 0, FRONTAL),
        removed_energy(cleaned, faces),
    ]
    return Scores(own) | verification(faces.features, faces, suffix="_raw") | verification(cleaned, faces)


def mean_interval(values: Tensor, person: Tensor, weights: Tensor | None = None) -> tuple[float, float]:
    """95 % bootstrap interval of Σ values / Σ weights over people; see `resampled`."""
    low, high = resampled(values, person, weights).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return low, high


def resampled(
    values: Tensor, person: Tensor, weights: Tensor | None = None, *, draws: int = 2000, seed: int = 0
) -> Tensor:
    """Bootstrap draws `[draws]` of Σ values / Σ weights (weights 1: the mean) over people, each with all their faces.

    Args:
        values, weights: `[N]`.
        person: `[N]` identities; faces of one person are alike, so people are what is drawn.
    """
    _, index = person.unique(return_inverse=True)
    count = int(index.max()) + 1
    weights = torch.ones_like(values) if weights is None else weights
    sums, sizes = (torch.zeros(count, dtype=torch.float64).index_add_(0, index, v.double()) for v in (values, weights))
    drawn = torch.randint(count, (draws, count), generator=generator("bootstrap", seed))
    return sums[drawn].sum(dim=1) / sizes[drawn].sum(dim=1)


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; it stays inside [0, 1] and is not empty at 0 hits."""
    share, spread = hits / count, z * z / count
    centre = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)
