"""The helm: commands are taken at a step boundary, written ahead, and applied; alarms act through it too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gannb import ranks
from gannb.dynamics.alarm import Alarm
from gannb.dynamics.parameter import Move
from gannb.dynamics.steering import Command, Inbox
from gannb.runs.interventions import Interventions
from gannb.training.checkpoint import Checkpoint, CheckpointError
from gannb.training.interrupt import Interrupt, Paused

if TYPE_CHECKING:
    from gannb.training.trainer import Trainer


class Helm:
    """Steers one trainer. Resuming and replaying are the same thing as steering: logged commands that fall due.

    Attributes:
        inbox: where any thread puts commands.
        applied: how many logged commands were applied; saved with every checkpoint, so that resuming goes on there.
        live: whether someone is there who can press "resume"; a pause waits then, and ends the call otherwise.
        running: whether a call of `fit` is at work, so that commands are taken soon.
    """

    def __init__(self, trainer: Trainer, log: Interventions | None) -> None:
        self.trainer, self.log = trainer, log
        self.inbox = Inbox()
        self.applied = 0
        self.live = self.running = self.paused = self.stopped = False
        self._relog = False

    def set_out(self, commands: Iterable[Command], *, relog: bool) -> None:
        """Have logged commands fall due; those of a replay are logged anew, those of a resumed run stand there."""
        self.inbox = Inbox(commands)
        self._relog = relog

    def boundary(self, interrupt: Interrupt) -> bool:
        """Take what is due, wait while paused; False where training is to stop.

        Raises:
            Paused: interrupted, or paused with nobody there to go on.
        """
        self._obey(self.inbox.due(self.trainer.step), log=self._relog)
        single = False
        while True:
            commands, interrupted = self.inbox.live(), interrupt.asked
            if ranks.ranks() > 1:  # everyone must do the same at the same step
                commands, interrupted = ranks.share((commands, interrupted))
            single = self._obey(commands, log=True) or single
            self.look()
            if interrupted:
                self._leave("interrupted")
            if self.stopped or single or not self.paused:
                return not self.stopped
            if not self.live:
                self.paused = False
                self._leave("paused")
            self.inbox.wait(0.05)

    def go_on(self) -> None:
        """Note that a stopped or paused run goes on, so that a replay does not stop there."""
        if self.stopped or self.paused:
            self.stopped = False
            self._obey([Command("resume")], log=True)

    def look(self) -> None:
        """Let everyone who watches have a look."""
        for watch in self.trainer.watchers:
            watch(self.trainer)

    def ring(self, alarm: Alarm, message: str) -> None:
        """Do what an alarm asks for. Not logged ahead: a replay's alarms ring by themselves."""
        trainer = self.trainer
        trainer.run.event("alarm", trainer.step, name=alarm.name, says=message, action=alarm.action)
        if alarm.action == "rollback":
            self._apply(Command("rollback", "best", by=alarm.name))
            for name, factor in alarm.changes.items():
                self._apply(Command("move", name, trainer.numbers[name].value * factor, by=alarm.name))
        elif alarm.action != "note":
            self._apply(Command(alarm.action, by=alarm.name))

    def _obey(self, commands: Sequence[Command], *, log: bool) -> bool:
        """Apply commands in their order; says whether a single step was asked for."""
        single = False
        for asked in commands:
            command = replace(asked, step=self.trainer.step)
            if log and self.log is not None:
                self.log.write(command)
            self.applied += 1
            self._apply(command)
            single = single or (command.do == "step" and self.paused)
        return single

    def _apply(self, command: Command) -> None:
        match command.do:
            case "move":
                return self._move(command)
            case "rollback":
                return self._roll_back(command)
            case "hold" | "release":
                if command.name not in self.trainer.numbers.parameters:
                    return self._tell(command, f"refused: no number is called {command.name!r}")
                self.trainer.numbers[command.name].held = command.do == "hold"
            case "pause" | "resume":
                self.paused = command.do == "pause"
            case "stop":
                self.stopped = True
            case "checkpoint":
                self.trainer.checkpoint()
        return self._tell(command, "applied")

    def _move(self, command: Command) -> None:
        numbers, step = self.trainer.numbers, self.trainer.step
        if command.name not in numbers.parameters:
            return self._tell(command, f"refused: no number is called {command.name!r}")
        move = numbers.move(step, command.name, command.value, command.by)
        if move.applied and command.by == "person":
            numbers[command.name].held = True
        return self.trainer.tell(move)

    def _roll_back(self, command: Command) -> None:
        """Take a checkpoint's weights back. The step goes on, so that a log stays one line through time."""
        trainer = self.trainer
        try:
            checkpoint = Checkpoint.read(trainer.checkpoints.find(command.name or "best"))
            checkpoint.copy_into(trainer.tensors())
        except CheckpointError as error:
            return self._tell(command, f"refused: {error}")
        for name, player in trainer.players.items():
            player.load_state_dict(checkpoint.state["players"][name])
        self._tell(command, "applied", to=checkpoint.state["step"])
        trainer.checkpoint()
        return None

    def _tell(self, command: Command, outcome: str, **more: object) -> None:
        if command.do == "move":
            return self.trainer.tell(
                Move(self.trainer.step, command.name, float("nan"), command.value, command.by, outcome)
            )
        row = {"name": command.name, "by": command.by, "outcome": outcome, **more}
        return self.trainer.run.event(command.do, self.trainer.step, **row)

    def _leave(self, why: str) -> None:
        trainer = self.trainer
        trainer.checkpoint()
        raise Paused(f"{why} at step {trainer.step} (epoch {trainer.epoch}); saved. Run the cell again to go on.")
