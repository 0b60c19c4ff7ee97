"""Scores from a classifier's logits: the Inception score, in constant memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

SHUFFLE_SEED = 2020  # torch-fidelity's, so that both cut the same images into the same splits


class ClassifierScore:
    """exp E[KL(p(y|x) ‖ p(y))] over splits (Salimans et al. 2016), taking in logits batch by batch.

    Called the Inception score on Inception's logits only.

    Args:
        n: how many images will come; they are assigned to the splits at random, in case a folder is sorted by class.
        splits: how many; the spread over them is the customary error.

    Raises:
        ValueError: fewer images than splits.
    """

    def __init__(self, n: int, splits: int = 10) -> None:
        if n < splits:
            raise ValueError(f"{splits} splits need as many images; found {n}")
        order = np.random.RandomState(SHUFFLE_SEED).permutation(n)
        self._split = torch.empty(n, dtype=torch.long)
        for index in range(splits):
            self._split[torch.from_numpy(order[index * n // splits : (index + 1) * n // splits])] = index
        self.n, self.splits, self._came = n, splits, 0
        self._count = torch.bincount(self._split, minlength=splits).double()
        self._p = torch.empty(0)
        self._plogp = torch.zeros(splits, dtype=torch.float64)

    def add(self, logits: Tensor) -> None:
        """Take in logits `[b, classes]`."""
        log_p = logits.double().log_softmax(1)
        p = log_p.exp()
        split = self._split[self._came : self._came + len(p)]
        if not len(self._p):
            self._p = torch.zeros(self.splits, p.shape[1], dtype=torch.float64)
        self._p.index_add_(0, split, p)
        self._plogp.index_add_(0, split, (p * log_p).sum(1))
        self._came += len(p)

    def value(self) -> tuple[float, float]:
        """Mean over the splits, and the spread between them.

        Raises:
            ValueError: another number of images came than was announced.
        """
        if self._came != self.n:
            raise ValueError(f"{self.n} images were announced, {self._came} came")
        mean_p = self._p / self._count[:, None]
        # Σ p̄ log p̄, with 0 log 0 = 0
        scores = (self._plogp / self._count - torch.special.xlogy(mean_p, mean_p).sum(1)).exp()
        return float(scores.mean()), float(scores.std(unbiased=False))


def classifier_score(logits: Tensor, splits: int = 10) -> tuple[float, float]:
    """`ClassifierScore` of logits `[n, classes]` at once."""
    score = ClassifierScore(len(logits), splits)
    score.add(logits)
    return score.value()
