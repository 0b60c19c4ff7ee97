"""The live view of a run: sliders, curves, newest samples and alarms beside the cell that trains.

It reads what the run writes (`metrics.jsonl`, `events.jsonl`) and the current numbers; it steers only through the
session's inbox. Where nobody watches, under papermill and nbval, it is absent.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gannb.training.trainer import Trainer
from gannb.widgets import controls, frontend, message_priority
from gannb.widgets.run_log import RunLog

if TYPE_CHECKING:
    from gannb.widgets.panel import Panel

REFRESH = 0.2
"""Seconds between two refreshes, at least."""
SHARE = 0.005
"""The share of the time that refreshes may take, and new samples as much again."""
NO_ANSWER_AFTER = 3.0
"""Seconds of training without an answer from the page until a notice says that clicks do not arrive."""

Samples = Callable[[Trainer], Any]


def live(trainer: Trainer, samples: Samples | None = None) -> None:
    """Show sliders, curves, newest samples and alarms of a run, where a person watches; do nothing elsewhere.

    Args:
        trainer: whose numbers may be moved while it trains.
        samples: gets the trainer, returns images `[N, C, H, W]` in [-1, 1], an `ImageGrid`, or a PNG. It is called
            now and then between two steps and must leave the players as they are: `trainer.ema("G")` is a copy.
            By default the newest PNG in the run's `samples/` is shown.
    """
    if not frontend.is_interactive(trainer.run.params.live):
        return
    from IPython import get_ipython
    from IPython.display import display

    for old in [w for w in trainer.watchers if isinstance(w, LiveView)]:  # of an earlier run of the cell
        trainer.watchers.remove(old)
        old.panel.close()
    view = LiveView(trainer, samples)
    if frontend.in_kernel() and message_priority.install(get_ipython().kernel):
        message_priority.prioritise(view.panel.model_id)
    trainer.watchers.append(view)
    display(view.panel)


class RateLimit:
    """Limits how often something is done.

    Its cost is the least of the last five times, because other processes may have delayed the rest. The first time,
    when much is loaded, does not count.

    Args:
        shortest: seconds between two times, at least.
        share: of the time that it may take, at most.
    """

    def __init__(self, shortest: float, share: float) -> None:
        self.shortest, self.share = shortest, share
        self.next = 0.0
        self._first = True
        self._took: deque[float] = deque(maxlen=5)

    def did(self, began: float, ended: float) -> None:
        """Note that it was done between these times."""
        if self._first:
            self._first, self.next = False, ended + self.shortest
            return
        self._took.append(ended - began)
        self.next = ended + max(self.shortest, min(self._took) / self.share)


class Throughput:
    """Steps per second of wall-clock time, over about the last two seconds of training."""

    def __init__(self) -> None:
        self._step, self._at, self._rate = 0, 0.0, 0.0

    def __call__(self, step: int, training: bool) -> float:
        """The rate at a step; time without training does not count."""
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
    """Watches one trainer: `trainer.watchers.append(LiveView(trainer))`; its `panel` is the widget to display.

    Args:
        trainer: the trainer.
        samples: as for `live`.
        version: of ipykernel; the installed one by default.
    """

    def __init__(self, trainer: Trainer, samples: Samples | None = None, version: str | None = None) -> None:
        from gannb.figures.template import COLOURS
        from gannb.widgets.panel import Panel

        self.trainer, self.samples = trainer.start(), samples or newest_file
        self.version = frontend.kernel_version() if version is None else version
        self.run_log = RunLog(trainer)
        self.answered = False
        self._frames, self._pictures = RateLimit(REFRESH, SHARE), RateLimit(2.0, SHARE)
        self._running_since = 0.0
        self._pictured = -1
        self._speed = Throughput()
        trainer.session.live = frontend.delivers_during_cells(self.version)
        inactive = trainer.run.params.inactive()
        self.numbers = [number for number in trainer.numbers.parameters.values() if number.name not in inactive]
        self.panel: Panel = Panel(numbers=[controls.describe(n) for n in self.numbers], colours=list(COLOURS))
        self.panel.on_msg(self._receive)
        self(trainer)

    def __call__(self, trainer: Trainer) -> None:
        """Refresh the panel, if it is time; nothing is refreshed from elsewhere."""
        now = time.perf_counter()
        if now < self._frames.next and trainer.session.running:
            return
        ended = not trainer.session.running and self._pictured != trainer.step  # the last samples, whatever they cost
        if now >= self._pictures.next or ended:
            self._picture()
        began = time.perf_counter()
        self._check_answer(began)
        self.run_log.read(refresh=trainer.session.paused)
        self.panel.frame = self._frame()
        self._frames.did(began, time.perf_counter())

    # ---- from the page, on the thread on which the kernel delivers it ------------------------------------------

    def _receive(self, _panel: Panel, message: Mapping[str, Any], _buffers: Any) -> None:
        if self.trainer.session.running:  # it came while a cell is busy
            self.answered = self.trainer.session.live = True
        if message.get("do") != "hello":
            self.trainer.session.inbox.put(controls.command(message))

    # ---- to the page, on the thread that trains ----------------------------------------------------------------

    def _check_answer(self, now: float) -> None:
        """Where the page does not answer for a while, nobody can press "resume": a pause must not wait for it."""
        session = self.trainer.session
        if not session.running:
            self._running_since = 0.0
        elif not self._running_since:
            self._running_since = now
        elif not self.answered and now - self._running_since > NO_ANSWER_AFTER:
            session.live = False

    def _frame(self) -> dict[str, Any]:
        trainer, session = self.trainer, self.trainer.session
        return {
            "state": state(trainer),
            "running": session.running,
            "answered": self.answered,
            "notice": "" if session.live else frontend.notice(self.version),
            "step": trainer.step,
            "target": trainer.target,
            "epoch": round(trainer.step / trainer.batches.per_epoch, 2),
            "pictured": self._pictured,
            "rate": self._speed(trainer.step, session.running and not session.paused),
            "numbers": [controls.current(number) for number in self.numbers],
            **self.run_log.packed(),
        }

    def _picture(self) -> None:
        """Draw samples; an error there is shown and does not stop training."""
        began, self._pictured = time.perf_counter(), self.trainer.step
        try:
            with torch.no_grad():
                self.panel.samples = png(self.samples(self.trainer))
        except Exception as error:
            self.run_log.add("alarm", self.trainer.step, f"samples: {type(error).__name__}: {error}")
            self.samples = newest_file
        self._pictures.did(began, time.perf_counter())


def newest_file(trainer: Trainer) -> bytes:
    """The newest PNG among a run's samples; nothing where there is none."""
    found = (trainer.run.folder / "samples").glob("*.png")
    newest: Path | None = max(found, key=lambda path: path.stat().st_mtime, default=None)
    return newest.read_bytes() if newest else b""


def png(shown: Any) -> bytes:
    """One PNG of images `[N, C, H, W]` in [-1, 1] or of an `ImageGrid`; a PNG is returned as it is."""
    from gannb.figures.grids import image_grid

    if isinstance(shown, bytes):
        return shown
    return shown.png if hasattr(shown, "png") else image_grid(shown, columns=8).png


def state(trainer: Trainer) -> str:
    """The state of a run, in a word."""
    session = trainer.session
    if session.running:
        return "paused" if session.paused else "training"
    if session.stopped:
        return "stopped"
    if trainer.step >= trainer.target > 0:
        return "done"
    return "interrupted" if trainer.target else "ready"
