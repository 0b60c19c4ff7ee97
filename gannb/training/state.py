"""What a run is at a step boundary: all that a checkpoint saves, and that loading and rolling back bring back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from gannb import distributed
from gannb.control.alarms import Alarm
from gannb.control.numbers import Numbers
from gannb.control.parameter import Move
from gannb.control.stateful import Stateful
from gannb.runs.folder import Run
from gannb.training.checkpoint import Checkpoint, CheckpointError, Checkpoints, digest
from gannb.training.player import Player
from gannb.training.recorder import Recorder


class TrainingState:
    """Players, numbers, alarms and records of a run at a step boundary.

    Args:
        players: the networks that learn, with their optimisers.
        batches: the data; its digest is part of the run.
        numbers: the numbers that may move.
        run: the folder that everything is written to.
        alarms: what watches the recorded rows.

    Attributes:
        step: steps done.
        seconds: wall-clock time of the steps.
        processor_seconds: processor time of all threads in them.
        best: the lowest score so far and its step.
        watchers: called with the trainer at every step boundary, and when `fit` ends; they must be quick and only look.
    """

    session: Stateful

    def __init__(
        self, players: Sequence[Player], batches: Any, numbers: Numbers, run: Run, alarms: Sequence[Alarm]
    ) -> None:
        _check_unique("players", [player.name for player in players])
        _check_unique("alarms", [alarm.name for alarm in alarms])
        self.players = {player.name: player for player in players}
        self.batches, self.numbers, self.run, self.device = batches, numbers, run, run.device
        self.alarms = list(alarms)
        self.step, self.seconds, self.processor_seconds = 0, 0.0, 0.0
        self.best: dict[str, Any] = {}
        self.recorder = Recorder(run)
        self.checkpoints = Checkpoints(run.folder / "checkpoints")
        self.watchers: list[Callable[[Any], None]] = []
        self._saved_alarms: dict[str, Any] | None = None  # of a loaded checkpoint, until the next `fit`
        self._alarms_may_differ = False

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.step // self.batches.per_epoch

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the players, of any shape, by name: one list for saving, hashing and loading."""
        return {f"{n}/{k}": v for n, player in self.players.items() for k, v in player.tensors().items()}

    def weights(self) -> str:
        """SHA-256 of the players: weights, averages, optimiser moments."""
        return digest(self.tensors())

    def log_move(self, move: Move) -> None:
        """Write a move to the run's events."""
        self.run.event("move", move.step, name=move.name, old=move.old, new=move.new, by=move.by, outcome=move.outcome)

    def checkpoint(self, name: str = "", *, by: str = "") -> Path | None:
        """Write a checkpoint of this step boundary, then its event; None on ranks that write nothing.

        A kill between the two leaves a checkpoint that `start` adds the event of; no event is without its checkpoint.

        Args:
            name: keeps it until a person deletes it. Without a name it goes when two newer ones are there.
            by: who asked for it; empty: nobody.

        Raises:
            CheckpointError: a name that no file can have, or that a checkpoint of another step has.
        """
        if name and (fault := distributed.share(self.checkpoints.fault(name, self.step))):
            raise CheckpointError(fault)
        self.recorder.write()
        path = None
        if self.run.writes:
            saved = self.save(self.run.seq + 1)
            if name:  # first: after a kill, the command that is in the log makes it again
                self.checkpoints.write_named(saved, name)
            path = self.checkpoints.write(saved, self.step)
        self.run.event("checkpoint", self.step, **{k: v for k, v in (("name", name), ("by", by)) if v})
        return path

    def save(self, seq: int | None = None) -> Checkpoint:
        """All that is needed to go on from this step boundary; `seq` is the number of the checkpoint's own event."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "processor_seconds": self.processor_seconds,
            "seq": self.run.seq if seq is None else seq,
            "session": self.session.state_dict(),
            "best": self.best,
            "recorder": self.recorder.state_dict(),
            "numbers": self.numbers.state_dict(),
            "players": {name: player.state_dict() for name, player in self.players.items()},
            "alarms": {alarm.name: alarm.state_dict() for alarm in self.alarms} | (self._saved_alarms or {}),
        }
        return Checkpoint(self.tensors(), state)

    def load(self, checkpoint: Checkpoint, *, strict: bool = True) -> None:
        """Go to a checkpoint's step boundary.

        Alarms may still be added until the next `fit`, which gives them their saved states.

        Args:
            checkpoint: of the same players.
            strict: refuse other drivers and other alarms than the checkpoint's.
        """
        state = self._load_players(checkpoint)
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.processor_seconds = state["processor_seconds"]
        self.recorder.load_state_dict(state["recorder"])
        self.numbers.load_state_dict(state["numbers"], strict=strict)
        self._saved_alarms, self._alarms_may_differ = state["alarms"], not strict

    def restore(self, checkpoint: Checkpoint) -> int:
        """Roll the players, drivers and alarms back to a checkpoint; returns its step.

        The step and the numbers stay, so that a log stays one line through time, and what changed them holds.
        """
        state = self._load_players(checkpoint)
        self._load_alarms(state["alarms"])
        self.numbers.load_drivers(state["numbers"])
        self.recorder.reset(state["recorder"]["last"])
        distributed.share(None)  # all have read it before it may be removed
        return state["step"]

    def _load_players(self, checkpoint: Checkpoint) -> dict[str, Any]:
        checkpoint.copy_into(self.tensors())
        for name, player in self.players.items():
            player.load_state_dict(checkpoint.state["players"][name])
        return checkpoint.state

    def _load_saved_alarms(self) -> None:
        """Give the alarms their states of the checkpoint that was loaded."""
        if self._saved_alarms is None:
            return
        now = [alarm.name for alarm in self.alarms]
        if (lacking := sorted(self._saved_alarms.keys() - now)) and not self._alarms_may_differ:
            raise CheckpointError(
                f"the run had the alarms {', '.join(lacking)} too, this trainer has {', '.join(now) or 'none'}: "
                "give it the same, or branch from the checkpoint"
            )
        self._load_alarms(self._saved_alarms)
        self._saved_alarms = None

    def _load_alarms(self, states: dict[str, Any]) -> None:
        for alarm in self.alarms:
            if alarm.name in states:
                alarm.load_state_dict(states[alarm.name])


def _check_unique(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f"{what} need names of their own; given twice: {', '.join(twice)}")
