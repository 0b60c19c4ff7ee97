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

DEFAULT = "default"

Generator = nn.Module | Callable[[int], Tensor] | Tensor | ImageSource


class Evaluator:
    """One set of real images, passed through the network once, against which any number of generators is evaluated.

    Args:
        real: images that training did not see, where there are any: `[N, C, H, W]` in [-1, 1].
        train: the images it was trained on, for copies and for the document's protocol (against all real images).
        features: see `features.choose`.
        progress: show a bar over the images.

    Raises:
        ValueError: images that are not finite, out of range, too few, or of differing shapes; real images all alike.
        WeightsMissing: Inception was named, and its weights are unavailable.
    """

    def __init__(
        self,
        real: Tensor | ImageSource,
        train: Tensor | ImageSource | None = None,
        features: str | FeatureExtractor = "auto",
        *,
        progress: bool = False,
    ) -> None:
        real = _images(real, "real")
        train = None if train is None else _images(train, "training")
        self.shape = tuple(real.some(1).shape[1:])
        if train is not None and (seen := tuple(train.some(1).shape[1:])) != self.shape:
            raise ValueError(f"real images are {_size(self.shape)}, training images {_size(seen)}")
        self.progress, self.requested = progress, features
        self.extractor = choose(features, *[source for source in (train, real) if source])
        self.real = self._sample(real, "real images")
        self.train = None if train is None else self._sample(train, "training images")
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
        if isinstance(generator, Tensor) or hasattr(generator, "batches"):
            source = _images(generator, "generated")
        else:
            source = GeneratedImages(generator, n_fake, seed, latent_dim)
        if source.n < 2:
            raise ValueError(f"generated images: at least 2 are needed; found {source.n}")
        first = next(iter(source.batches()))
        if tuple(first.shape[1:]) != self.shape:
            raise ValueError(f"generated images are {_size(first.shape[1:])}, real ones {_size(self.shape)}")
        batches = with_progress(source.batches(), source.n, "generated images", self.progress)
        generated = Sample.of(self.extractor, batches, source.n)
        parts = (self.extractor, generated, self.real, self.train, self.all, source, self.shape[0], seed)
        found = [score for compute in chosen for score in compute(Evaluation(*parts))]
        return Scores([*found, *self._unavailable(generated.n)], self._notes(generated))

    def _sample(self, source: ImageSource, what: str) -> Sample:
        """Features of all real images: from the cache where the same network has seen the same images."""
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

    def _notes(self, generated: Sample) -> list[str]:
        notes = [line for line in self.extractor.note.splitlines() if line.startswith("FAED")]
        if self.shape[0] < self.extractor.channels:
            notes.append("grey images: the channel is repeated three times")
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


def _images(given: Any, which: str) -> ImageSource:
    return given if hasattr(given, "batches") else TensorImages(given, which)


def _size(shape: Iterable[int]) -> str:
    channels, height, width = shape
    return f"{height}×{width} with {channels} channel{'s' if channels > 1 else ''}"
