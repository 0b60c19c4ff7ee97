"""Judging a generator of images: every score from one pass over the images.

    scores = evaluate(generator=G, real=held_out, train=train)
    scores.faed_over_floor

Which scores there are, and under which names, follows from the feature space (`features.py`): on Inception `fid, kid,
inception_score`; on the autoencoder `faed, kid_faed`; on a classifier `fd_<name>, kid_<name>, classifier_score`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from gannb.metrics.feature_cache import load_arrays, store_arrays
from gannb.metrics.features import FeatureExtractor, Precision, choose
from gannb.metrics.frechet import Frechet, Moments, StreamingMoments, frechet
from gannb.metrics.inception_score import ClassifierScore
from gannb.metrics.kernel import kernel_distance
from gannb.metrics.neighbours import copies, support
from gannb.metrics.score import Score, Scores
from gannb.metrics.small_sample import extrapolate, grouped_jackknife, halves
from gannb.metrics.sources import GeneratedImages, ImageSource, TensorImages, evenly

KEPT = 2500  # images whose features are kept; distances need only moments, which are streamed over all
FIT_ON = 2000  # images that an autoencoder is fitted to, at most
ERROR_UP_TO = 2000  # generated images up to which a Fréchet distance's error is worth its repetitions


def evaluate(
    *,
    generator: nn.Module | Callable[[int], Tensor] | Tensor | ImageSource,
    real: Tensor | ImageSource,
    train: Tensor | ImageSource | None = None,
    features: str | FeatureExtractor = "auto",
    n_fake: int = 500,
    seed: int = 0,
    latent_dim: int | None = None,
    lpips: bool = False,
    extrapolated: bool = False,
    precision: Precision | Literal["auto"] = "auto",
    progress: bool = False,
) -> Scores:
    """All scores of a generator, from one pass over its images and one (cached) over the real ones.

    Args:
        generator: a module (copied, put in eval mode, called with seeded latents), a function of the number of images,
            or images `[N, C, H, W]` in [-1, 1], which are then all used.
        real: images that training did not see, where there are any: `held_out`.
        train: the images it was trained on, for copies and for the document's protocol (against all real images).
        features: see `features.choose`.
        n_fake: how many images to generate (claim P1: 500).
        seed: of latents and of every random draw here.
        latent_dim: where the module does not say.
        lpips: also LPIPS diversity (a pass through another network).
        extrapolated: also the Fréchet distance at infinitely many generated images.
        precision: of the Inception pass.
        progress: show a bar over the images.

    Raises:
        ValueError: images that are not finite, out of range, too few, or of differing shapes; real images all alike.
        WeightsMissing: Inception was asked for by name and is unavailable.
    """
    return Evaluator(real, train, features, precision=precision, progress=progress)(
        generator, n_fake, seed=seed, latent_dim=latent_dim, lpips=lpips, extrapolated=extrapolated
    )


@dataclass(frozen=True)
class Seen:
    """What one pass over `n` images leaves.

    Args:
        n: how many images.
        moments: of all of them.
        features: `[≤ KEPT, d]`, evenly spread over all.
        classes: classifier score and its spread, None where the features have no classes or the images are too few.
    """

    n: int
    moments: Moments
    features: Tensor
    classes: tuple[float, float] | None = None

    @property
    def alike(self) -> bool:
        """Whether all features are the same."""
        low, high = self.features.amin(0), self.features.amax(0)
        scale = torch.maximum(low.abs(), high.abs()).max()
        return bool((high - low).max() <= 1e-4 * scale)  # a batch's place in memory moves the last digits


class Evaluator:
    """One set of real images, looked at once, against which any number of generators is judged.

    Args: as `evaluate`.
    """

    def __init__(
        self,
        real: Tensor | ImageSource,
        train: Tensor | ImageSource | None = None,
        features: str | FeatureExtractor = "auto",
        *,
        precision: Precision | Literal["auto"] = "auto",
        progress: bool = False,
    ) -> None:
        real = _images(real, "real")
        train = None if train is None else _images(train, "training")
        _check_same_shape(real, train)
        self.progress = progress
        self.shape = tuple(real.some(1).shape[1:])
        sample = [source.some(FIT_ON) for source in (train, real) if source is not None]
        self.extractor = choose(features, torch.cat(sample), precision)
        self.asked = features
        self.real = self._look(real, "real images")
        self.train = None if train is None else self._look(train, "training images")
        self.all = self.real if self.train is None else _together(self.train, self.real)
        for side in (self.real, self.all):
            side.moments.keep_factor()
        if self.all.alike:
            raise ValueError("real images: their features are all alike, so nothing can be measured against them")

    def __call__(
        self,
        generator: nn.Module | Callable[[int], Tensor] | Tensor | ImageSource,
        n_fake: int = 500,
        *,
        seed: int = 0,
        latent_dim: int | None = None,
        lpips: bool = False,
        extrapolated: bool = False,
    ) -> Scores:
        """Scores of one generator; arguments as `evaluate`."""
        source = _fakes(generator, n_fake, seed, latent_dim)
        first = next(iter(source.batches())) if source.n else None
        if first is None or source.n < 2:
            raise ValueError(f"generated images: at least 2 are needed; found {source.n}")
        if tuple(first.shape[1:]) != self.shape:
            raise ValueError(f"generated images are {_size(first.shape[1:])}, real ones {_size(self.shape)}")
        fake = _see(self.extractor, _bar(source, "generated images", self.progress), source.n)
        scores = [*self._frechet(fake, seed), *self._kernel(fake), *self._support(fake), *self._classes(fake)]
        scores += self._copies(fake, seed)
        if extrapolated:
            scores.append(self._extrapolated(fake, seed))
        if lpips:
            from gannb.metrics.perceptual import lpips_diversity

            scores.append(lpips_diversity(source.some(500), seed=seed))
        return Scores([*scores, *self._missing(fake)], self._notes(fake))

    # -- one pass ------------------------------------------------------------------------------------------------------

    def _look(self, source: ImageSource, what: str) -> Seen:
        """Features of all real images: from the cache where they are the same, seen by the same network."""
        content = None if self.extractor.name == "faed" else source.fingerprint()  # FAED's pass is as quick as a file
        address = content and f"{content}-{self.extractor.fingerprint}"
        stored = load_arrays("features", address) if address else None
        if stored is not None:
            return _from_arrays(stored)
        seen = _see(self.extractor, _bar(source, what, self.progress), source.n)
        if address:
            store_arrays("features", address, _to_arrays(seen))
        return seen

    # -- the scores ----------------------------------------------------------------------------------------------------

    def _score(self, name: str, value: float, against: Seen, n_fake: int, split: str, **more: Any) -> Score:
        parts = {part: more.pop(part) for part in ("error", "floor", "interval") if part in more}
        protocol = {"n_real": against.n, "n_fake": n_fake, "split": split, "features": self.extractor.name}
        protocol |= {"resize": self.extractor.resize, "precision": self.extractor.precision}
        if self.shape[0] < self.extractor.channels:
            protocol["channels"] = "grey, repeated"
        if "error" in parts:
            protocol["error"] = more.pop("error_of")
        return Score(name, value, protocol=protocol | more, **parts)

    def _frechet(self, fake: Seen, seed: int) -> Iterator[Score]:
        name = self.extractor.frechet_name
        yield self._distance(name, self.real, self._split, fake)
        if self.train is not None:
            yield self._distance(f"{name}_{fake.n}_all", self.all, "all", fake)
        yield from self._against_floor(name, fake, seed)

    def _against_floor(self, name: str, fake: Seen, seed: int) -> Iterator[Score]:
        """Like against like: halves of equal size, over paired draws."""
        try:
            pair = halves(self.all.features, fake.features, seed)
        except ValueError as why:
            yield from (Score.missing(f"{name}_{part}", str(why)) for part in ("halves", "floor", "over_floor"))
            return
        more = {"split": "halves of all", "draws": len(pair.floor), "error_of": "spread over draws"}
        generated, floor = pair.generated, pair.floor
        yield self._halves(
            f"{name}_halves", generated.mean(), pair.size, error=generated.std(ddof=1), floor=floor.mean(), **more
        )
        yield self._halves(f"{name}_floor", floor.mean(), pair.size, error=floor.std(ddof=1), **more)
        yield self._halves(f"{name}_over_floor", pair.ratio, pair.size, error=pair.ratio_error, floor=1.0, **more)

    def _halves(self, name: str, value: float, size: int, *, split: str, **more: Any) -> Score:
        score = self._score(name, value, self.all, size, split, **more)
        return Score(name, score.value, score.error, score.interval, score.floor, {**score.protocol, "n_real": size})

    def _distance(self, name: str, against: Seen, split: str, fake: Seen) -> Score:
        found: Frechet = frechet(against.moments, fake.moments)
        more: dict[str, Any] = {"rounding": found.rounding}
        if 20 <= fake.n <= ERROR_UP_TO:
            more |= {"error": grouped_jackknife(against.moments, fake.features)}
            more |= {"error_of": "jackknife over generated images, in 10 groups"}
        return self._score(name, found.value, against, fake.n, split, **more)

    def _kernel(self, fake: Seen) -> Iterator[Score]:
        name = self.extractor.kernel_name
        if min(len(self.real.features), len(fake.features)) < 3:
            yield Score.missing(name, "a jackknife needs 3 real and 3 generated images")
            return
        value, error = kernel_distance(self.real.features, fake.features)
        more: dict[str, Any] = {"kernel": "(x·y/d + 1)³, unbiased", "error_of": "jackknife over images"}
        if self.train is not None and len(self.train.features) >= 3:
            more["floor"], _ = kernel_distance(self.real.features, self.train.features)
            more["floor_of"] = f"{len(self.train.features)} training images"
        yield self._kept(self._score(name, value, self.real, fake.n, self._split, error=error, **more), fake)

    def _support(self, fake: Seen) -> Iterator[Score]:
        names = ("precision", "recall", "density", "coverage")
        try:
            found = support(self.real.features, fake.features)
        except ValueError as few:
            yield from (Score.missing(name, str(few)) for name in names)
            return
        reference = None
        if self.train is not None and len(self.train.features) > 5:
            reference = support(self.real.features, self.train.features)
        for name in names:
            more: dict[str, Any] = {"k": 3 if name in ("precision", "recall") else 5}
            if reference is not None:
                more |= {"floor": getattr(reference, name), "floor_of": f"{len(self.train.features)} training images"}
            yield self._kept(self._score(name, getattr(found, name), self.real, fake.n, self._split, **more), fake)

    def _classes(self, fake: Seen) -> Iterator[Score]:
        name = "inception_score" if self.extractor.name == "inception" else "classifier_score"
        if fake.classes is not None:
            value, error = fake.classes
            more = {"error": error, "error_of": "spread over 10 splits", "splits": 10}
            if self.real.classes is not None:
                more["floor"] = self.real.classes[0]
            yield self._score(name, value, self.real, fake.n, self._split, **more)

    def _copies(self, fake: Seen, seed: int) -> Iterator[Score]:
        if self.train is None:
            return
        found = copies(fake.features, self.train.features, self.real.features, seed)
        # An original counts only in the draws that hold it, so even pure copying stays below 1.
        drawn = found.n_each / len(self.train.features)
        more = {"error": found.error, "error_of": "binomial", "floor": 0.5, "draws": found.draws}
        more |= {"n_each": found.n_each, "if_all_were_copies": drawn + 0.5 * (1 - drawn)}
        yield self._score("copies", found.share, self.real, fake.n, "training against held-out", **more)

    def _extrapolated(self, fake: Seen, seed: int) -> Score:
        name = f"{self.extractor.frechet_name}_extrapolated"
        if len(fake.features) < 100:
            return Score.missing(name, f"a line in 1/n needs at least 100 generated images; found {len(fake.features)}")
        value, error = extrapolate(self.real.moments, fake.features, seed)
        return self._score(name, value, self.real, fake.n, self._split, error=error, error_of="fit of a line in 1/n")

    # -- what is said beside them --------------------------------------------------------------------------------------

    @property
    def _split(self) -> str:
        return "real" if self.train is None else "held-out"

    def _kept(self, score: Score, fake: Seen) -> Score:
        """Say so where a score is on fewer images than there were."""
        kept = {"n_real": len(self.real.features), "n_fake": len(fake.features)}
        return Score(score.name, score.value, score.error, score.interval, score.floor, {**score.protocol, **kept})

    def _missing(self, fake: Seen) -> Iterator[Score]:
        """Scores that a reader may look for, and why they are not there."""
        if self.extractor.name != "inception":
            asked = f"features: {self.extractor.name} were asked for, not inception"
            why = self.extractor.note.partition("\n")[0] if self.asked == "auto" else asked
            names = ["fid", f"fid_{fake.n}_all", "fid_halves", "fid_floor", "fid_over_floor", "kid", "inception_score"]
            if self.train is None:
                names.remove(f"fid_{fake.n}_all")
            yield from (Score.missing(name, why) for name in names)
        elif fake.classes is None:
            yield Score.missing("inception_score", f"its 10 splits need 10 generated images; found {fake.n}")
        if self.train is None:
            yield Score.missing("copies", "training images were not given")

    def _notes(self, fake: Seen) -> list[str]:
        notes = [line for line in self.extractor.note.splitlines() if line.startswith("FAED")]
        if self.shape[0] < self.extractor.channels:
            notes.append("grey images: the channel is repeated three times")
        if fake.alike:
            notes.append(f"all {fake.n} generated images are alike: the generator has collapsed to one image")
        return notes


def _see(extractor: FeatureExtractor, batches: Iterable[Tensor], n: int) -> Seen:
    keep = evenly(n, KEPT)
    streamed = StreamingMoments() if n > KEPT else None
    classes: ClassifierScore | None = None
    features: Tensor | None = None
    came = 0
    for batch in batches:
        found = extractor(batch)
        if streamed is not None:
            streamed.add(found.features)
        if found.logits is not None and n >= 10:
            classes = classes or ClassifierScore(n)
            classes.add(found.logits)
        if features is None:  # made whole at once: many small pieces would leave the memory in tatters
            features = torch.empty(len(keep), found.features.shape[1])
        mine = (keep >= came) & (keep < came + len(batch))
        features[mine] = found.features[keep[mine] - came]
        came += len(batch)
    moments = streamed.moments() if streamed is not None else Moments.of(features)
    return Seen(n, moments, features, classes and classes.value())


def _to_arrays(seen: Seen) -> dict[str, Any]:
    arrays: dict[str, Any] = {"n": seen.n, "features": seen.features.numpy()}
    if seen.n > len(seen.features):
        arrays |= {"mean": seen.moments.mean.numpy(), "cov": seen.moments.cov.numpy()}
    if seen.classes is not None:
        arrays["classes"] = seen.classes
    return arrays


def _from_arrays(arrays: dict[str, Any]) -> Seen:
    features, n = torch.from_numpy(arrays["features"]), int(arrays["n"])
    if "cov" in arrays:
        moments = Moments(n, torch.from_numpy(arrays["mean"]), cov=torch.from_numpy(arrays["cov"]))
    else:
        moments = Moments.of(features)
    return Seen(n, moments, features, tuple(map(float, arrays["classes"])) if "classes" in arrays else None)


def _together(a: Seen, b: Seen) -> Seen:
    features = torch.cat([a.features, b.features])
    if a.n + b.n == len(features):
        return Seen(a.n + b.n, Moments.of(features), features)
    return Seen(a.n + b.n, a.moments.merged(b.moments), features)


def _images(given: Tensor | ImageSource, which: str) -> ImageSource:
    return given if hasattr(given, "batches") else TensorImages(given, which)


def _fakes(generator: Any, n: int, seed: int, latent_dim: int | None) -> ImageSource:
    if isinstance(generator, Tensor) or hasattr(generator, "batches"):
        return _images(generator, "generated")
    return GeneratedImages(generator, n, seed, latent_dim)


def _check_same_shape(real: ImageSource, train: ImageSource | None) -> None:
    if train is None:
        return
    a, b = (tuple(source.some(1).shape[1:]) for source in (real, train))
    if a != b:
        raise ValueError(f"real images are {_size(a)}, training images {_size(b)}")


def _size(shape: Iterable[int]) -> str:
    channels, height, width = shape
    return f"{height}×{width} with {channels} channel{'s' if channels > 1 else ''}"


def _bar(source: ImageSource, what: str, shown: bool) -> Iterator[Tensor]:
    from tqdm.auto import tqdm

    with tqdm(total=source.n, desc=what, unit="image", disable=not shown) as bar:
        for batch in source.batches():
            yield batch
            bar.update(len(batch))
