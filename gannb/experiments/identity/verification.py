"""Verification of frontal against profile faces, after the protocol of CFP (Sengupta et al. 2016)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from gannb.experiments.identity.faces import FRONTAL, Faces
from gannb.metrics.score import Score, Scores
from gannb.random import generator

PROFILE = 60.0  # degrees of yaw from which a face counts as profile
FALSE_ACCEPT_RATES = (0.1, 0.01, 0.001)


@dataclass(frozen=True)
class Pairs:
    """Frontal-profile pairs: positions of the two faces `[P]`, and whether they show the same person `[P]` bool."""

    frontal: Tensor
    profile: Tensor
    same: Tensor

    def scores(self, features: Tensor) -> Tensor:
        """Cosine of each pair `[P]`, from features `[N, 512]`."""
        return cosine_similarity(features[self.frontal].float(), features[self.profile].float())


def frontal_profile_pairs(faces: Faces, *, most: int = 500, seed: int = 0) -> Pairs:
    """Every pair of a frontal (|yaw| < 15°) and a profile face (≥ 60°).

    Args:
        faces: to pair; CFP fixes its pairs by hand.
        most: at most so many faces are drawn from each side.
        seed: of the draw.
    """
    draw = generator("pairs", seed)
    sides = [mask.nonzero().squeeze(1) for mask in (faces.yaw < FRONTAL, faces.yaw >= PROFILE)]
    frontal, profile = (found[torch.randperm(len(found), generator=draw)[:most]] for found in sides)
    first, second = (grid.flatten() for grid in torch.meshgrid(frontal, profile, indexing="ij"))
    return Pairs(first, second, faces.identity[first] == faces.identity[second])


def verification_accuracy(scores: Tensor, same: Tensor, *, folds: int = 10, seed: int = 0) -> Score:
    """Accuracy of "same person above a threshold", the threshold chosen on all folds but the one it is tested on.

    Accuracy is the mean of the rates on same and on different pairs. The error is the standard error over folds.

    Args:
        scores: `[P]`, higher is more alike.
        same: `[P]` bool.
        folds: drawn within same and within different pairs.
        seed: of the draw.
    """
    counts = int(same.sum()), int((~same).sum())
    if min(counts) < folds:
        return Score.missing(
            "accuracy", f"{counts[0]} same and {counts[1]} different pairs; {folds} folds need as many of each"
        )
    draw = generator("verification", seed)
    fold = torch.empty(len(scores), dtype=torch.long)
    for side, count in zip((same, ~same), counts):
        fold[side] = torch.arange(count)[torch.randperm(count, generator=draw)] % folds
    each = torch.tensor([_accuracy_on(fold == number, scores, same) for number in range(folds)])
    protocol = {"same": counts[0], "different": counts[1], "folds": folds, "error": "over folds"}
    return Score("accuracy", each.mean(), error=each.std().item() / math.sqrt(folds), protocol=protocol)


def _accuracy_on(inside: Tensor, scores: Tensor, same: Tensor) -> float:
    """Balanced accuracy on the pairs `inside` at the threshold that is best on the others."""
    threshold = best_threshold(scores[~inside], same[~inside])
    accepted = scores[inside] > threshold
    return ((accepted[same[inside]]).float().mean() + (~accepted[~same[inside]]).float().mean()).item() / 2


def best_threshold(scores: Tensor, same: Tensor) -> float:
    """The threshold of the best balanced accuracy, midway between two scores `[P]`; pairs above it are "same"."""
    ordered, order = scores.sort(descending=True)
    hits, alarms = same[order].cumsum(0) / same.sum(), (~same[order]).cumsum(0) / (~same).sum()
    gain = hits - alarms
    gain[:-1][ordered[:-1] == ordered[1:]] = -torch.inf  # no threshold fits between equal scores
    best = int(gain.argmax())
    following = ordered[best + 1] if best + 1 < len(ordered) else ordered[best] - 1
    return (ordered[best] + following).item() / 2


def true_accepts(scores: Tensor, same: Tensor, false_accept_rate: float) -> Score:
    """TAR@FAR: share of same pairs above the threshold that lets at most this share of different pairs through.

    Args:
        scores: `[P]`, higher is more alike.
        same: `[P]` bool.
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
    accepted, pairs = int((genuine > threshold).sum()), {"same": len(genuine), "different": len(impostor)}
    return Score(name, accepted / len(genuine), interval=wilson(accepted, len(genuine)), protocol=pairs)


def verification(features: Tensor, faces: Faces, *, suffix: str = "") -> Scores:
    """Accuracy and TAR@FAR on frontal-profile pairs.

    Args:
        features: `[N, 512]`, one row per face.
        faces: who they show, and their pose.
        suffix: is added to the names of the scores (`accuracy_raw`).
    """
    pairs = frontal_profile_pairs(faces)
    scores = pairs.scores(features)
    accepts = (true_accepts(scores, pairs.same, rate) for rate in FALSE_ACCEPT_RATES)
    found = [verification_accuracy(scores, pairs.same), *accepts]
    return Scores(replace(score, name=score.name + suffix) for score in found)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; it stays inside [0, 1] and is not empty at 0 hits."""
    from scipy.stats import binomtest

    found = binomtest(hits, count).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
