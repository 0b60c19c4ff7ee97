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
ACTIONS = {
    "hold": "held", "release": "released", "rollback": "rolled back to", "stop": "stopped",
    "pause": "paused", "resume": "resumed", "step": "one step",
}  # fmt: skip
"""How the messages name what a person or an alarm did."""


class RunLog:
    """Curves, paths of numbers, alarms, refusals and actions of a run.

    Args:
        trainer: of the run.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.charts = Charts()
        self.paths = {name: Trace() for name in trainer.numbers.parameters}
        self.messages: deque[dict[str, Any]] = deque(maxlen=40)
        self.refused: dict[str, tuple[str, float]] = {}
        self.checkpoints: list[str] = []
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

    def add(self, kind: str, step: int, text: str) -> None:
        """Add a message.

        Args:
            kind: "alarm", "refused" or "note".
            step: when it happened.
            text: the message.
        """
        self.messages.append({"kind": kind, "step": step, "text": text})

    def packed(self) -> dict[str, Any]:
        """For the page."""
        now = time.perf_counter()
        return {
            "charts": self.charts.packed(),
            "paths": [path.packed() for path in self.paths.values()],
            "messages": list(self.messages),
            "refused": {name: text for name, (text, at) in self.refused.items() if now - at < REFUSAL_SECONDS},
            "checkpoints": self.checkpoints,
        }

    def _add_event(self, event: Mapping[str, Any]) -> None:
        kind, step, by = event["kind"], event["step"], event.get("by", "")
        if kind == "move":
            return self._move(event)
        if kind == "checkpoint":
            self.checkpoints = checkpoints(self.trainer)
        outcome = event.get("outcome", "applied")
        if outcome != "applied":
            return self.add("refused", step, f"{kind} {event.get('name', '')} {outcome}")
        if kind == "alarm":
            action = "" if event["action"] == "note" else f" → {event['action']}"
            return self.add("alarm", step, f"{event['name']}: {event['says']}{action}")
        if kind in ("damaged", "not comparable"):
            return self.add("alarm", step, f"{kind}: {event['says']}")
        if kind == "capture":
            return self.add("note", step, f"{event['name']} plays {event['says']}")
        if kind in ("resumed", "branched") or by:
            name = "" if kind == "checkpoint" else event.get("name", "")
            return self.add("note", step, " ".join(filter(None, [ACTIONS.get(kind, kind), name, who(by)])))
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
        return self.add("note", step, f"{name} {event['old']:.4g} → {event['new']:.4g} {who(by)}")


def who(by: str) -> str:
    """Who did something, as the end of a message."""
    return {"person": "by you", "": ""}.get(by, f"by {by}")


def checkpoints(trainer: Trainer) -> list[str]:
    """The checkpoints that a run can be rolled back to: the best, and the steps that are kept."""
    best = ["best"] if trainer.checkpoints.find("best").is_file() else []
    return [*best, *(str(step) for step, _ in trainer.checkpoints.by_step())]
