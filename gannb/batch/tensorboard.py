"""A TensorBoard log from a run folder, on demand, so that nothing is stored twice."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from gannb.config.faults import BadInput
from gannb.runs.files import read_lines


def export(folder: Path, out: Path) -> Path:
    """Write a run's measurements, and the paths of its numbers, as TensorBoard scalars.

    Args:
        folder: a run folder.
        out: where the log goes.

    Raises:
        BadInput: without the package `tensorboard`.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise BadInput("the package tensorboard is not installed here: add it with `pip install tensorboard`")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(out)) as writer:
        for row in read_lines(folder / "metrics.jsonl"):
            for name in row.keys() - {"step", "epoch"}:
                writer.add_scalar(name, row[name], row["step"])
        for event in read_lines(folder / "events.jsonl"):
            if event["kind"] == "move" and event.get("outcome") == "applied":
                writer.add_scalar(f"numbers/{event['name']}", event["new"], event["step"])
    return out
