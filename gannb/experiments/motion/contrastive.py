"""Speech and motion of one moment against those of others (InfoNCE)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(one: Tensor, other: Tensor, temperature: Tensor | float = 0.1) -> Tensor:
    """How surely each row of one is told to belong to its row of the other, and the other way round, in nats.

    The mean over both directions of -log softmax(cosine / temperature) at the right partner (van den Oord et al. 2018;
    symmetric as in Radford et al. 2021). log N where nothing can be told, 0 where everything is certain.

    Args:
        one, other: embeddings `[N, d]`; row i of both is of one moment.
        temperature: above 0.

    Raises:
        ValueError: shapes that differ, or fewer than two rows, which leave nothing to tell apart.
    """
    logits = likeness(one, other) / temperature
    right = torch.arange(len(one), device=one.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2


def told_apart(one: Tensor, other: Tensor) -> Tensor:
    """The share of rows whose nearest in the other is their partner, over both directions; 1/N by chance."""
    alike = likeness(one, other)
    right = torch.arange(len(one), device=one.device)
    return ((alike.argmax(1) == right).float().mean() + (alike.argmax(0) == right).float().mean()) / 2


def likeness(one: Tensor, other: Tensor) -> Tensor:
    """Cosines of all pairs `[N, N]`, in single precision at least; raises as `info_nce`."""
    if one.shape != other.shape or one.ndim != 2 or len(one) < 2:
        raise ValueError(
            f"pairs need two tables [N, d] with N at least 2, got {tuple(one.shape)}, {tuple(other.shape)}"
        )
    one, other = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (one, other))
    return F.normalize(one, dim=1) @ F.normalize(other, dim=1).T
