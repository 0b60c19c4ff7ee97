"""What a page of a run opens with: its samples over time, and its curves. Nothing in the folder is trusted."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from gannb.batch.html_export import Aside, figure
from gannb.metrics.long_names import long_name
from gannb.runs.history import History

SAMPLES, WIDEST, LARGEST, LEAST = 3, 480, 4_000_000, 240
"""Pictures shown of a run: the first, one in the middle, the newest; their largest width and size, and the width from
which what is wider than high is cropped, so that the samples in it stay large enough to look at; pixels."""
POINTS = 150
LOSSES = ("D/loss", "G/loss", "model/loss")


@dataclass(frozen=True)
class Sample:
    """A picture of a run: its name in the folder, and where its copy lies beside the page."""

    name: str
    address: str


def samples(folder: Path, aside: Aside) -> list[Sample]:
    """Smaller copies of a run's pictures over time; those that cannot be opened are left out."""
    found = sorted((folder / "samples").glob("*.png"), key=lambda path: (_number(path), path.name))
    picked = dict.fromkeys(found[round(i * (len(found) - 1) / (SAMPLES - 1))] for i in range(SAMPLES)) if found else {}
    copies = [(path, _copy(path)) for path in picked]
    return [Sample(_readable(path.stem), aside.put(copy, "png")) for path, copy in copies if copy]


def curves_of(folder: Path, aside: Aside) -> Markup:
    """The losses of a run, and below them the first score that was measured along the way."""
    from gannb.figures.curves import curves

    history = History(folder / "metrics.jsonl")
    names = history.names()
    scores = [name for name in names if "/" not in name and len(history[name]) > 1][:1]
    shown = []
    for title, group in (
        ("loss", [name for name in LOSSES if name in names]),
        *((long_name(name), [name]) for name in scores),
    ):
        if group:
            series = {name: (history[name].steps, history[name].values) for name in group}
            drawn = curves(series, y_title=title, max_points=POINTS)
            shown.append(figure(json.loads(drawn.to_json()), aside))
    return Markup("").join(Markup(each) for each in shown)


def _copy(path: Path) -> bytes:
    """A picture as a PNG of at most `WIDEST` pixels across, of a wide one the left part; nothing where it is none."""
    try:
        with Image.open(path) as given:
            if given.width * given.height > LARGEST:
                return b""
            shown = given.convert("RGBA" if "A" in given.getbands() else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return b""
    shown = shown.crop((0, 0, min(shown.width, max(shown.height, LEAST)), shown.height))
    shown.thumbnail((WIDEST, 4 * WIDEST))
    buffer = io.BytesIO()
    shown.save(buffer, "PNG")
    return buffer.getvalue()


def _number(path: Path) -> int:
    """The step or epoch in a picture's name; 0 without one."""
    digits = "".join(c if c.isascii() and c.isdigit() else " " for c in path.stem).split()
    return int(digits[-1][:18]) if digits else 0


def _readable(name: str) -> str:
    """A picture's name in words: "fake_samples_epoch_040" is "generated samples, epoch 40"."""
    if name.isascii() and name.isdigit():
        return f"step {int(name[:18])}"
    words = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("_", " ")
    counted = re.sub(r"[ ,]*\b(epoch|step)[ -]0*([0-9])", r", \1 \2", words).lstrip(", ")
    return re.sub(r"\bfake\b", "generated", counted)
