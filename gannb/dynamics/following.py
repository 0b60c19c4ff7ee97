"""A number that follows something seen: its running mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class RunningMean:
    """A driver: the exponential running mean of what a loss logged, from 0 on.

    The target of path length regularisation is the running mean of the lengths (Karras et al. 2020, appendix B). A step
    that did not log it leaves the mean where it is.

    Args:
        name: the number to move.
        watch: what it follows, such as "G/path_length".
        share: how far the mean goes towards each new value (ibid.: 0.01).

    Raises:
        ValueError: a share outside (0, 1].
    """

    label = "running mean"
    reads = True

    def __init__(self, name: str, watch: str, *, share: float = 0.01) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share={share}; allowed is (0, 1]")
        self.names, self.watch, self.share = (name,), watch, share

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The mean with what the step before logged; nothing where it logged none."""
        (name,) = self.names
        if self.watch not in seen:
            return {}
        return {name: values[name] + self.share * (seen[self.watch] - values[name])}

    def state_dict(self) -> dict[str, Any]:
        """Empty: the number itself is the state."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""
