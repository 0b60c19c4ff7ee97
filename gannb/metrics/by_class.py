"""Scores of a conditional generator, class by class: the existing ones, where a class has enough images for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from gannb.metrics.extractor import FeatureExtractor
from gannb.metrics.score import Score, Scores
from gannb.metrics.small_sample import halves

LEAST = 20
"""Real and generated images of a class that a distance needs."""


def scores_by_class(
    extractor: FeatureExtractor,
    real: Tensor,
    classes: Tensor,
    names: Sequence[str],
    generate: Callable[[int], Tensor],
    seed: int = 0,
) -> Scores:
    """Of each class the Fréchet distance of halves beside its floor; and how often a classifier finds the class meant.

    Args:
        extractor: of the features; its logits count where it tells as many classes apart.
        real: images `[N, C, H, W]` in [-1, 1] that training did not see.
        classes: their class numbers `[N]`.
        names: of the classes.
        generate: class number → images of that class.
        seed: of the halves.
    """
    return Scores(list(_scores(extractor, real, classes, names, generate, seed)))


def _scores(
    extractor: FeatureExtractor,
    real: Tensor,
    classes: Tensor,
    names: Sequence[str],
    generate: Callable[[int], Tensor],
    seed: int,
) -> Iterator[Score]:
    found, right = [0, 0], [0, 0]  # of real and of generated images
    for number, name in enumerate(names):
        sides = [extractor(images) for images in (real[classes.cpu() == number], generate(number))]
        for side, seen in enumerate(sides):
            if seen.logits is not None and seen.logits.shape[1] == len(names):
                found[side] += len(seen.logits)
                right[side] += int((seen.logits.argmax(1) == number).sum())
        yield _distance(f"{extractor.frechet_name}_class_{name}", sides[0].features, sides[1].features, seed)
    if all(found):
        protocol = {"n_real": found[0], "n_fake": found[1], "features": extractor.name}
        yield Score("class_accuracy", right[1] / found[1], floor=right[0] / found[0], protocol=protocol)


def _distance(name: str, real: Tensor, generated: Tensor, seed: int) -> Score:
    if min(len(real), len(generated)) < LEAST:
        return Score.missing(name, f"{len(real)} real and {len(generated)} generated images; {LEAST} each are needed")
    try:
        pair = halves(real, generated, seed)
    except ValueError as alike:
        return Score.missing(name, str(alike))
    protocol = {"n_real": pair.size, "n_fake": pair.size, "split": "halves of the class", "error": "spread over draws"}
    error, floor = float(pair.generated.std(ddof=1)), float(pair.floor.mean())
    return Score(name, float(pair.generated.mean()), error, floor=floor, protocol=protocol)
