"""A TensorBoard log from a run folder: every measured scalar, and the moves that were applied."""

import importlib.util
import json
from pathlib import Path

import pytest

from gannb.batch import tensorboard
from gannb.config.faults import BadInput


class Writer:
    """Stands where torch's SummaryWriter does, and keeps what it is given."""

    def __init__(self, out: str) -> None:
        self.out, self.scalars = out, []
        Writer.last = self

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [{"step": 1, "epoch": 0, "D/loss": 0.7}, {"step": 2, "epoch": 0, "D/loss": 0.6, "faed": 3.0}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    move = {"seq": 1, "step": 2, "kind": "move", "name": "lr_d", "new": 1e-4}
    events = [
        move | {"outcome": "applied"},
        move | {"outcome": "refused", "new": 9},
        {"seq": 3, "step": 2, "kind": "alarm"},
    ]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in events))
    return tmp_path


def test_everything_measured_and_moved_is_written(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    found = importlib.util.find_spec
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: name == "tensorboard" or found(name))
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    assert tensorboard.export(run, run / "log") == run / "log"
    expected = {("D/loss", 0.7, 1), ("D/loss", 0.6, 2), ("faed", 3.0, 2), ("numbers/lr_d", 1e-4, 2)}
    assert set(Writer.last.scalars) == expected and Writer.last.closed


def test_without_the_package_it_says_what_to_install(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="pip install tensorboard"):
        tensorboard.export(run, run / "log")
