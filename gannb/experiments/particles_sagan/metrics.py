"""Number, size and brightness of the particles, and the texture around them: real against generated images.

Particles are found by scikit-image's Laplacian-of-Gaussian blob detector; distributions are compared by the
Wasserstein distance, in the units of what is measured (particles per image, pixels, grey levels of 255).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import Tensor

from gannb.data.transparency import opaque
from gannb.metrics.score import Score, Scores
from gannb.metrics.spectrum import HIGH, fine_detail
from gannb.random import key
from gannb.tables import ShownAsTable, Table

Polarity = Literal["dark", "bright"]
UNITS = {"number": "particles per image", "radius": "pixels", "brightness": "grey levels of 255"}


@dataclass(frozen=True)
class Detector:
    """A blob detector whose settings come from real images, and are then the same for real and generated ones.

    Attributes:
        polarity: whether particles are darker or brighter than the background.
        threshold: response that counts as a particle, in units of [-1, 1] images.
        smallest, largest: standard deviations of the blobs looked for, in pixels.
    """

    polarity: Polarity
    threshold: float
    smallest: float = 1.0
    largest: float = 4.0

    @classmethod
    def fitted(cls, real: Tensor) -> Detector:
        """Read polarity and threshold off real images `[N, C, H, W]`.

        Polarity by which side of the median lies farther out; the threshold, 0.7 standard deviations, finds on the
        300 real crops what a person would circle.
        """
        grey = _grey(real)
        low, middle, high = np.percentile(grey, [1, 50, 99])
        return cls("dark" if middle - low > high - middle else "bright", 0.7 * float(grey.std()))

    def __call__(self, images: Tensor) -> Particles:
        """Find the particles of images `[N, C, H, W]` in [-1, 1] (colour is averaged to grey)."""
        from skimage.feature import blob_log

        sign = -1 if self.polarity == "dark" else 1
        numbers, radii, brightness = [], [], []
        for grey in _grey(images):
            middle = np.median(grey)
            found = blob_log(sign * (grey - middle), self.smallest, self.largest, num_sigma=9, threshold=self.threshold)
            numbers.append(len(found))
            radii.append(found[:, 2] * np.sqrt(2))
            rows, columns = found[:, :2].astype(int).T
            brightness.append((grey[rows, columns] - middle) * 127.5)
        return Particles(np.array(numbers), radii, brightness)


@dataclass(frozen=True, repr=False)
class Particles(ShownAsTable):
    """The particles of N images.

    Attributes:
        number: how many in each image `[N]`.
        radius: one array per image, radii in pixels.
        brightness: one array per image, at the centre against the image's median, in grey levels of 255.
    """

    number: np.ndarray
    radius: list[np.ndarray]
    brightness: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.number)

    def of(self, what: str, images: np.ndarray | None = None) -> np.ndarray:
        """All values `[n]` of "number", "radius" or "brightness", of all images or of those at some places `[k]`."""
        places = np.arange(len(self)) if images is None else images
        values = getattr(self, what)
        return values[places] if what == "number" else np.concatenate([values[i] for i in places])

    def table(self) -> Table:
        """Mean and standard deviation of each."""
        rows = []
        for what, unit in UNITS.items():
            values = self.of(what)
            mean, spread = (values.mean(), values.std()) if len(values) else (None, None)
            rows.append((what, mean, spread, unit))
        return Table(("particles", "mean", "sd", "unit"), rows, note=f"{self.number.sum()} on {len(self)} images")


def particle_scores(real: Tensor, fake: Tensor, *, seed: int = 0, draws: int = 20, split: str = "held-out") -> Scores:
    """Wasserstein distances as scores `particle_number`, `particle_radius` and `particle_brightness`.

    Args:
        real: images `[N, C, H, W]` in [-1, 1], at least 4 real and 2 fake ones.
        fake: images `[N, C, H, W]` in [-1, 1], at least 4 real and 2 fake ones.
        seed: of the random halves and resamples.
        draws: how many.
        split: which real images these are, for the protocol.

    The error is the standard deviation over images drawn again (bootstrap of both sides), the floor the mean distance
    of two random halves of the real images. Where no particle is found there is no distance, and the score says so.

    Raises:
        ValueError: too few images.
    """
    if len(real) < 4 or len(fake) < 2:
        raise ValueError(f"{len(real)} real and {len(fake)} fake images; particle statistics need at least 4 and 2")
    detector = Detector.fitted(real)
    found_real, found_fake = detector(real), detector(fake)
    protocol = {
        "n_real": len(real),
        "n_fake": len(fake),
        "split": split,
        "features": f"blob detector (LoG), {detector.polarity} particles, threshold {detector.threshold:.3f}",
        "error": f"bootstrap over images, {draws} draws",
    }
    rng = np.random.default_rng(key(seed, "particle scores"))
    return Scores([_score(what, found_real, found_fake, rng, draws, protocol) for what in UNITS])


def texture_scores(real: Tensor, fake: Tensor, *, split: str = "held-out") -> Scores:
    """Two traits that hardly show and that rule a distance between images (`benchmarks/particle_traits.py`).

    `brightness_spread` is the standard deviation of an image's mean brightness, in grey levels of 255; `fine_detail`
    the power at the highest frequencies, in squared grey levels. The floor is what real images have, no lower bound.

    Args:
        real: images `[N, C, H, W]` in [-1, 1].
        fake: images `[N, C, H, W]` in [-1, 1].
        split: which real images these are, for the protocol.
    """
    traits = {"brightness_spread": (_spread, "grey levels"), "fine_detail": (fine_detail, "squared grey levels")}
    protocol = {"n_real": len(real), "n_fake": len(fake), "split": split, "frequencies": f"from {HIGH} per pixel"}
    return Scores(
        [
            Score(name, trait(fake), floor=trait(real), protocol=protocol | {"unit": unit, "floor_of": "real images"})
            for name, (trait, unit) in traits.items()
        ]
    )


def _spread(images: Tensor) -> float:
    return float(127.5 * _grey(images).mean((1, 2)).std(ddof=1))


def _score(
    what: str, real: Particles, fake: Particles, rng: np.random.Generator, draws: int, protocol: dict[str, object]
) -> Score:
    name, protocol = f"particle_{what}", {**protocol, "unit": UNITS[what]}
    empty = [side for side, found in (("real", real), ("fake", fake)) if not len(found.of(what))]
    if empty:
        return Score.missing(name, f"no particle was found on the {' and '.join(empty)} images", **protocol)
    value = _distance(real.of(what), fake.of(what))
    again = [_distance(real.of(what, _resample(real, rng)), fake.of(what, _resample(fake, rng))) for _ in range(draws)]
    even = len(real) // 2 * 2
    halves = (rng.permutation(len(real))[:even].reshape(2, -1) for _ in range(draws))
    floors = [_distance(*(real.of(what, half) for half in pair)) for pair in halves]
    return Score(name, value, error=_finite(np.std, again), floor=_finite(np.mean, floors), protocol=protocol)


def _resample(found: Particles, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(len(found), size=len(found))


def _finite(summary: Callable[[list[float]], float], values: list[float]) -> float | None:
    """A summary of the values that are finite, None where fewer than two are."""
    finite = [value for value in values if np.isfinite(value)]
    return float(summary(finite)) if len(finite) > 1 else None


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Wasserstein distance; NaN where a side is empty, as a resample of few images may be."""
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(a, b)) if len(a) and len(b) else float("nan")


def _grey(images: Tensor) -> np.ndarray:
    return opaque(images.detach()).mean(dim=1).double().cpu().numpy()
