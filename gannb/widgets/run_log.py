"""What happened in a run, read from its folder as it grows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from gannb.runs.tail import Tail
from gannb.training.trainer import Trainer
from gannb.widgets.curves import Charts, Trace

REFUSAL_SECONDS = 15.0
"""How long a refusal is shown beside its number; it stays in the list of messages."""
MOST_PATHS = 6
ACTIONS = {
    "hold": "held", "release": "released", "rollback": "rolled back to", "stop": "stopped", "checkpoint": "kept",
    "delete": "deleted checkpoint", "pause": "paused", "resume": "resumed", "step": "one step",
}  # fmt: skip
"""How the messages name what a person or an alarm did."""
MARKED = {"rollback": "rollback", "resume": "resume", "resumed": "resume", "branched": "resume"}
"""Events that leave a mark of a kind in the charts, beside moves and alarms."""


class RunLog:
    """Curves, paths of numbers, alarms, refusals and actions of a run.

    Args:
        trainer: of the run.

    Attributes:
        messages: alarms, refusals and actions, `{"kind", "step", "text"}`.
        marks: what the charts mark, `{"kind": "move" | "rollback" | "alarm" | "resume", "step", "text"}`.
        checkpoints: what a run can be rolled back to, as `[name, label, whether a person named it]`.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.charts = Charts(trainer.run.params.measures)
        self.paths = {name: Trace() for name in trainer.numbers.parameters}
        self.messages: deque[dict[str, Any]] = deque(maxlen=40)
        self.marks: deque[dict[str, Any]] = deque(maxlen=200)
        self.refused: dict[str, tuple[str, float]] = {}
        self.checkpoints: list[tuple[str, str, bool]] = []
        self._metrics, self._events = (Tail(trainer.run.folder / f"{n}.jsonl") for n in ("metrics", "events"))
        self._written_at = 0.0
        for name, path in self.paths.items():
            if hasattr(trainer.run.params, name):
                path.add(0, getattr(trainer.run.params, name))

    def read(self, *, refresh: bool = False) -> None:
        """Read what was added to the run's folder.

        Args:
            refresh: have the recorder write first, which waits for the device. Done anyway where nothing was written
                for a second.
        """
        if refresh or time.perf_counter() - self._written_at > 1.0:
            self.trainer.recorder.write()
        rows = self._metrics.rows()
        for row in rows:
            self.charts.add(row)
        if rows:
            self._written_at = time.perf_counter()
        for event in self._events.rows():
            self._add_event(event)

    def add(self, kind: str, step: int, text: str, mark: str = "") -> None:
        """Add a message.

        Args:
            kind: "alarm", "refused" or "note".
            step: when it happened.
            text: the message.
            mark: the kind of mark that it leaves in the charts; empty: none.
        """
        self.messages.append({"kind": kind, "step": step, "text": text})
        if mark:
            self.marks.append({"kind": mark, "step": step, "text": text})

    def packed(self) -> dict[str, Any]:
        """For the page."""
        now = time.perf_counter()
        moving = [(name, path) for name, path in self.paths.items() if len(path) > 1][:MOST_PATHS]
        return {
            "charts": self.charts.packed(),
            "paths": [{"name": name, **path.packed()} for name, path in moving],
            "messages": list(self.messages),
            "marks": list(self.marks),
            "refused": {name: text for name, (text, at) in self.refused.items() if now - at < REFUSAL_SECONDS},
            "checkpoints": self.checkpoints,
        }

    def _add_event(self, event: Mapping[str, Any]) -> None:
        kind, step, by = event["kind"], event["step"], event.get("by", "")
        if kind == "move":
            return self._move(event)
        if kind in ("checkpoint", "delete"):
            self.checkpoints = checkpoints(self.trainer)
        outcome = event.get("outcome", "applied")
        if outcome != "applied":
            return self.add("refused", step, f"{kind} {event.get('name', '')} {outcome}")
        if kind == "alarm":
            action = "" if event["action"] == "note" else f" → {event['action']}"
            return self.add("alarm", step, f"{event['name']}: {event['says']}{action}", "alarm")
        if kind in ("damaged", "not comparable"):
            return self.add("alarm", step, f"{kind}: {event['says']}")
        if kind == "capture":
            return self.add("note", step, f"{event['name']} plays {event['says']}")
        if kind == "checkpoint" and by != "person":  # the end of a call; a pause and a stop have their own event
            return self.add("note", step, f"{by}; saved") if by.startswith("interrupted") else None
        if kind in MARKED or by:
            text = " ".join(filter(None, [ACTIONS.get(kind, kind), event.get("name", ""), who(by)]))
            return self.add("note", step, text, MARKED.get(kind, ""))
        return None

    def _move(self, event: Mapping[str, Any]) -> None:
        name, by, step = event["name"], event["by"], event["step"]
        if event["outcome"] != "applied":
            if by == "person":
                self.refused[name] = event["outcome"], time.perf_counter()
            return self.add("refused", step, f"{name}, {who(by) or by}: {event['outcome']}")
        self.paths[name].add(step, event["new"])
        if by == self.trainer.numbers[name].driver:
            return None
        self.refused.pop(name, None)
        return self.add("note", step, f"{name} {event['old']:.4g} → {event['new']:.4g} {who(by)}", "move")


def who(by: str) -> str:
    """Who did something, as the end of a message."""
    return {"person": "by you", "": ""}.get(by, f"by {by}")


def checkpoints(trainer: Trainer) -> list[tuple[str, str, bool]]:
    """What a run can be rolled back to: the best, those that a person named, and the last steps."""
    kept = trainer.checkpoints
    best = [("best", "best", False)] if kept.find("best").is_file() else []
    named = [(name, f"{name} (step {step})", True) for name, step in kept.named().items()]
    return [*best, *reversed(named), *((str(step), f"step {step}", False) for step, _ in kept.by_step())]
