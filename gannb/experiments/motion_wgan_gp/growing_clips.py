"""Growing clips: training begins with short ones and lengthens them in steps (motion_wgan_gp, "optional")."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from gannb.control.schedules import Schedule


def growing(name: str, lengths: Sequence[int], *, epochs_each: int, steps_per_epoch: int) -> Schedule:
    """Lengthen clips at epoch boundaries: each length for so many epochs, the last one from then on.

    Args:
        name: the number, frames a clip.
        lengths: frames, ascending: (16, 32, 64); a network's shortest clip is the least that is allowed.
        epochs_each: how long each length but the last lasts.
        steps_per_epoch: batches an epoch.

    Raises:
        ValueError: lengths that do not ascend, or a duration below 1.
    """
    lengths = tuple(lengths)
    if not lengths or lengths[0] < 1 or any(b <= a for a, b in pairwise(lengths)):
        raise ValueError(f"lengths of {name!r}: given {lengths}; allowed: ascending, from 1 frame on")
    if epochs_each < 1 or steps_per_epoch < 1:
        raise ValueError(
            f"{name!r} grows every {epochs_each} epochs of {steps_per_epoch} steps; at least 1 of each is needed"
        )

    def value_at(step: int) -> int:
        return lengths[min(step // (epochs_each * steps_per_epoch), len(lengths) - 1)]

    return Schedule(name, value_at, label="growing")
