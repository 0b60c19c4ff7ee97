"""A session: how a run starts, and how commands and alarms steer it at step boundaries."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gannb import distributed
from gannb.control.alarms import Alarm
from gannb.control.commands import Command, Inbox
from gannb.control.parameter import Move
from gannb.control.stateful import Stateful
from gannb.runs.folder import OPENED
from gannb.runs.interventions import Interventions
from gannb.training import origin, transfer
from gannb.training.checkpoint import Checkpoint, CheckpointError
from gannb.training.interrupt import Interrupt, Paused
from gannb.training.state import TrainingState

TRIES = 3
"""Rollbacks of one alarm to one checkpoint; the next time it pauses, because going back there does not help."""


class Session(Stateful):
    """Steers one trainer. Resuming and replaying are the same thing as steering: logged commands that fall due.

    Attributes:
        inbox: where any thread puts commands.
        log: the run's write-ahead log, once the session has started; None on ranks that write nothing.
        live: whether someone is there who can press "resume"; a pause waits then, and ends the call otherwise.
        waiting: whether the first step waits for a person's start; only where someone is there.
        running: whether a call of `fit` is at work, so that commands are taken soon.
        paused, stopped: what a person or an alarm asked for last.
    """

    def __init__(self, state: TrainingState) -> None:
        self.state, self.inbox = state, Inbox()
        self.log: Interventions | None = None
        self.live = self.waiting = self.running = self.paused = self.stopped = False
        self._started = False
        self._planned: deque[tuple[Command, bool]] = deque()
        self._interrupted = state.run.resumed
        self._tries: dict[str, int] = {}

    def start(self) -> None:
        """Bring the run to where its parameters say: fresh, resumed, branched or replaying. Later calls do nothing.

        Raises:
            RunError: no whole checkpoint, other data, a log of another run, nothing to branch from.
            CheckpointError: a checkpoint of another layout or of other networks.
        """
        if self._started:
            return
        state, run, params = self.state, self.state.run, self.state.run.params
        fresh = distributed.share(not run.resumed or not state.checkpoints.by_step())
        if fresh and run.resumed:
            run.cut(0, OPENED)  # it was killed before its first checkpoint was on disk
        if params.branch and fresh:
            origin.branch(state, params.branch)
        if params.init_from and fresh:
            transfer.initialise(state)
        header = origin.header(state)
        replayed = []
        if params.replay and fresh:  # a resumed replay goes on by itself
            replayed = origin.commands_to_replay(run, Path(params.replay).expanduser(), header)
        self.log = Interventions(run.path("interventions.yaml"), header) if run.writes else None
        checkpoint, faults = origin.newest(state, self.log, header) if run.resumed else (None, [])
        if checkpoint:
            state.load(checkpoint)
            run.cut(state.step, checkpoint.state["seq"])
            if run.seq < checkpoint.state["seq"]:
                run.event("checkpoint", state.step)
            self.load_state_dict(checkpoint.state["session"])
            run.event("resumed", state.step, faults=faults)
        else:  # from the first step on there is something to resume, to roll back to, to branch from
            self.plan(replayed=replayed)
            state.checkpoint()
        self._started = True

    def plan(self, logged: Iterable[Command] = (), replayed: Iterable[Command] = ()) -> None:
        """Have more commands fall due at their steps; commands of one step keep their order.

        Args:
            logged: commands that stand in this run's log.
            replayed: commands of a replay, which are logged when they fall due.
        """
        planned = [*self._planned, *((c, False) for c in logged), *((c, True) for c in replayed)]
        self._planned = deque(sorted(planned, key=lambda entry: entry[0].step))

    def boundary(self, interrupt: Interrupt) -> bool:
        """Execute what is due, wait while paused; False where training is to stop.

        Raises:
            Paused: interrupted, or paused with nobody there to go on.
        """
        while self._planned and self._planned[0][0].step <= self.state.step:
            command, relog = self._planned.popleft()
            self.execute(command, log=relog)
        while True:
            commands, interrupted = self.inbox.take(), interrupt.received
            if distributed.ranks() > 1:  # everyone must do the same at the same step
                commands, interrupted = distributed.share((commands, interrupted))
            single = sum(self.execute(command) for command in commands)  # all of them are executed
            self.notify()
            if interrupted:
                self._end_call(interrupted)
            if not self.live:
                self.waiting = False
            if self.stopped or single or not (self.paused or self.waiting):
                return not self.stopped
            if not self.live:
                self._end_call("paused")
            self.inbox.wait(0.05)

    def resume(self) -> None:
        """Log that a stopped, paused or resumed run goes on, so that a replay does not end there."""
        if self.stopped or self.paused or self._interrupted:
            self._interrupted = False
            self.execute(Command("resume"))

    def log_checkpoint(self, why: str) -> None:
        """Save where a person ended a call, as a command: a replay then has the same checkpoint to roll back to."""
        self._interrupted = True
        self.execute(Command("checkpoint", by=why))

    def notify(self) -> None:
        """Call every watcher."""
        for watch in self.state.watchers:
            watch(self.state)

    def execute(self, command: Command, *, log: bool = True) -> bool:
        """Write a command ahead (unless `log` is off) and apply it; says whether a single step was asked for."""
        command = replace(command, step=self.state.step)
        if log and self.log is not None:
            self.log.write(command)
        self._apply(command)
        return command.do == "step" and self.paused

    def handle_alarm(self, alarm: Alarm, message: str) -> bool:
        """Do what an alarm asks for; says whether it rolled back. Not written ahead: a replay has its own alarms.

        A rollback goes to the best checkpoint; where there is none (yet), to the oldest kept one that is whole and
        finite, since an alarm may come some time after the fault began, and those after it are removed. Where there
        is nothing to go back to, or going back did not help, the run pauses.
        """
        state = self.state
        state.run.event("alarm", state.step, name=alarm.name, says=message, action=alarm.action)
        if alarm.action == "rollback" and self._recover(alarm):
            for name, factor in (alarm.changes or {}).items():
                self._apply(Command("move", name, state.numbers[name].value * factor, by=alarm.name))
            state.checkpoint()
            return True
        if alarm.action != "note":
            self._apply(Command("stop" if alarm.action == "stop" else "pause", by=alarm.name))
        return False

    def state_dict(self) -> dict[str, Any]:
        """How much of the log was seen, what is still planned, and the alarms' rollbacks."""
        return {
            "seen": len(self.log.commands) if self.log else 0,
            "ahead": [{**command.row(), "relog": relog} for command, relog in self._planned],
            "tries": dict(self._tries),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Plan what was ahead, without what a replay has logged since, and what was logged since."""
        since = distributed.share(self.log.commands[state["seen"] :] if self.log else [])
        ahead = [(row.pop("relog"), Command(**row)) for row in map(dict, state["ahead"])]
        logged = [command for relog, command in ahead if not relog] + since
        self._planned.clear()
        self.plan(
            [command for command in logged if command.do not in ("pause", "stop")],
            [command for relog, command in ahead if relog and command not in since],
        )
        self._tries = dict(state["tries"])

    # ---- applying --------------------------------------------------------------------------------------------

    def _apply(self, command: Command) -> None:
        match command.do:
            case "move":
                return self._move(command)
            case "rollback":
                return self._roll_back(command)
            case "checkpoint":
                return self._checkpoint(command)
            case "delete":
                return self._delete(command)
            case "hold" | "release":
                if command.name not in self.state.numbers.parameters:
                    return self._log(command, f"refused: no number is called {command.name!r}")
                self.state.numbers[command.name].held = command.do == "hold"
            case "pause":
                self.paused = True
            case "stop":
                self.stopped = True
            case "resume":
                self.paused = self.stopped = False
        return self._log(command, "applied")

    def _move(self, command: Command) -> None:
        numbers, step, value = self.state.numbers, self.state.step, float(command.value or 0.0)
        if command.name not in numbers.parameters:
            outcome = f"refused: no number is called {command.name!r}"
            return self.state.log_move(Move(step, command.name, None, value, command.by, outcome))
        move = numbers.move(step, command.name, value, command.by)
        if move.applied and command.by == "person":
            numbers[command.name].held = True
        return self.state.log_move(move)

    def _checkpoint(self, command: Command) -> None:
        """A person's checkpoint is kept by its name; another one is one of the last two."""
        name = command.name or (f"kept-{self.state.step}" if command.by == "person" else "")
        try:
            self.state.checkpoint(name, by=command.by)
        except CheckpointError as error:
            self._log(command, f"refused: {error}")

    def _delete(self, command: Command) -> None:
        """Delete a person's checkpoint, unless a resume or a replay still goes back to it."""
        state, name = self.state, command.name
        resumed = min((step for step, _ in state.checkpoints.by_step()), default=0)
        ahead = [c for c in self.log.commands if c.step > resumed] if self.log else []
        ahead += [planned for planned, _ in self._planned]
        if any((c.do, c.name) == ("rollback", name) for c in ahead):
            return self._log(command, "refused: resuming may still roll back to it; delete it two checkpoints later")
        try:
            if state.run.writes:
                state.checkpoints.delete_named(name)
        except CheckpointError as error:
            return self._log(command, f"refused: {error}")
        return self._log(command, "applied")

    def _roll_back(self, command: Command) -> None:
        try:
            step = self.state.restore(Checkpoint.read(self.state.checkpoints.find(command.name or "best")))
        except CheckpointError as error:
            return self._log(command, f"refused: {error}")
        self._log(command, "applied", to=step)
        self.state.checkpoint()
        return None

    def _recover(self, alarm: Alarm) -> bool:
        """Roll back to a good checkpoint, if there is one and it was not tried in vain."""
        state, (name, checkpoint) = self.state, self._good_checkpoint()
        command = Command("rollback", name, by=alarm.name)
        if checkpoint is None:
            self._log(command, "refused: no checkpoint is whole and finite")
            return False
        to = checkpoint.state["step"]
        tries = self._tries.get(f"{alarm.name}, {to}", 0)
        if tries == TRIES:
            self._log(command, f"refused: going back to step {to} did not help {TRIES} times")
            return False
        self._tries[f"{alarm.name}, {to}"] = tries + 1
        state.restore(checkpoint)
        self._log(command, "applied", to=to)
        if name != "best" and state.run.writes:
            state.checkpoints.remove_after(to)
        return True

    def _good_checkpoint(self) -> tuple[str, Checkpoint | None]:
        """The best checkpoint, else the oldest kept one that is whole and finite."""
        state = self.state
        for name, path in [("best", state.checkpoints.find("best")), *state.checkpoints.by_step()[::-1]]:
            try:
                checkpoint = Checkpoint.read(path)
            except CheckpointError:
                continue  # the next one may be whole; where none is, the rollback is refused in words
            of_this_run = name != "best" or checkpoint.state["step"] == state.best.get("step")
            if of_this_run and checkpoint.finite:
                return str(name), checkpoint
        return "best", None

    def _log(self, command: Command, outcome: str, **more: object) -> None:
        row = {"name": command.name, "by": command.by, "outcome": outcome, **more}
        self.state.run.event(command.do, self.state.step, **row)

    def _end_call(self, why: str) -> None:
        state = self.state
        self.log_checkpoint(why)
        raise Paused(f"{why} at step {state.step} (epoch {state.epoch}); saved. Run the cell again to go on.")
