"""How steadily a GAN trained, and whether it collapsed: read from a run's records and from its images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gannb.metrics.frechet import check_features
from gannb.metrics.score import Score
from gannb.random import key

# ----------------------------------------------------------------------------------------------------------------------
# Curves of one run


def loss_variance(losses: Sequence[float], name: str, window: int = 50) -> Score:
    """Variance of a loss about its own moving mean, so that a steady fall is not counted as unrest.

    Args:
        losses: one value per step, in order; at least 2 × window.
        name: of the score, such as `d_loss_variance`.
        window: steps over which the mean is taken.
    """
    values = _finite(losses, name)
    if len(values) < 2 * window:
        return Score.missing(name, f"{2 * window} steps are needed for a moving mean of {window}; found {len(values)}")
    mean = np.convolve(values, np.ones(window) / window, mode="valid")
    centred = values[window // 2 : window // 2 + len(mean)] - mean
    # A window's own value is part of its mean: the factor undoes that shrinking for independent noise.
    return Score(
        name, float(np.mean(centred**2) * window / (window - 1)), protocol={"steps": len(values), "window": window}
    )


def alarm_rate(events: Sequence[Mapping[str, Any]], steps: int) -> Score:
    """Alarms per thousand steps, collapse among them.

    Args:
        events: of a run (`run.events()`).
        steps: how long it was.

    Returns:
        Score `alarms_per_1000_steps`, with the first alarm's step and the count of each alarm in its protocol.

    Raises:
        ValueError: the run has no step.
    """
    if steps < 1:
        raise ValueError(f"a run of {steps} steps has no rate of alarms; at least 1 step is needed")
    alarms = [event for event in events if event["kind"] == "alarm"]
    counts = dict(sorted(Counter(event["name"] for event in alarms).items()))
    protocol = {"steps": steps, "first": min((event["step"] for event in alarms), default=None), **counts}
    return Score("alarms_per_1000_steps", 1000 * len(alarms) / steps, protocol=protocol)


def _finite(values: Sequence[float], name: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name}: one value per step is needed; found shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise ValueError(f"{name}: {len(bad)} of {len(array)} values are not finite (first: index {bad[0]})")
    return array


# ----------------------------------------------------------------------------------------------------------------------
# Modes


@dataclass(frozen=True)
class Modes:
    """How generated images fall into a classifier's classes.

    Args:
        counts: `[classes]`, generated images by most likely class.
        expected: `[classes]`, shares among the real images (uniform where none were given).
    """

    counts: np.ndarray
    expected: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """Counts over their sum, `[classes]`."""
        return self.counts / self.counts.sum()

    @property
    def missing(self) -> list[int]:
        """Classes with under a tenth of their expected share."""
        return [int(i) for i in np.flatnonzero(self.shares < 0.1 * self.expected)]

    @property
    def divergence(self) -> float:
        """KL(generated ‖ expected) in nats: 0 where the classes come as often as they should."""
        shares, there = self.shares, self.counts > 0
        return float(np.sum(shares[there] * np.log(shares[there] / np.maximum(self.expected[there], 1e-12))))


def modes(fake_logits: Tensor, real_logits: Tensor | None = None) -> Modes:
    """Class histogram of generated images, from a classifier's logits `[n, classes]`.

    Args:
        fake_logits: of generated images.
        real_logits: of real images, for the expected shares.
    """
    classes = fake_logits.shape[1]
    counts = torch.bincount(fake_logits.argmax(1), minlength=classes).numpy()
    if real_logits is None:
        return Modes(counts, np.full(classes, 1 / classes))
    expected = torch.bincount(real_logits.argmax(1), minlength=classes).double().numpy()
    return Modes(counts, expected / expected.sum())


def birthday(fake: Tensor, real: Tensor, batch: int = 50, draws: int = 200, seed: int = 0) -> Score:
    """The birthday test (Arora & Zhang 2017): how many different images a generator makes, at least roughly.

    Two images count as the same where they are nearer in features than the nearest hundredth of real neighbours. The
    chance p of a pair within a batch of s gives a support of about s² / (−2 log(1 − p)).

    Args:
        fake: features `[n, d]` of generated images, at least `batch`.
        real: features `[m, d]`, at least 10.
        batch: s, images per draw.
        draws: how many batches.
        seed: of the draws.

    Returns:
        Score `support_size` with p in its protocol; where no pair was ever found, the largest size that
        3 expected pairs in all the draws would have shown, marked `at_least`.
    """
    for features in (fake, real):
        check_features(features)
    name = "support_size"
    if len(fake) < batch or len(real) < 10:
        few = f"found {len(fake)} generated and {len(real)} real"
        return Score.missing(name, f"{batch} generated and 10 real images are needed; {few}")
    among_real = torch.cdist(real.double(), real.double()).fill_diagonal_(math.inf).min(1).values
    threshold = float(torch.quantile(among_real, 0.01))
    same = torch.cdist(fake.double(), fake.double()) <= threshold
    same.fill_diagonal_(False)
    rng = np.random.default_rng(key(seed, "birthday"))
    hits = 0
    for _ in range(draws):
        drawn = torch.from_numpy(rng.choice(len(fake), batch, replace=False))
        hits += bool(same[drawn][:, drawn].any())
    protocol = {"n_fake": len(fake), "n_real": len(real), "batch": batch, "draws": draws, "pairs_in": hits / draws}
    if hits == 0:
        return Score(name, _support(batch, 3 / draws), protocol=protocol | {"at_least": True})
    # With a pair in every batch, p is only known to be above 1 − 1/draws.
    p = min(hits / draws, 1 - 0.5 / draws)
    error = batch**2 / 2 * math.sqrt(p / (1 - p) / draws) / math.log1p(-p) ** 2
    return Score(name, _support(batch, p), error, protocol=protocol | {"error": "binomial, over batches"})


def _support(batch: int, p: float) -> float:
    return batch**2 / (-2 * math.log1p(-p))
