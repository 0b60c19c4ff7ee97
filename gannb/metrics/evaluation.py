"""What a score of images is computed from: one pass over each set of images, and the list of scores to compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gannb.metrics.extractor import FeatureExtractor
from gannb.metrics.frechet import Moments, StreamingMoments
from gannb.metrics.inception_score import ClassifierScore
from gannb.metrics.score import Score
from gannb.metrics.sources import ImageSource, evenly

KEPT = 2500  # images whose features are kept; distances need only moments, which are streamed over all


@dataclass(frozen=True)
class Sample:
    """What one pass of a feature extractor over `n` images leaves.

    Args:
        n: how many images, 0 where a file does not say.
        moments: of the features of all of them.
        features: `[≤ KEPT, d]`, evenly spread over all.
        classes: classifier score and its spread, None where the features have no classes or the images are too few.
        lacking: why there are no features, where they come from a file of moments alone.
    """

    n: int
    moments: Moments
    features: Tensor
    classes: tuple[float, float] | None = None
    lacking: str = ""

    @classmethod
    def of(cls, extractor: FeatureExtractor, batches: Iterable[Tensor], n: int) -> Sample:
        """Run the extractor over batches.

        Args:
            extractor: the network.
            batches: images `[b, C, H, W]` in [-1, 1].
            n: how many images the batches hold in all.
        """
        keep = evenly(n, KEPT)
        streamed = StreamingMoments() if n > KEPT else None
        classes: ClassifierScore | None = None
        features = torch.empty(0)
        done = 0
        for batch in batches:
            found = extractor(batch)
            if streamed is not None:
                streamed.add(found.features)
            if found.logits is not None and n >= 10:
                classes = classes or ClassifierScore(n)
                classes.add(found.logits)
            if not done:  # allocated once: many small pieces would fragment the memory
                features = torch.empty(len(keep), found.features.shape[1])
            mine = (keep >= done) & (keep < done + len(batch))
            features[mine] = found.features[keep[mine] - done]
            done += len(batch)
        moments = Moments.of(features) if streamed is None else streamed.moments()
        return cls(n, moments, features, None if classes is None else classes.value())

    @property
    def alike(self) -> bool:
        """Whether all features are the same."""
        if not len(self.features):
            return self.moments.trace == 0
        low, high = self.features.amin(0), self.features.amax(0)
        scale = torch.maximum(low.abs(), high.abs()).max()
        return bool((high - low).max() <= 1e-4 * scale)  # a batch's place in memory moves the last digits

    def merged(self, other: Sample) -> Sample:
        """Both samples as one."""
        features, n = torch.cat([self.features, other.features]), self.n + other.n
        return Sample(n, Moments.of(features) if n == len(features) else self.moments.merged(other.moments), features)

    def arrays(self) -> dict[str, Any]:
        """As arrays, for the cache."""
        arrays: dict[str, Any] = {"n": self.n, "features": self.features.numpy()}
        if self.n > len(self.features):
            arrays |= {"mean": self.moments.mean.numpy(), "cov": self.moments.covariance.numpy()}
        return arrays if self.classes is None else arrays | {"classes": self.classes}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Sample:
        """The reverse of `arrays`: `features [≤ KEPT, d]`, `n`, and where there were more `mean [d]`, `cov [d, d]`."""
        features, n = torch.from_numpy(arrays["features"]), int(arrays["n"])
        if "cov" in arrays:
            moments = Moments(n, torch.from_numpy(arrays["mean"]), cov=torch.from_numpy(arrays["cov"]))
        else:
            moments = Moments.of(features)
        mean, spread = map(float, arrays.get("classes", (0.0, 0.0)))
        return cls(n, moments, features, (mean, spread) if "classes" in arrays else None)


@dataclass(frozen=True)
class Evaluation:
    """One generator's images beside the real ones: all that a score may read.

    Args:
        extractor: of all features here.
        generated: the generated images.
        real: the real images that training did not see.
        train: those that it saw, where they were given.
        all: `real` and `train` together.
        source: the generated images themselves, for a score with a network of its own; None where there are only
            statistics of them.
        channels: of the images.
        seed: of every random draw.
    """

    extractor: FeatureExtractor
    generated: Sample
    real: Sample
    train: Sample | None
    all: Sample
    source: ImageSource | None
    channels: int
    seed: int

    @property
    def split(self) -> str:
        """What `real` is, for the protocol."""
        return "real" if self.train is None else "held-out"

    @cached_property
    def protocol(self) -> dict[str, Any]:
        """What all scores on these features have in common."""
        common: dict[str, Any] = {"n_real": self.real.n or None, "n_fake": self.generated.n or None}
        common |= {"split": self.split}
        common |= {"features": self.extractor.name, "resize": self.extractor.resize}
        common |= {"precision": self.extractor.precision}
        return common | ({"channels": "grey, repeated"} if self.channels < self.extractor.channels else {})

    @property
    def kept(self) -> dict[str, int]:
        """The numbers of images that a score on single features rests on, where not all were kept."""
        return {"n_real": len(self.real.features), "n_fake": len(self.generated.features)}

    @property
    def lacking(self) -> str:
        """Why single features are unavailable; empty where they are there."""
        return self.all.lacking or self.generated.lacking

    def features(self) -> tuple[Tensor, Tensor]:
        """Features `[n, d]` of all real and of the generated images.

        Raises:
            ValueError: a side has none.
        """
        if self.lacking:
            raise ValueError(self.lacking)
        return self.all.features, self.generated.features

    def score(
        self, name: str, value: float, error: float | None = None, floor: float | None = None, **protocol: Any
    ) -> Score:
        """A score with its protocol.

        Args:
            name: of the score.
            value: of the score.
            error: one standard error; `error_of` in the protocol says of what kind.
            floor: what real images reach.
            protocol: what differs from `self.protocol`, or comes on top.
        """
        if (kind := protocol.pop("error_of", None)) is not None:
            protocol["error"] = kind
        return Score(name, value, error, floor=floor, protocol=self.protocol | protocol)


ImageScore = Callable[[Evaluation], Iterable[Score]]
"""Computes scores of one generator, each with a value or with the reason why it is unavailable."""

IMAGE_SCORES: dict[str, tuple[ImageScore, bool]] = {}
"""By name: every function under `image_score`, and whether it is among the default ones."""


def image_score(name: str, *, default: bool = True) -> Callable[[ImageScore], ImageScore]:
    """Decorate a function of this package that computes scores; `Evaluator` then finds it.

    Args:
        name: by which `Evaluator` is given it.
        default: whether it is computed where no list of scores is given.
    """

    def register(function: ImageScore) -> ImageScore:
        IMAGE_SCORES[name] = (function, default)
        return function

    return register
