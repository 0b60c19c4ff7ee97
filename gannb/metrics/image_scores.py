"""The scores of a set of generated images, in the order in which they are shown.

Their names follow from the feature space (`features.py`): on Inception `fid, kid, inception_score`; on the autoencoder
`faed, kid_faed`; on a classifier `fd_<name>, kid_<name>, classifier_score`. A score of one's own is a function under
`image_score`, in any module of `gannb.metrics`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gannb.metrics.evaluation import Evaluation, Sample, image_score
from gannb.metrics.frechet import frechet
from gannb.metrics.kernel import kernel_distance
from gannb.metrics.neighbours import copies, support
from gannb.metrics.perceptual import lpips_diversity
from gannb.metrics.score import Score
from gannb.metrics.small_sample import extrapolate, grouped_jackknife, halves

ERROR_UP_TO = 2000  # generated images up to which a Fréchet distance's error is worth its repetitions
LPIPS_ON = 500  # generated images that LPIPS diversity is computed on, at most


@image_score("frechet")
def frechet_scores(e: Evaluation) -> Iterator[Score]:
    """Fréchet distance to the held-out images, and to all real ones (the document's protocol)."""
    name = e.extractor.frechet_name
    yield _frechet(e, name, e.real, e.split)
    if e.train is not None:
        yield _frechet(e, f"{name}_{e.generated.n}_all", e.all, "all")


@image_score("halves")
def halves_scores(e: Evaluation) -> Iterator[Score]:
    """Like against like: Fréchet distances of halves of equal size, over paired draws."""
    name = e.extractor.frechet_name
    try:
        pair = halves(*e.features(), e.seed)
    except ValueError as why:
        yield from (Score.missing(f"{name}_{part}", str(why)) for part in ("halves", "floor", "over_floor"))
        return
    more: dict[str, Any] = {"n_real": pair.size, "n_fake": pair.size, "split": "halves of all"}
    more |= {"draws": len(pair.floor), "error_of": "spread over draws"}
    generated, floor = pair.generated, float(pair.floor.mean())
    yield e.score(f"{name}_halves", generated.mean(), generated.std(ddof=1), floor, **more)
    yield e.score(f"{name}_floor", floor, pair.floor.std(ddof=1), **more)
    yield e.score(f"{name}_over_floor", pair.ratio, pair.ratio_error, 1.0, **more)


@image_score("kernel")
def kernel_scores(e: Evaluation) -> Iterator[Score]:
    """Kernel distance to the held-out images; the floor is that of training images."""
    name = e.extractor.kernel_name
    if min(e.kept.values()) < 3:
        yield Score.missing(name, e.lacking or "a jackknife needs 3 real and 3 generated images")
        return
    value, error = kernel_distance(e.real.features, e.generated.features)
    more: dict[str, Any] = {"kernel": "(x·y/d + 1)³, unbiased", "error_of": "jackknife over images", "floor": None}
    if e.train is not None and len(e.train.features) >= 3:
        more["floor"], _ = kernel_distance(e.real.features, e.train.features)
        more["floor_of"] = f"{len(e.train.features)} training images"
    yield e.score(name, value, error, **e.kept, **more)


@image_score("support")
def support_scores(e: Evaluation) -> Iterator[Score]:
    """Precision, recall, density and coverage; the floor is what training images reach."""
    names = ("precision", "recall", "density", "coverage")
    try:
        found = support(e.real.features, e.features()[1])
    except ValueError as few:
        yield from (Score.missing(name, str(few)) for name in names)
        return
    floor: dict[str, Any] = {name: {} for name in names}
    if e.train is not None and len(e.train.features) > 5:
        reached = support(e.real.features, e.train.features)
        of = f"{len(e.train.features)} training images"
        floor = {name: {"floor": getattr(reached, name), "floor_of": of} for name in names}
    for name in names:
        k = 3 if name in ("precision", "recall") else 5
        yield e.score(name, getattr(found, name), k=k, **floor[name], **e.kept)


@image_score("classes")
def class_scores(e: Evaluation) -> Iterator[Score]:
    """The Inception score; on another classifier's logits it is called classifier score."""
    inception = e.extractor.name == "inception"
    if e.generated.classes is not None:
        value, error = e.generated.classes
        floor = None if e.real.classes is None else e.real.classes[0]
        name = "inception_score" if inception else "classifier_score"
        yield e.score(name, value, error, floor, error_of="spread over 10 splits", splits=10)
    elif inception:
        few = f"its 10 splits need 10 generated images; found {e.generated.n}"
        yield Score.missing("inception_score", few if e.source else "the generated images' statistics hold no classes")


@image_score("copies")
def copies_score(e: Evaluation) -> Iterator[Score]:
    """The share of generated images nearer to training than to held-out images."""
    if e.train is None or e.lacking:
        yield Score.missing("copies", e.lacking or "training images were not given")
        return
    found = copies(e.generated.features, e.train.features, e.real.features, e.seed)
    # An original counts only in the draws that hold it, so even pure copying stays below 1.
    drawn = found.n_each / len(e.train.features)
    more = {"n_each": found.n_each, "draws": found.draws, "if_all_were_copies": drawn + 0.5 * (1 - drawn)}
    split = "training against held-out"
    yield e.score("copies", found.share, found.error, 0.5, error_of="binomial", **more | {"split": split})


@image_score("extrapolated", default=False)
def extrapolated_score(e: Evaluation) -> Iterator[Score]:
    """The Fréchet distance at infinitely many generated images."""
    name = f"{e.extractor.frechet_name}_extrapolated"
    try:
        value, error = extrapolate(e.real.moments, e.generated.features, e.seed)
    except ValueError as few:
        yield Score.missing(name, e.generated.lacking or str(few))
    else:
        yield e.score(name, value, error, error_of="fit of a line in 1/n")


@image_score("lpips", default=False)
def lpips_score(e: Evaluation) -> Iterator[Score]:
    """LPIPS diversity: a pass through another network."""
    if e.source is None:
        yield Score.missing("lpips_diversity", "there are statistics of the generated images, not the images")
    else:
        yield lpips_diversity(e.source.some(LPIPS_ON), seed=e.seed)


def _frechet(e: Evaluation, name: str, against: Sample, split: str) -> Score:
    found = frechet(against.moments, replace(e.generated.moments))  # a copy: only the real side's factor stays
    more: dict[str, Any] = {"n_real": against.n or None, "split": split, "rounding": found.rounding}
    if 20 <= e.generated.n <= ERROR_UP_TO and not e.generated.lacking:
        more["error"] = grouped_jackknife(against.moments, e.generated.features)
        more["error_of"] = "jackknife over generated images, in 10 groups"
    return e.score(name, found.value, **more)
