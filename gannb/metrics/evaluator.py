"""Evaluating a generator of images: every score from one pass over the images.

scores = Evaluator(held_out, train)(G)
scores.faed_over_floor
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor, nn

from gannb import metrics
from gannb.metrics.evaluation import IMAGE_SCORES, Evaluation, ImageScore, Sample
from gannb.metrics.extractor import FeatureExtractor
from gannb.metrics.feature_cache import load_arrays, store_arrays
from gannb.metrics.features import choose
from gannb.metrics.score import Score, Scores
from gannb.metrics.sources import GeneratedImages, ImageSource, TensorImages, with_progress
from gannb.metrics.statistics import Statistics

DEFAULT = "default"
Shape = tuple[int, ...] | None

Generator = nn.Module | Callable[[int], Tensor] | Tensor | ImageSource | Statistics


class Evaluator:
    """One set of real images, passed through the network once, against which any number of generators is evaluated.

    Args:
        real: images that training did not see, where there are any: `[N, C, H, W]` in [-1, 1], or statistics of them.
        train: the images it was trained on, for copies and for the document's protocol (against all real images).
        features: see `features.choose`; with statistics the extractor that they were computed with.
        progress: show a bar over the images.

    Raises:
        ValueError: images that are not finite, out of range, too few, or of differing shapes; real images all alike.
        WeightsMissing: Inception was named, and its weights are unavailable.
    """

    def __init__(
        self,
        real: Tensor | ImageSource | Statistics,
        train: Tensor | ImageSource | Statistics | None = None,
        features: str | FeatureExtractor = "auto",
        *,
        progress: bool = False,
    ) -> None:
        given, seen = _images(real, "real"), None if train is None else _images(train, "training")
        self.shape = _shape(given)
        if seen is not None and not _alike(_shape(seen), self.shape):
            raise ValueError(f"real images are {_size(self.shape)}, training images {_size(_shape(seen))}")
        self.progress, self.requested = progress, features
        self.transparent = getattr(given, "transparent", False)
        self.extractor = choose(features, *[s for s in (seen, given) if s and not isinstance(s, Statistics)])
        self.real = self._sample(given, "real images")
        self.train = None if seen is None else self._sample(seen, "training images")
        self.all = self.real if self.train is None else self.train.merged(self.real)
        if self.all.alike:
            raise ValueError("real images: their features are all alike, so nothing can be measured against them")

    def __call__(
        self,
        generator: Generator,
        n_fake: int = 500,
        *,
        seed: int = 0,
        latent_dim: int | None = None,
        scores: Iterable[str | ImageScore] = (DEFAULT,),
    ) -> Scores:
        """Compute the scores of one generator.

        Args:
            generator: a module (copied, put in eval mode, called with seeded latents), a function of the number of
                images, or images `[N, C, H, W]` in [-1, 1], which are then all used.
            n_fake: how many images to generate (claim P1: 500).
            seed: of latents and of every random draw here.
            latent_dim: where the module does not say.
            scores: names of `image_scores`, "default" for all that need no further network or fit, or functions of an
                `Evaluation`.

        Raises:
            ValueError: images that are not finite, out of range, too few, or of another shape; an unknown score.
        """
        chosen = _chosen(scores)
        if isinstance(generator, Statistics):
            return self._scores(generator.sample, None, generator.shape, seed, chosen)
        if isinstance(generator, Tensor) or hasattr(generator, "batches"):
            source = _images(generator, "generated")
        else:
            source = GeneratedImages(generator, n_fake, seed, latent_dim)
        if source.n < 2:
            raise ValueError(f"generated images: at least 2 are needed; found {source.n}")
        shape = tuple(next(iter(source.batches())).shape[1:])
        if not _alike(shape, self.shape):
            raise ValueError(f"generated images are {_size(shape)}, real ones {_size(self.shape)}")
        batches = with_progress(source.batches(), source.n, "generated images", self.progress)
        return self._scores(Sample.of(self.extractor, batches, source.n), source, shape, seed, chosen)

    def _scores(
        self, generated: Sample, source: ImageSource | None, shape: Shape, seed: int, chosen: Iterable[ImageScore]
    ) -> Scores:
        channels = (shape or self.shape or (self.extractor.channels,))[0]
        parts = (self.extractor, generated, self.real, self.train, self.all, source, channels, seed)
        found = [score for compute in chosen for score in compute(Evaluation(*parts))]
        return Scores([*found, *self._unavailable(generated.n)], self._notes(generated, channels))

    def _sample(self, source: ImageSource | Statistics, what: str) -> Sample:
        """Features of all real images: from the cache where the same network has seen the same images."""
        if isinstance(source, Statistics):
            return source.sample
        content = None if self.extractor.name == "faed" else source.fingerprint()  # FAED's pass is as quick as a file
        address = content and f"{content}-{self.extractor.fingerprint}"
        stored = load_arrays("features", address) if address else None
        if stored is not None:
            return Sample.from_arrays(stored)
        sample = Sample.of(self.extractor, with_progress(source.batches(), source.n, what, self.progress), source.n)
        if address:
            store_arrays("features", address, sample.arrays())
        return sample

    def _unavailable(self, n: int) -> Iterator[Score]:
        """Scores on Inception that a reader may look for, and why they are not there."""
        if self.extractor.name == "inception":
            return
        named = f"features: {self.extractor.name} were chosen, not inception"
        why = self.extractor.note.partition("\n")[0] if self.requested == "auto" else named
        on_all = [f"fid_{n}_all"] if self.train is not None else []
        for name in ("fid", *on_all, "fid_halves", "fid_floor", "fid_over_floor", "kid", "inception_score"):
            yield Score.missing(name, why)

    def _notes(self, generated: Sample, channels: int) -> list[str]:
        notes = [line for line in self.extractor.note.splitlines() if line.startswith("FAED")]
        if channels < self.extractor.channels:
            notes.append("grey images: the channel is repeated three times")
        if self.transparent:
            notes.append("transparent images lie on white")
        if generated.alike:
            notes.append(f"all {generated.n} generated images are alike: the generator has collapsed to one image")
        return notes


def image_scores() -> dict[str, tuple[ImageScore, bool]]:
    """All scores of images by name: those of `image_scores.py` first, then those of any other module of this package.

    Beside each stands whether it is among the default ones.
    """
    importlib.import_module("gannb.metrics.image_scores")
    for module in pkgutil.iter_modules(metrics.__path__):
        importlib.import_module(f"{metrics.__name__}.{module.name}")
    return IMAGE_SCORES


def _chosen(scores: Iterable[str | ImageScore]) -> list[ImageScore]:
    known, chosen = image_scores(), list[ImageScore]()
    for score in scores:
        if not isinstance(score, str):
            chosen.append(score)
        elif score == DEFAULT:
            chosen += [function for function, default in known.values() if default]
        elif score in known:
            chosen.append(known[score][0])
        else:
            raise ValueError(f"scores: {score!r} is unknown; allowed: {', '.join((DEFAULT, *known))}, or a function")
    return chosen


def _images(given: Any, which: str) -> Any:
    return given if isinstance(given, Statistics) or hasattr(given, "batches") else TensorImages(given, which)


def _shape(source: ImageSource | Statistics) -> Shape:
    return source.shape if isinstance(source, Statistics) else tuple(source.some(1).shape[1:])


def _alike(one: Shape, other: Shape) -> bool:
    """Whether two shapes are the same, as far as they are known."""
    return None in (one, other) or one == other


def _size(shape: Shape) -> str:
    channels, height, width = shape or ()
    return f"{height}×{width} with {channels} channel{'s' if channels > 1 else ''}"
