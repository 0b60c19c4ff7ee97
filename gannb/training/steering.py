"""The helm: commands are taken at a step boundary, written ahead, and applied; alarms act through it too."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gannb import distributed
from gannb.control.alarms import Alarm
from gannb.control.commands import Command, Inbox
from gannb.control.parameter import Move
from gannb.runs.interventions import Interventions
from gannb.training.checkpoint import Checkpoint, CheckpointError
from gannb.training.interrupt import Interrupt, Paused

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer

TRIES = 3
"""Rollbacks of one alarm to one checkpoint; the next time it pauses, because going back there does not help."""


class Helm:
    """Steers one trainer. Resuming and replaying are the same thing as steering: logged commands that fall due.

    Attributes:
        inbox: where any thread puts commands.
        live: whether someone is there who can press "resume"; a pause waits then, and ends the call otherwise.
        running: whether a call of `fit` is at work, so that commands are taken soon.
        paused, stopped: what a person or an alarm asked for last.
    """

    def __init__(self, trainer: Trainer, log: Interventions | None) -> None:
        self.trainer, self.log = trainer, log
        self.inbox = Inbox()
        self.live = self.running = self.paused = self.stopped = False
        self._ahead: deque[tuple[Command, bool]] = deque()
        self._left = trainer.run.resumed
        self._tries: dict[str, int] = {}

    def plan(self, logged: Iterable[Command] = (), replayed: Iterable[Command] = ()) -> None:
        """Have commands fall due at their steps: those in this run's log, and those of a replay, which are logged anew.

        Commands of one step keep their order.
        """
        planned = [*((c, False) for c in logged), *((c, True) for c in replayed)]
        self._ahead = deque(sorted(planned, key=lambda entry: entry[0].step))

    def boundary(self, interrupt: Interrupt) -> bool:
        """Take what is due, wait while paused; False where training is to stop.

        Raises:
            Paused: interrupted, or paused with nobody there to go on.
        """
        while self._ahead and self._ahead[0][0].step <= self.trainer.step:
            command, relog = self._ahead.popleft()
            self._obey(command, log=relog)
        while True:
            commands, interrupted = self.inbox.take(), interrupt.asked
            if distributed.ranks() > 1:  # everyone must do the same at the same step
                commands, interrupted = distributed.share((commands, interrupted))
            single = sum(self._obey(command) for command in commands)  # all of them are obeyed
            self.look()
            if interrupted:
                self._leave("interrupted")
            if self.stopped or single or not self.paused:
                return not self.stopped
            if not self.live:
                self._leave("paused")
            self.inbox.wait(0.05)

    def go_on(self) -> None:
        """Note that a stopped, paused or resumed run goes on, so that a replay does not end there."""
        if self.stopped or self.paused or self._left:
            self._left = False
            self._obey(Command("resume"))

    def stand(self) -> None:
        """Save where a person ended a call, as a command: a replay then has the same checkpoint to roll back to."""
        self._left = True
        self._obey(Command("checkpoint"))

    def look(self) -> None:
        """Let everyone who watches have a look."""
        for watch in self.trainer.watchers:
            watch(self.trainer)

    def ring(self, alarm: Alarm, message: str) -> bool:
        """Do what an alarm asks for; says whether it rolled back. Not written ahead: a replay's alarms ring too.

        A rollback goes to the best checkpoint; where there is none (yet), to the oldest kept one that is whole and
        finite, since an alarm may ring some time after the fault began, and those after it are given up. Where there
        is nothing to go back to, or going back did not help, the run pauses.
        """
        trainer = self.trainer
        trainer.run.event("alarm", trainer.step, name=alarm.name, says=message, action=alarm.action)
        if alarm.action == "rollback" and self._recover(alarm):
            for name, factor in alarm.changes.items():
                self._apply(Command("move", name, trainer.numbers[name].value * factor, by=alarm.name))
            trainer.checkpoint()
            return True
        if alarm.action != "note":
            self._apply(Command("stop" if alarm.action == "stop" else "pause", by=alarm.name))
        return False

    def state_dict(self) -> dict[str, Any]:
        """How much of the log was seen, and what of it is still ahead."""
        return {
            "seen": len(self.log.commands),
            "ahead": [{**command.row(), "relog": relog} for command, relog in self._ahead],
            "tries": dict(self._tries),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Plan what was ahead, and what was logged since, after a look at what of a replay was logged since."""
        since = distributed.share(self.log.commands[state["seen"] :] if self.log else [])
        ahead = [(row.pop("relog"), Command(**row)) for row in map(dict, state["ahead"])]
        logged = [command for relog, command in ahead if not relog] + since
        self.plan(
            [command for command in logged if command.do not in ("pause", "stop")],
            [command for relog, command in ahead if relog and command not in since],
        )
        self._tries = dict(state["tries"])

    # ---- applying --------------------------------------------------------------------------------------------

    def _obey(self, asked: Command, *, log: bool = True) -> bool:
        """Write a command ahead and apply it; says whether a single step was asked for."""
        command = replace(asked, step=self.trainer.step)
        if log and self.log is not None:
            self.log.write(command)
        self._apply(command)
        return command.do == "step" and self.paused

    def _apply(self, command: Command) -> None:
        match command.do:
            case "move":
                return self._move(command)
            case "rollback":
                return self._roll_back(command)
            case "checkpoint":
                self.trainer.checkpoint(by=command.by)
                return None
            case "hold" | "release":
                if command.name not in self.trainer.numbers.parameters:
                    return self._tell(command, f"refused: no number is called {command.name!r}")
                self.trainer.numbers[command.name].held = command.do == "hold"
            case "pause":
                self.paused = True
            case "stop":
                self.stopped = True
            case "resume":
                self.paused = self.stopped = False
        return self._tell(command, "applied")

    def _move(self, command: Command) -> None:
        numbers, step = self.trainer.numbers, self.trainer.step
        if command.name not in numbers.parameters:
            outcome = f"refused: no number is called {command.name!r}"
            return self.trainer.tell(Move(step, command.name, None, command.value, command.by, outcome))
        move = numbers.move(step, command.name, command.value, command.by)
        if move.applied and command.by == "person":
            numbers[command.name].held = True
        return self.trainer.tell(move)

    def _roll_back(self, command: Command) -> None:
        try:
            step = self.trainer.go_back(Checkpoint.read(self.trainer.checkpoints.find(command.name or "best")))
        except CheckpointError as error:
            return self._tell(command, f"refused: {error}")
        self._tell(command, "applied", to=step)
        self.trainer.checkpoint()
        return None

    def _recover(self, alarm: Alarm) -> bool:
        """Roll back to a good checkpoint, if there is one and it was not tried in vain."""
        trainer, (name, checkpoint) = self.trainer, self._good()
        to = checkpoint.state["step"] if checkpoint else None
        tries = self._tries.get(f"{alarm.name}, {to}", 0)
        command = Command("rollback", name, by=alarm.name)
        if checkpoint is None:
            self._tell(command, "refused: no checkpoint is whole and finite")
            return False
        if tries == TRIES:
            self._tell(command, f"refused: going back to step {to} did not help {TRIES} times")
            return False
        self._tries[f"{alarm.name}, {to}"] = tries + 1
        trainer.go_back(checkpoint)
        self._tell(command, "applied", to=to)
        if name != "best" and trainer.run.writes:
            trainer.checkpoints.give_up_after(to)
        return True

    def _good(self) -> tuple[str, Checkpoint | None]:
        """The best checkpoint, else the oldest kept one that is whole and finite."""
        trainer = self.trainer
        for name, path in [("best", trainer.checkpoints.find("best")), *trainer.checkpoints.by_step()[::-1]]:
            try:
                checkpoint = Checkpoint.read(path)
            except CheckpointError:
                continue  # the next one may be whole; where none is, the rollback is refused in words
            of_this_run = name != "best" or checkpoint.state["step"] == trainer.best.get("step")
            if of_this_run and checkpoint.finite:
                return str(name), checkpoint
        return "best", None

    def _tell(self, command: Command, outcome: str, **more: object) -> None:
        row = {"name": command.name, "by": command.by, "outcome": outcome, **more}
        self.trainer.run.event(command.do, self.trainer.step, **row)

    def _leave(self, why: str) -> None:
        trainer = self.trainer
        self.stand()
        raise Paused(f"{why} at step {trainer.step} (epoch {trainer.epoch}); saved. Run the cell again to go on.")
