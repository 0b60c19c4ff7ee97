"""The live view of a run: sliders, curves, newest samples and alarms below the cell that trains.

It reads what the run writes (`metrics.jsonl`, `events.jsonl`) and the current numbers; it steers only through the
session's inbox. Where nobody watches, under papermill and nbval, it is absent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from gannb.control.commands import Command
from gannb.training.interrupt import Paused
from gannb.training.trainer import Trainer
from gannb.widgets import controls, frontend
from gannb.widgets.clock import Clock, RateLimit
from gannb.widgets.picture import NewestFile, packed
from gannb.widgets.run_log import RunLog

if TYPE_CHECKING:
    from gannb.widgets.panel import Panel

REFRESH = 0.2
"""Seconds between two refreshes, at least."""
SHARE, PICTURE_SHARE = 0.005, 0.007
"""The shares of the time that refreshes and pictures of samples may take."""
NO_ANSWER_AFTER, NO_START_AFTER = 3.0, 15.0
"""Seconds without an answer from the page until a notice says that clicks do not arrive; before the start, more."""

Samples = Callable[[Trainer], Any]


def live(trainer: Trainer, samples: Samples | None = None, *, lasting: float = 0.0) -> None:
    """Show sliders, curves, newest samples and alarms where a person watches; do nothing elsewhere.

    The panel appears below the cell that calls `fit`, which waits for the person to press Start.

    Args:
        trainer: whose numbers may be moved while it trains.
        samples: gets the trainer, returns images `[N, C, H, W]` in [-1, 1], an `ImageGrid`, a PNG, a `Profile`, or
            what shows itself as HTML. It is called now and then between two steps and must leave the players as they
            are: `trainer.ema("G")` is a copy. By default the newest PNG in the run's `samples/` is shown.
        lasting: seconds that the run takes at least, so that there is time to steer it; the panel offers other speeds.
    """
    if not frontend.is_interactive(trainer.run.params.live):
        return
    for old in [w for w in trainer.watchers if isinstance(w, LiveView)]:  # of an earlier run of the cell
        trainer.watchers.remove(old)
        old.panel.close()
    view = LiveView(trainer, samples, lasting=lasting)
    frontend.prioritise(view.panel)
    trainer.session.waiting = True
    trainer.watchers.append(view)


class LiveView:
    """Watches one trainer: `trainer.watchers.append(LiveView(trainer))`; its `panel` is the widget to display.

    Args:
        trainer: the trainer.
        samples: as for `live`.
        version: of ipykernel; the installed one by default.
        lasting: as for `live`.
    """

    def __init__(
        self, trainer: Trainer, samples: Samples | None = None, version: str | None = None, lasting: float = 0.0
    ) -> None:
        from gannb.figures.template import COLOURS
        from gannb.widgets.panel import Panel

        self.trainer, self.samples, self.newest_file = trainer.start(), samples, NewestFile()
        self.version = frontend.kernel_version() if version is None else version
        self.run_log, self.clock, self.lasting = RunLog(trainer), Clock(), lasting
        self.answered = False
        self._frames, self._pictures = RateLimit(REFRESH, SHARE), RateLimit(1.0, PICTURE_SHARE)
        self._running_since = self._stepped_at = 0.0
        self._step = self._pictured = -1
        self._placed = False
        trainer.session.live = frontend.delivers_during_cells(self.version)
        inactive = trainer.run.params.inactive()
        self.numbers = [number for number in trainer.numbers.parameters.values() if number.name not in inactive]
        self.panel: Panel = Panel(numbers=[controls.describe(n) for n in self.numbers], colours=list(COLOURS))
        self.panel.on_msg(self._receive)
        self(trainer)

    def __call__(self, trainer: Trainer) -> None:
        """Place the panel below the cell that trains, refresh it if it is time, and keep to the speed allowed."""
        running = trainer.session.running
        if running and not self._placed:
            frontend.display(self.panel)
            if self.lasting:
                self.clock.limit, self.lasting = (trainer.target - trainer.step) / self.lasting, 0.0
        self._placed = running
        self._refresh(trainer)
        if self.clock.limit and running and not trainer.session.paused and trainer.step != self._step:
            self._keep_to_limit(trainer)
        self._step = trainer.step

    def _refresh(self, trainer: Trainer) -> None:
        session, now = trainer.session, time.perf_counter()
        held = session.paused or session.waiting  # then a refresh delays no step
        limit = self._frames.earliest if held else self._frames.next
        if now < limit and session.running and state(trainer) == self.panel.frame.get("state"):
            return
        due = now >= self._pictures.next or not session.running  # the last samples, whatever they cost
        if due and self._pictured != trainer.step:
            self._picture()
        began = time.perf_counter()
        self._check_answer(began)
        self.clock.tick(trainer.step, session.running and not (session.paused or session.waiting))
        self.run_log.read(refresh=session.paused)
        self.panel.frame = self._frame()
        self._frames.did(began, time.perf_counter())

    def _keep_to_limit(self, trainer: Trainer) -> None:
        """Wait until the next step is due, or somebody asks for something."""
        due = self._stepped_at + 1 / self.clock.limit
        while (left := due - time.perf_counter()) > 0 and self.clock.limit:
            if trainer.session.inbox.wait(min(left, REFRESH)):
                break
            self._refresh(trainer)
        self._stepped_at = max(due, time.perf_counter() - REFRESH)  # a short delay is made up for

    # ---- from the page, on the thread on which the kernel delivers it ------------------------------------------

    def _receive(self, _panel: Panel, message: Mapping[str, Any], _buffers: Any) -> None:
        session, do = self.trainer.session, message.get("do")
        if session.running:  # it came while a cell is busy
            self.answered = session.live = True
        if do == "start":
            session.waiting = False
        elif do == "limit":
            self.clock.limit = float(message["value"])
        elif do == "resume" and not session.running:
            frontend.run_between_cells(self._go_on)
        elif do == "delete" and not session.running:
            frontend.run_between_cells(lambda: self._delete(controls.command(message)))
        elif do != "hello":
            session.inbox.put(controls.command(message))

    def _delete(self, command: Command) -> None:
        """Delete a checkpoint of a run that does not train, which takes no command from its inbox."""
        self.trainer.session.execute(command)
        self._refresh(self.trainer)

    def _go_on(self) -> None:
        """Train on after an interrupt or a stop, as the cell would if it was run again."""
        self._placed = True  # where it is
        try:
            self.trainer.fit(steps=self.trainer.target, quiet=True)
        except Paused:
            pass  # the panel says so
        except Exception as error:
            self.run_log.add("alarm", self.trainer.step, f"{type(error).__name__}: {error}")
            self._refresh(self.trainer)

    # ---- to the page, on the thread that trains ----------------------------------------------------------------

    def _check_answer(self, now: float) -> None:
        """Where the page does not answer for a while, nobody can press a button: nothing must wait for it."""
        session = self.trainer.session
        if not session.running:
            self._running_since = 0.0
        elif not self._running_since:
            self._running_since = now
        elif not self.answered and now - self._running_since > (NO_START_AFTER if session.waiting else NO_ANSWER_AFTER):
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
            **self.clock.packed(trainer.step, trainer.target),
            "numbers": [controls.current(number) for number in self.numbers],
            **self.run_log.packed(),
        }

    def _picture(self) -> None:
        """Draw samples; an error there is shown and does not stop training."""
        began, self._pictured = time.perf_counter(), self.trainer.step
        try:
            with torch.no_grad():
                shown = self.samples and packed(self.samples(self.trainer), f"step {self.trainer.step}")
            if shown := shown or self.newest_file(self.trainer):
                self.panel.picture = shown
        except Exception as error:
            self.run_log.add("alarm", self.trainer.step, f"samples: {type(error).__name__}: {error}")
            self.samples = None
        self._pictures.did(began, time.perf_counter())


def state(trainer: Trainer) -> str:
    """The state of a run, in a word."""
    session = trainer.session
    if session.running:
        return "ready" if session.waiting else "paused" if session.paused else "training"
    if session.stopped:
        return "stopped"
    if trainer.step >= trainer.target > 0:
        return "done"
    return "interrupted" if trainer.target else "ready"
