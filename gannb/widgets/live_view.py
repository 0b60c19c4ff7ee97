"""The live view of a run: sliders, curves, newest samples and alarms beside the cell that trains.

It reads what the run writes (`metrics.jsonl`, `events.jsonl`) and where the numbers stand; it steers only through
the session's inbox. Where nobody watches, under papermill and nbval, it is not there at all.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gannb.runs.tail import Tail
from gannb.training.trainer import Trainer
from gannb.widgets import controls, message_priority, presence
from gannb.widgets.curves import Charts, Trace

if TYPE_CHECKING:
    from gannb.widgets.panel import Panel

REFRESH = 0.2
"""Seconds between two refreshes, at least."""
SHARE = 0.005
"""The share of the time that refreshes may take, and new samples as much again."""
UNHEARD = 3.0
"""Seconds of training without an answer from the page before it is said that clicks do not arrive."""
LINGERS = 15.0
"""Seconds for which a refusal stands beside its number; it stays in the list of what happened."""

Samples = Callable[[Trainer], Any]


def live(trainer: Trainer, samples: Samples | None = None) -> None:
    """Show sliders, curves, newest samples and alarms of a run, where a person watches; do nothing elsewhere.

    Args:
        trainer: whose numbers may be moved while it trains.
        samples: gets the trainer, returns images `[N, C, H, W]` in [-1, 1], an `ImageGrid`, or a PNG. It is called
            now and then between two steps and must leave the players as they are: `trainer.ema("G")` is a copy.
            By default the newest PNG in the run's `samples/` is shown.
    """
    if not presence.watched(trainer.run.params.live):
        return
    from IPython import get_ipython
    from IPython.display import display

    for old in [w for w in trainer.watchers if isinstance(w, LiveView)]:  # the cell was run again
        trainer.watchers.remove(old)
        old.panel.close()
    view = LiveView(trainer, samples)
    if presence.in_kernel() and message_priority.attend(get_ipython().kernel):
        message_priority.let_steer(view.panel.model_id)
    trainer.watchers.append(view)
    display(view.panel)


class Pace:
    """How often something may be done: at most every `shortest` seconds, and for `share` of the time.

    What it takes is the least of the last five times: other processes may have held up the rest. The first time
    counts for nothing: much is loaded then, and a first picture that took long would stand for a minute.
    """

    def __init__(self, shortest: float, share: float) -> None:
        self.shortest, self.share = shortest, share
        self.next = 0.0
        self._first = True
        self._took: deque[float] = deque(maxlen=5)

    def did(self, began: float, ended: float) -> None:
        """Note that it was done."""
        if self._first:
            self._first, self.next = False, ended + self.shortest
            return
        self._took.append(ended - began)
        self.next = ended + max(self.shortest, min(self._took) / self.share)


class Speed:
    """Steps a second by the clock on the wall, over about the last two seconds of training."""

    def __init__(self) -> None:
        self._step, self._at, self._rate = 0, 0.0, 0.0

    def __call__(self, step: int, training: bool) -> float:
        now = time.perf_counter()
        if not training:
            self._at = 0.0
        elif not self._at:
            self._step, self._at = step, now
        elif now - self._at > 2 or not self._rate:
            self._rate = float(f"{(step - self._step) / (now - self._at):.3g}")
            self._step, self._at = step, now
        return self._rate


class LiveView:
    """Watches one trainer: `trainer.watchers.append(LiveView(trainer))`; its `panel` is what to display."""

    def __init__(self, trainer: Trainer, samples: Samples | None = None, version: str | None = None) -> None:
        from gannb.figures.template import COLOURS
        from gannb.widgets.panel import Panel

        self.trainer, self.samples = trainer.start(), samples or newest_file
        self.version = presence.version() if version is None else version
        self.story = Story(trainer)
        self.heard = False
        self._frames, self._pictures = Pace(REFRESH, SHARE), Pace(2.0, SHARE)
        self._running_since = 0.0
        self._pictured = -1
        self._speed = Speed()
        trainer.session.live = presence.delivers(self.version)
        numbers = trainer.numbers.parameters.values()
        self.panel: Panel = Panel(numbers=[controls.declared(n) for n in numbers], colours=list(COLOURS))
        self.panel.on_msg(self._receive)
        self(trainer)

    def __call__(self, trainer: Trainer) -> None:
        """Look, if it is time; the one place from which anything is refreshed."""
        now = time.perf_counter()
        if now < self._frames.next and trainer.session.running:
            return
        over = not trainer.session.running and self._pictured != trainer.step  # the last samples, whatever they cost
        if now >= self._pictures.next or over:
            self._picture()
        began = time.perf_counter()
        self._listen(began)
        self.story.read(refresh=trainer.session.paused)
        self.panel.frame = self._frame()
        self._frames.did(began, time.perf_counter())

    # ---- from the page, on whatever thread the kernel hands it over --------------------------------------------

    def _receive(self, _panel: Panel, message: Mapping[str, Any], _buffers: Any) -> None:
        if self.trainer.session.running:  # it came while a cell is busy
            self.heard = self.trainer.session.live = True
        if message.get("do") != "hello":
            self.trainer.session.inbox.put(controls.command(message))

    # ---- to the page, on the thread that trains ----------------------------------------------------------------

    def _listen(self, now: float) -> None:
        """Without an answer from the page for a while, nobody can press "resume": a pause must not wait for it."""
        session = self.trainer.session
        if not session.running:
            self._running_since = 0.0
        elif not self._running_since:
            self._running_since = now
        elif not self.heard and now - self._running_since > UNHEARD:
            session.live = False

    def _frame(self) -> dict[str, Any]:
        trainer, session = self.trainer, self.trainer.session
        return {
            "state": state(trainer),
            "running": session.running,
            "heard": self.heard,
            "notice": "" if session.live else presence.notice(self.version),
            "step": trainer.step,
            "target": trainer.target,
            "epoch": round(trainer.step / trainer.batches.per_epoch, 2),
            "pictured": self._pictured,
            "rate": self._speed(trainer.step, session.running and not session.paused),
            "numbers": [controls.standing(number) for number in trainer.numbers.parameters.values()],
            **self.story.packed(),
        }

    def _picture(self) -> None:
        """Ask for samples; what goes wrong there is shown and stops no training."""
        began, self._pictured = time.perf_counter(), self.trainer.step
        try:
            with torch.no_grad():
                self.panel.samples = png(self.samples(self.trainer))
        except Exception as error:
            self.story.tell("alarm", self.trainer.step, f"samples: {type(error).__name__}: {error}")
            self.samples = newest_file
        self._pictures.did(began, time.perf_counter())


class Story:
    """What happened in a run so far, read from its folder as it grows: curves, paths of numbers, alarms, refusals."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.charts = Charts()
        self.paths = {name: Trace() for name in trainer.numbers.parameters}
        self.told: deque[dict[str, Any]] = deque(maxlen=40)
        self.refused: dict[str, tuple[str, float]] = {}
        self.checkpoints: list[str] = []
        self._metrics, self._events = (Tail(trainer.run.folder / f"{n}.jsonl") for n in ("metrics", "events"))
        self._fresh = 0.0
        for name, path in self.paths.items():
            if hasattr(trainer.run.params, name):
                path.add(0, getattr(trainer.run.params, name))

    def read(self, *, refresh: bool = False) -> None:
        """Read on.

        Args:
            refresh: ask for what is recorded but not written yet (that waits for the device); also asked for where
                steps take so long that nothing was written for a second.
        """
        if refresh or time.perf_counter() - self._fresh > 1.0:
            self.trainer.recorder.write()
        rows = self._metrics.rows()
        for row in rows:
            self.charts.add(row)
        if rows:
            self._fresh = time.perf_counter()
        for event in self._events.rows():
            self._hear(event)

    def tell(self, kind: str, step: int, says: str) -> None:
        """Add a line to what is told: an "alarm", something "refused", or a plain "note"."""
        self.told.append({"kind": kind, "step": step, "says": says})

    def packed(self) -> dict[str, Any]:
        """For the page."""
        return {
            "charts": self.charts.packed(),
            "paths": [path.packed() for path in self.paths.values()],
            "told": list(self.told),
            "refused": {name: says for name, (says, at) in self.refused.items() if time.perf_counter() - at < LINGERS},
            "checkpoints": self.checkpoints,
        }

    def _hear(self, event: Mapping[str, Any]) -> None:
        kind, step, by = event["kind"], event["step"], event.get("by", "")
        if kind == "move":
            return self._move(event)
        if kind == "checkpoint":
            self.checkpoints = checkpoints(self.trainer)
        outcome = event.get("outcome", "applied")
        if outcome != "applied":
            return self.tell("refused", step, f"{kind} {event.get('name', '')} {outcome}")
        if kind == "alarm":
            action = "" if event["action"] == "note" else f" → {event['action']}"
            return self.tell("alarm", step, f"{event['name']}: {event['says']}{action}")
        if kind in ("damaged", "not comparable"):
            return self.tell("alarm", step, f"{kind}: {event['says']}")
        if kind in ("resumed", "branched") or by:
            words = {"hold": "held", "release": "released", "rollback": "rolled back to", "stop": "stopped"}
            words |= {"pause": "paused", "resume": "resumed", "step": "one step"}
            name = "" if kind == "checkpoint" else event.get("name", "")
            return self.tell("note", step, " ".join(filter(None, [words.get(kind, kind), name, who(by)])))
        return None

    def _move(self, event: Mapping[str, Any]) -> None:
        name, by, step = event["name"], event["by"], event["step"]
        if event["outcome"] != "applied":
            if by == "person":
                self.refused[name] = event["outcome"], time.perf_counter()
            return self.tell("refused", step, f"{name}, {who(by) or by}: {event['outcome']}")
        self.paths[name].add(step, event["new"])
        if by == self.trainer.numbers[name].driver:
            return None
        self.refused.pop(name, None)
        return self.tell("note", step, f"{name} {event['old']:.4g} → {event['new']:.4g} {who(by)}")


def state(trainer: Trainer) -> str:
    """What a run is doing, in a word."""
    session = trainer.session
    if session.running:
        return "paused" if session.paused else "training"
    if session.stopped:
        return "stopped"
    if trainer.step >= trainer.target > 0:
        return "done"
    return "interrupted" if trainer.target else "ready"


def who(by: str) -> str:
    return {"person": "by you", "": ""}.get(by, f"by {by}")


def checkpoints(trainer: Trainer) -> list[str]:
    """What a run may be rolled back to: the best, and the steps that are kept."""
    best = ["best"] if trainer.checkpoints.find("best").is_file() else []
    return [*best, *(str(step) for step, _ in trainer.checkpoints.by_step())]


def newest_file(trainer: Trainer) -> bytes:
    """The newest PNG among a run's samples; nothing where there is none."""
    found = (trainer.run.folder / "samples").glob("*.png")
    newest: Path | None = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return newest.read_bytes() if newest else b""


def png(shown: Any) -> bytes:
    """Images as one PNG: `[N, C, H, W]` in [-1, 1], an `ImageGrid`, or a PNG as it is."""
    from gannb.figures.grids import image_grid

    if isinstance(shown, bytes):
        return shown
    return shown.png if hasattr(shown, "png") else image_grid(shown, columns=8).png
