"""A number that follows something seen: its running mean."""

from __future__ import annotations

from collections.abc import Mapping

from gannb.control.stateful import Stateful


class RunningMean(Stateful):
    """A driver: the running mean of what a loss logged.

    The target of path length regularisation is the exponential running mean of the lengths (Karras et al. 2020,
    appendix B). At first it is the plain mean of those seen (ours): begun at 0, as there, a short run would be steered
    to lengths near 0. A step that did not log it leaves the mean where it is.

    Args:
        name: the number to move.
        watch: what it follows, such as "G/path_length".
        share: how far the mean goes towards each new value in the long run (ibid.: 0.01).

    Raises:
        ValueError: a share outside (0, 1].
    """

    label = "running mean"
    kept = ("count",)  # the mean itself is the number

    def __init__(self, name: str, watch: str, *, share: float = 0.01) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share={share}; allowed is (0, 1]")
        self.names, self.watch, self.share, self.count = (name,), watch, share, 0

    def __call__(self, step: int, seen: Mapping[str, float], values: Mapping[str, float]) -> dict[str, float]:
        """The mean with what the step before logged; nothing where it logged none."""
        (name,) = self.names
        if self.watch not in seen:
            return {}
        self.count += 1
        share = max(self.share, 1 / self.count)
        return {name: values[name] + share * (seen[self.watch] - values[name])}
