"""Fréchet distance between two Gaussians, exact and fast, in float64.

    d² = |μ₁ − μ₂|² + tr Σ₁ + tr Σ₂ − 2 tr (Σ₁Σ₂)^½          (Heusel et al. 2017, equation 6)

With any factors Σ = F Fᵀ the last trace is the nuclear norm of F₁ᵀF₂. With fewer rows than features the centred rows
themselves are such factors: a 300 × 500 matrix instead of a 2048 × 2048 one, and no matrix square root at all. With
more rows than features, it is the sum of the roots of the eigenvalues of the symmetric F₁ᵀ Σ₂ F₁.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True)
class Frechet:
    """A squared Fréchet distance and a bound on its rounding error (both in squared feature units)."""

    value: float
    rounding: float

    def __float__(self) -> float:
        return self.value


@dataclass
class Moments:
    """Mean and covariance of `n` feature vectors.

    Args:
        n: how many vectors.
        mean: `[d]` float64.
        rows: `[n, d]` centred vectors over √(n−1), kept where n ≤ d (the covariance is rowsᵀ rows).
        cov: `[d, d]` covariance (divisor n−1), kept where n > d.
    """

    n: int
    mean: Tensor
    rows: Tensor | None = None
    cov: Tensor | None = None

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """From features `[n, d]`; raises ValueError for fewer than 2 vectors or values that are not finite."""
        check_features(features)
        mean = features.mean(0, dtype=torch.float64)
        rows = features.double().sub_(mean) if features.dtype != torch.float64 else features - mean
        n, d = rows.shape
        if n <= d:
            return cls(n, mean, rows=rows.div_(math.sqrt(n - 1)))
        return cls(n, mean, cov=_gram(rows).div_(n - 1))

    @property
    def trace(self) -> float:
        """Total variance."""
        return float(self.rows.square().sum() if self.rows is not None else self.covariance.trace())

    @property
    def covariance(self) -> Tensor:
        """`[d, d]` float64."""
        if self.cov is not None:
            return self.cov
        assert self.rows is not None
        return self.rows.T @ self.rows

    def merged(self, other: Moments) -> Moments:
        """Moments of both sets together."""
        n = self.n + other.n
        offset = other.mean - self.mean
        cov = (self.n - 1) / (n - 1) * self.covariance + (other.n - 1) / (n - 1) * other.covariance
        cov.addr_(offset, offset, alpha=self.n * other.n / (n * (n - 1)))
        return Moments(n, self.mean + other.n / n * offset, cov=cov)

    @cached_property
    def factor(self) -> Tensor:
        """F `[d, r]` with F Fᵀ = covariance; kept, since many may be compared with these moments."""
        return _factor(self.covariance) if self.rows is None else self.rows.T


class StreamingMoments:
    """Moments of any number of feature vectors in constant memory: one `d × d` matrix, updated in place.

    Sums are taken about the first batch's mean, so that a large mean does not cancel the covariance away.
    """

    def __init__(self) -> None:
        self.n = 0
        self._shift: Tensor
        self._sum: Tensor
        self._outer: Tensor

    def add(self, features: Tensor) -> None:
        """Take in a batch `[b, d]`."""
        check_features(features, at_least=1)
        batch = features.double()
        if not self.n:
            self._shift = batch.mean(0)
            self._sum = torch.zeros_like(self._shift)
            self._outer = torch.zeros(len(self._shift), len(self._shift), dtype=torch.float64, device=batch.device)
        batch = batch - self._shift
        self._sum += batch.sum(0)
        self._outer.addmm_(batch.T, batch)
        self.n += len(batch)

    def moments(self) -> Moments:
        """What was taken in so far; the accumulator may go on afterwards.

        Raises:
            ValueError: fewer than 2 vectors were.
        """
        if self.n < 2:
            raise ValueError(f"a covariance needs at least 2 feature vectors, {self.n} came")
        offset = self._sum / self.n
        cov = self._outer / (self.n - 1)
        cov.addr_(offset, offset, alpha=-self.n / (self.n - 1))
        return Moments(self.n, self._shift + offset, cov=cov)


def frechet(a: Moments | Tensor, b: Moments | Tensor) -> Frechet:
    """Squared Fréchet distance between two sets of features (`[n, d]`) or their moments.

    Raises:
        ValueError: the feature widths differ, a set has fewer than 2 vectors, or a value is not finite.
    """
    a, b = (x if isinstance(x, Moments) else Moments.of(x) for x in (a, b))
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"features of width {len(a.mean)} and {len(b.mean)} cannot be compared")
    shift = float((a.mean - b.mean).square().sum())
    overlap, error = _root_trace(a, b)
    total = a.trace + b.trace
    eps = torch.finfo(torch.float64).eps
    value = shift + total - 2 * overlap
    rounding = 2 * error + eps * math.sqrt(len(a.mean)) * (shift + total)
    # A distance is never negative: what is left below zero is the rounding of three large terms.
    return Frechet(max(value, 0.0), rounding)


def frechet_distance(a: Moments | Tensor, b: Moments | Tensor) -> float:
    """The value of `frechet` alone, of features `[n, d]` or their moments."""
    return frechet(a, b).value


def check_features(features: Tensor, at_least: int = 2) -> None:
    """Check that features are a finite `[n, d]` with n ≥ `at_least`.

    Raises:
        ValueError: they are not.
    """
    if features.ndim != 2:
        raise ValueError(f"features are [n, d]; found shape {tuple(features.shape)}")
    if len(features) < at_least:
        raise ValueError(f"a covariance needs at least {at_least} feature vectors; found {len(features)}")
    finite = torch.isfinite(features).all(1)
    if not finite.all():
        first = int((~finite).nonzero()[0])
        raise ValueError(
            f"{int((~finite).sum())} of {len(features)} feature vectors are not finite (first: row {first})"
        )


def _root_trace(a: Moments, b: Moments) -> tuple[float, float]:
    """Tr (Σa Σb)^½ and a bound on its rounding error."""
    eps = torch.finfo(torch.float64).eps
    if a.rows is not None and b.rows is not None:
        singular = torch.linalg.svdvals(a.rows @ b.rows.T)
        return float(singular.sum()), float(eps * singular.max() * math.sqrt(len(singular)) * len(singular))
    # The smaller of K Kᵀ and KᵀK has the same eigenvalues that are not zero.
    cross = a.factor.T @ b.factor
    gram = _gram(cross if cross.shape[0] >= cross.shape[1] else cross.T)
    del cross
    eigen = torch.linalg.eigvalsh(gram)
    unsure = float(eigen.abs().max()) * eps * math.sqrt(len(eigen))
    roots = eigen.clamp(min=0).sqrt()
    # An eigenvalue off by δ moves its root by at most min(√δ, δ / 2√λ).
    error = torch.minimum(torch.full_like(roots, math.sqrt(unsure)), unsure / (2 * roots.clamp(min=1e-300)))
    return float(roots.sum()), float(error.sum())


def _gram(x: Tensor) -> Tensor:
    """xᵀx `[d, d]`; NumPy sees that it is symmetric and does half the work."""
    if x.device.type != "cpu":
        return x.T @ x
    array = x.numpy()
    return torch.from_numpy(array.T @ array)


def _factor(cov: Tensor) -> Tensor:
    """F `[d, r]` with F Fᵀ = cov: Cholesky, with pivots (and r < d) where the matrix is singular."""
    lower, failed = torch.linalg.cholesky_ex(cov)
    if not failed:
        return lower
    from scipy.linalg import get_lapack_funcs

    packed, pivots, rank, _ = get_lapack_funcs("pstrf", dtype="float64")(cov.cpu().numpy(), lower=1)
    factor = torch.zeros(len(cov), max(rank, 1), dtype=torch.float64)
    factor[pivots - 1, :rank] = torch.from_numpy(packed).tril()[:, :rank]
    return factor.to(cov.device)
