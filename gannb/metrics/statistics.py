"""Statistics of images that were passed through a feature extractor: scored against later, without the images.

gannb's own file (`gannb score --save-stats`) is an `.npz` of mean `mu [d]` and covariance `sigma [d, d]`, as
pytorch-fid writes and reads them, with the features, the protocol and, for FAED, the fitted network. Read as well:
pytorch-fid's `.npz` (mean and covariance alone), torch-fidelity's caches (`.pt`: features, or mean and covariance).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from gannb.data.arrays import ANY, ArrayError, Arrays
from gannb.metrics.evaluation import KEPT, Sample
from gannb.metrics.extractor import FeatureExtractor
from gannb.metrics.faed import restored
from gannb.metrics.feature_names import INCEPTION_DIMS
from gannb.metrics.features import cifar_resnet
from gannb.metrics.frechet import Moments
from gannb.metrics.inception import RESIZE, TENSORFLOW_RESIZE, as_torch_fidelity, inception
from gannb.metrics.sources import evenly
from gannb.runs.files import write_with

NETWORK = "network/"  # in front of the names of FAED's weights
HUGE = 1e30
CACHE = re.compile(r"(.+)-inception-v3-compat-(stat-fid|features)-(\d+)\.pt")
NUMPY: list[Any] = [np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in ("f4", "f8"))]
RECONSTRUCT = np.zeros(0).__reduce__()[0]  # called `numpy.core…` before NumPy 2
NUMPY += [(RECONSTRUCT, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]


class FeatureProtocol(BaseModel):
    """What features follow from; None where a file does not say. Two sides are compared only where these agree.

    Attributes:
        features: name of the feature extractor.
        resize: what it does to images, in words.
        precision: of its pass.
        fingerprint: hash of its weights and settings.
        shape: channels, height and width of the images.
        pixels: bits that they were rounded to, and the version of the reader.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    features: str
    resize: str
    precision: Literal["fp32", "bf16"] = "fp32"
    fingerprint: str | None = None
    shape: tuple[Literal[1, 3], int, int] | None = None
    pixels: str | None = None

    @classmethod
    def of(cls, extractor: FeatureExtractor, shape: Any = None, pixels: str | None = None) -> FeatureProtocol:
        """Of features that an extractor computes.

        Args:
            extractor: the network.
            shape: channels, height and width of the images.
            pixels: how they were read.
        """
        e, images = extractor, {"shape": shape, "pixels": pixels}
        return cls(features=e.name, resize=e.resize, precision=e.precision, fingerprint=e.fingerprint, **images)

    def check(self, name: str, other: FeatureProtocol, named: str) -> None:
        """Check that two sides can be compared.

        Args:
            name: of this side.
            other: protocol of the other one.
            named: name of the other side.

        Raises:
            ValueError: what both say differs.
        """
        both = ((key, getattr(self, key), getattr(other, key)) for key in type(self).model_fields)
        found = [f"{key} {one} and {two}" for key, one, two in both if None not in (one, two) and one != two]
        if found:
            raise ValueError(f"{name} and {named} cannot be compared: they differ in {'; '.join(found)}")


class Facts(BaseModel):
    """What a file of gannb's says beside its arrays: the number of images, where they are from, and the protocol."""

    model_config = ConfigDict(extra="forbid")
    n: int = Field(ge=2)
    source: str
    protocol: FeatureProtocol


@dataclass(frozen=True)
class Statistics:
    """A `Sample` that comes from a file, or goes to one.

    Args:
        name: of the file.
        sample: of the images; its `n` is 0 where the file does not say how many.
        protocol: of its features.
        source: what they were computed from, in words.
        fitted: FAED, which exists nowhere else.
    """

    name: str
    sample: Sample
    protocol: FeatureProtocol
    source: str = ""
    fitted: FeatureExtractor | None = field(default=None, repr=False)

    @property
    def n(self) -> int:
        """How many images; 0 where it is unknown."""
        return self.sample.n

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Channels, height and width of the images; None where they are unknown."""
        return self.protocol.shape

    @property
    def note(self) -> str:
        """What the file holds, in a line."""
        unknown = [what for what, known in (("number", self.n), ("size", self.shape)) if not known]
        lacking = f"; their {' and '.join(unknown)} could not be checked" if unknown else ""
        return f"{self.name}: statistics of {self.n or 'unknown'} images ({self.source}){lacking}"

    def extractor(self, features: str = "auto", passes: bool = True) -> FeatureExtractor:
        """The feature extractor that they were computed with.

        Args:
            features: as requested: `auto`, or the one of the file.
            passes: whether there are images that will be passed through it; else its name and protocol are enough.

        Raises:
            ValueError: another extractor was requested, or its weights are to be named.
            WeightsMissing: Inception's weights are unavailable.
        """
        p = self.protocol
        requested, _, weights = features.partition("=")
        if requested not in ("auto", p.features):
            raise ValueError(f"--features: given {features!r}; {self.name} holds features of {p.features!r}")
        if self.fitted is not None:
            return self.fitted
        if not passes:
            return FeatureExtractor(p.features, nn.Identity(), torch.clone, p.resize, "", p.precision)
        if weights:
            return cifar_resnet(Path(weights), p.features)
        if p.features.partition("_")[0] == "inception":
            found = inception(int(p.features.partition("_")[2] or 2048), p.precision)
            return as_torch_fidelity(found) if p.resize == TENSORFLOW_RESIZE else found
        raise ValueError(f"{self.name} holds features of {p.features!r}; add --features {p.features}=WEIGHTS")

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        sample, moments = self.sample, self.sample.moments
        facts = Facts(n=sample.n, source=self.source, protocol=self.protocol).model_dump_json()
        arrays: dict[str, Any] = {"facts": facts, "mu": moments.mean, "sigma": moments.covariance}
        arrays |= {"features": sample.features} | ({"classes": sample.classes} if sample.classes else {})
        weights = {} if self.fitted is None else self.fitted.network.state_dict()
        arrays |= {NETWORK + key: tensor.cpu() for key, tensor in weights.items()}
        write_with(path, lambda file: np.savez(file, **arrays))

    @classmethod
    def read(cls, path: str | Path) -> Statistics:
        """Read a file of gannb's, of pytorch-fid's or of torch-fidelity's.

        Raises:
            FileNotFoundError: no such file.
            ArrayError: it is damaged, or holds no statistics.
        """
        path = Path(path).expanduser()
        if path.suffix == ".pt":
            return _from_torch_fidelity(path)
        arrays = Arrays(path)
        return _own(arrays) if "facts" in arrays else _from_pytorch_fid(arrays)


def is_statistics(path: str | Path) -> bool:
    """Whether a path names statistics, and no images.

    Raises:
        ArrayError: a damaged `.npz` file.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ".npz" or not path.is_file():
        return path.suffix == ".pt"
    return {"mu", "sigma"} <= Arrays(path).headers.keys()


def _own(arrays: Arrays) -> Statistics:
    name = arrays.path.name
    try:
        facts = Facts.model_validate_json(str(arrays.read("facts", ANY)))
    except ValidationError as fault:
        where = ".".join(map(str, fault.errors()[0]["loc"])) or "they"
        raise ArrayError(f"{name}: its facts cannot be used ({where}: {fault.errors()[0]['msg']})") from fault
    features = arrays.read("features")
    moments = _moments(name, facts.n, arrays.read("mu"), arrays.read("sigma"))
    expected = (min(facts.n, KEPT), len(moments.mean))
    if features.shape != expected or features.dtype != np.float32 or np.abs(features).max() > HUGE:
        raise ArrayError(f"{name}: features {list(features.shape)} {features.dtype}; needed: {list(expected)} float32")
    if len(features) == facts.n:  # exactly as they are had from the images
        moments = Moments.of(torch.from_numpy(features))
    classes = arrays.read("classes") if "classes" in arrays else np.zeros(2)
    if classes.shape != (2,):
        raise ArrayError(f"{name}: classes has shape {list(classes.shape)}; needed: [2]")
    scores = (float(classes[0]), float(classes[1])) if "classes" in arrays else None
    sample = Sample(facts.n, moments, torch.from_numpy(features), scores)
    fitted = _faed(arrays, facts) if facts.protocol.features == "faed" else None
    return Statistics(name, sample, facts.protocol, facts.source, fitted)


def _faed(arrays: Arrays, facts: Facts) -> FeatureExtractor:
    names = [key for key in arrays.headers if key.startswith(NETWORK)]
    weights = {key.removeprefix(NETWORK): torch.from_numpy(arrays.read(key)) for key in names}
    try:
        found = restored(weights, facts.protocol.shape or (1, 0, 0), f"{facts.n} images of {arrays.path.name}")
        facts.protocol.check("its protocol", FeatureProtocol.of(found), "its network")
    except ValueError as fault:
        raise ArrayError(f"{arrays.path.name}: its autoencoder for FAED cannot be used ({fault})") from fault
    return found


def _from_pytorch_fid(arrays: Arrays) -> Statistics:
    name, sample = arrays.path.name, _bare(arrays.path.name, arrays.read("mu"), arrays.read("sigma"))
    return Statistics(name, sample, _inception(name, sample, RESIZE), "mean and covariance, by pytorch-fid")


def _from_torch_fidelity(path: Path) -> Statistics:
    if (named := CACHE.fullmatch(path.name)) is None:
        name = "NAME-inception-v3-compat-features-2048.pt, or …-stat-fid-2048.pt"
        raise ArrayError(f"{path.name} is not named like a cache of torch-fidelity ({name})")
    try:
        with torch.serialization.safe_globals(NUMPY):  # arrays of numbers, and nothing else that a pickle can hold
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as fault:  # a damaged archive raises nearly anything
        raise ArrayError(f"{path.name} cannot be read ({str(fault).partition(chr(10))[0][:120]})") from fault
    if named[2] == "features":
        sample = _sample(path.name, stored)
    elif isinstance(stored, dict) and all(isinstance(stored.get(key), np.ndarray) for key in ("mu", "sigma")):
        sample = _bare(path.name, stored["mu"], stored["sigma"])
    else:
        raise ArrayError(f"{path.name} holds no arrays mu and sigma")
    protocol = _inception(path.name, sample, TENSORFLOW_RESIZE)
    return Statistics(path.name, sample, protocol, f"{named[1]}, by torch-fidelity")


def _bare(name: str, mu: np.ndarray, sigma: np.ndarray) -> Sample:
    moments = _moments(name, 0, mu, sigma)
    return Sample(0, moments, torch.empty(0, len(moments.mean)), lacking=f"{name} holds no features")


def _sample(name: str, features: Any) -> Sample:
    good = isinstance(features, Tensor) and features.ndim == 2 and len(features) > 1 and features.is_floating_point()
    if not good or not features.abs().max() < HUGE:
        raise ArrayError(f"{name} holds no features [N, d] of two images or more, all finite")
    return Sample(len(features), Moments.of(features), features[evenly(len(features), KEPT)].float())


def _inception(name: str, sample: Sample, resize: str) -> FeatureProtocol:
    if (width := len(sample.moments.mean)) not in INCEPTION_DIMS:
        allowed = ", ".join(map(str, INCEPTION_DIMS))
        raise ArrayError(f"{name} holds features of width {width}; Inception's layers have {allowed}")
    return FeatureProtocol(features="inception" if width == 2048 else f"inception_{width}", resize=resize)


def _moments(name: str, n: int, mu: np.ndarray, sigma: np.ndarray) -> Moments:
    if mu.ndim != 1 or not mu.size or sigma.shape != (mu.size, mu.size) or {mu.dtype.kind, sigma.dtype.kind} != {"f"}:
        found = f"mu {list(mu.shape)} {mu.dtype} and sigma {list(sigma.shape)} {sigma.dtype}"
        raise ArrayError(f"{name} holds {found}; needed are floats [d] and [d, d]")
    mean, cov = mu.astype(np.float64), sigma.astype(np.float64)
    largest = max(np.abs(mean).max(), np.abs(cov).max())
    if not largest < HUGE or cov.diagonal().min() < 0 or not np.allclose(cov, cov.T, atol=1e-6 * np.abs(cov).max()):
        raise ArrayError(f"{name}: sigma is no covariance (not symmetric, a variance below 0, or values out of range)")
    return Moments(n, torch.from_numpy(mean), cov=torch.from_numpy(cov))
