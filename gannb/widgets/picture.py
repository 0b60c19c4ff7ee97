"""What a live view shows of a generator beside its curves: images, a moving skeleton, or lines such as one by angle."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gannb.training.trainer import Trainer


@dataclass(frozen=True)
class Profile:
    """Lines over something else than steps.

    Attributes:
        title: what the y axis shows, with its unit.
        x_title: what the x axis shows, with its unit.
        x: positions `[n]`, ascending.
        lines: a name → values `[n]`; NaN leaves a gap.
    """

    title: str
    x_title: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]

    def packed(self) -> dict[str, Any]:
        """For the page."""
        x = array("f", self.x).tobytes()
        lines = [
            {"name": name, "x": x, "y": array("f", values).tobytes(), "last": ""} for name, values in self.lines.items()
        ]
        return {"title": self.title, "x_title": self.x_title, "lines": lines}


class NewestFile:
    """The newest PNG among a run's samples, with its own step where its name holds it; nothing new while it stays."""

    def __init__(self) -> None:
        self._shown: tuple[int, Path] | None = None

    def __call__(self, trainer: Trainer) -> dict[str, Any] | None:
        """The picture for the page; None where the newest file is shown already, or there is none."""
        found = [(path.stat().st_mtime_ns, path) for path in (trainer.run.folder / "samples").glob("*.png")]
        if not found or (newest := max(found)) == self._shown:
            return None
        self._shown = newest
        return packed(newest[1].read_bytes(), step_of(newest[1], trainer.batches.per_epoch))


def step_of(file: Path, per_epoch: int) -> str:
    """The step of a file of samples: the number at the end of its name, of steps or of epochs; else its name."""
    number = re.search(r"(epoch)?[_-]?(\d+)$", file.stem)
    if number is None:
        return file.stem
    return f"step {int(number[2]) * (per_epoch if number[1] else 1)}"


def packed(shown: Any, label: str) -> dict[str, Any]:
    """A picture for the page.

    Args:
        shown: images `[N, C, H, W]` in [-1, 1], an `ImageGrid`, a PNG, a `Profile`, or what shows itself as HTML.
        label: where it was made, such as "step 120".
    """
    if isinstance(shown, Profile):
        return {"label": label, "profile": shown.packed()}
    if hasattr(shown, "_repr_html_") and not hasattr(shown, "png"):
        return {"label": label, "html": shown._repr_html_()}
    return {"label": label, "image": png(shown)}


def png(shown: Any) -> bytes:
    """One PNG of images `[N, C, H, W]` in [-1, 1] or of an `ImageGrid`; a PNG is returned as it is."""
    from gannb.figures.grids import image_grid

    if isinstance(shown, bytes):
        return shown
    return shown.png if hasattr(shown, "png") else image_grid(shown, columns=math.ceil(math.sqrt(len(shown)))).png
