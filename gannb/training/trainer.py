"""The trainer: at every step commands are taken, numbers move, players take turns, and what is due is done."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import safetensors.torch
from torch import Tensor, nn

from gannb import distributed
from gannb.control.alarms import Alarm
from gannb.control.numbers import Now, Numbers
from gannb.random import Draws, seeded
from gannb.runs import environment, files
from gannb.runs.folder import Run, RunError
from gannb.training.capture import CapturedTurns
from gannb.training.checkpoint import Checkpoint
from gannb.training.graphs import GraphMemory
from gannb.training.interrupt import Interrupt
from gannb.training.player import Player
from gannb.training.precision import Precision
from gannb.training.progress import Progress
from gannb.training.session import Session
from gannb.training.state import TrainingState
from gannb.training.transfer import scale_rates
from gannb.training.turn import Turn

FILE_NAMES = {"G": "generator", "D": "discriminator", "C": "critic"}
"""How files call the players that losses call by one letter."""


class Trainer(TrainingState):
    """Players that take turns on one stream of batches. One step is one batch.

    Making one reads and writes nothing: `start`, which `fit` calls, starts, resumes, branches or replays the run.

    Args:
        players: who learns; one (a plain network) or more (a GAN).
        batches: `batches[step]`, `batches.per_epoch` and `batches.digest()`.
        numbers: the numbers that may move, with their drivers.
        run: where everything is written; its parameters say whether it is fresh, resumed, branched or a replay.
        turns: who plays at a step, in order, as a function of `(now, step)`; default: every player once.
        precision: "auto", "fp32", "bf16", "fp16", or a `Precision` with its first epoch.
        alarms: what watches the recorded rows, every `record_every` steps.
        checkpoint_every: steps between checkpoints; there is one of the first step in any case.
        record_every: steps between reads of what was logged; every step is recorded.

    Attributes:
        target: steps that the last call of `fit` is to reach.
        session: where commands go in (`trainer.session.inbox.put(Command(…))`).

    Raises:
        ValueError: two players or two alarms of one name.
        RunError: a layer that is to be frozen or slowed down, and is not there.
    """

    session: Session

    def __init__(
        self,
        players: Sequence[Player],
        batches: Any,
        numbers: Numbers,
        run: Run,
        *,
        turns: Callable[[Now, int], Sequence[str]] | None = None,
        precision: Precision | str = "fp32",
        alarms: Sequence[Alarm] = (),
        checkpoint_every: int = 500,
        record_every: int = 10,
    ) -> None:
        super().__init__(players, batches, numbers, run, alarms)
        self.turns = turns or (lambda now, step: list(self.players))
        self.precision = Precision(precision) if isinstance(precision, str) else precision
        self.checkpoint_every, self.record_every = checkpoint_every, record_every
        self.seed, self.target = getattr(run.params, "seed", 0), 0
        self._due: list[tuple[Callable[[int], bool], Callable[[Trainer], Any]]] = []
        self._within: int | None = None
        self._best_is_new = False
        scale_rates(run.params, players)
        self.graphs = GraphMemory(self.device)
        self.captured = {player.name: CapturedTurns(player, self.graphs, self._eager()) for player in players}
        for player in players:
            player.scaler = self.precision.scaler(self.device)
        self.session = Session(self)

    # ---- what a notebook calls -------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start, resume, branch or replay the run, as its parameters say; later calls do nothing.

        `fit` does it too. Called before, it lets one look at a resumed run first.
        """
        self.session.start()
        return self

    def every(self, *, do: Callable[[Trainer], Any], epochs: int | Callable[[int], int] = 0, steps: int = 0) -> None:
        """Do something every so many epochs or steps, after the step.

        Args:
            do: gets the trainer; a mapping of numbers that it returns is recorded. It must leave the players as
                they are: look at them through `ema` and `network`.
            epochs: a number, or a function of the epoch that gives the interval then (an adaptive cadence).
            steps: a number of steps instead.
        """
        if steps:
            self._due.append((lambda step: step % steps == 0, do))
            return
        per = self.batches.per_epoch
        interval = epochs if callable(epochs) else lambda epoch: epochs
        self._due.append((lambda step: step % per == 0 and (step // per) % interval(step // per) == 0, do))

    def fit(self, *, epochs: int = 0, steps: int = 0, quiet: bool = False) -> None:
        """Train until so many epochs or steps are done in all; called again, it goes on where it was.

        Args:
            epochs: how many in all; this or `steps`.
            steps: how many in all.
            quiet: print nothing, as for one of many short trainings.

        Raises:
            Paused: the kernel was interrupted, or the run was paused with nobody there to go on. It is saved, and
                the same call goes on.
            CheckpointError: the resumed run had alarms that this trainer has not.
            RunError: a file could not be written, such as on a full disk; or a step failed half way before, so that
                the checkpoints are whole, but the players here are not.
        """
        if self._within is not None:
            raise RunError(
                f"step {self._within} failed half way, so the networks here stand between two steps; "
                f"go on from the newest checkpoint: open the run again with resume={self.run.folder.name!r}"
            )
        self.target = steps or epochs * self.batches.per_epoch
        try:
            self._fit(quiet)
        except BaseException as error:
            self.run.trackers.close()  # whoever goes on, maybe in another process, opens the same run there
            if not isinstance(error, files.WriteError):
                raise
            folder = self.run.folder
            raise RunError(
                f"{error}; when there is room again, go on with resume={str(folder)!r}, "
                f"or `gannb run {self.run.params.name} --resume {folder}`"
            ) from error

    def _fit(self, quiet: bool) -> None:
        self.start()._load_saved_alarms()
        self.session.resume()
        self.session.running = True
        shown = quiet or self.session.live
        progress = Progress(self.step, self.target, self.batches.per_epoch, device=self.device, quiet=shown)
        with Interrupt() as interrupt:
            try:
                while self.session.boundary(interrupt) and self.step < self.target:
                    self.advance()
                    progress(self.step)
            finally:
                progress.close(self.step)
                self.recorder.write()
                self.session.running = False
                self.session.notify()
        self.session.log_checkpoint("stopped") if self.session.stopped else self.checkpoint()
        if not quiet:
            print(f"{'stopped' if self.session.stopped else 'done'} at step {self.step} (epoch {self.epoch})")

    def advance(self) -> None:
        """One step: numbers move, players take turns, the step is recorded, and what is due is done."""
        self.start()
        began, worked, self._within = time.perf_counter(), time.process_time(), self.step
        for move in self.numbers.advance(self.step, self.recorder.last):
            self.log_move(move)
        now, batch = self.numbers.now(self.device), self.batches[self.step]
        logged: dict[str, Tensor | float] = {}
        for index, who in enumerate(self.turns(now, self.step)):
            logged |= self._play(who, index, batch, now)
        self.step += 1
        self.recorder.add(self.step, logged)
        if self.numbers.reads:
            self.recorder.read()
        for due, do in self._due:
            if due(self.step) and isinstance(values := do(self), dict):
                self.recorder.note(self.step, distributed.share(values))
        if self.step % self.record_every == 0:
            self._update_alarms()
        self.seconds += time.perf_counter() - began
        self.processor_seconds += time.process_time() - worked
        if self._best_is_new or (self.checkpoint_every and self.step % self.checkpoint_every == 0):
            self.checkpoint()
        self._within, self._best_is_new = None, False

    def network(self, name: str) -> nn.Module:
        """A copy of a player's network to look at: eval mode, frozen. The player stays untouched."""
        return _copy(self.players[name].module)

    def ema(self, name: str) -> nn.Module:
        """A copy of a player's averaged network, or of the network where no average is kept."""
        player = self.players[name]
        return _copy(player.average if player.average is not None else player.module)

    def best_network(self, name: str) -> nn.Module:
        """A copy of a player's averaged network at its best score so far; as it is now where no score was kept."""
        network = self.ema(name)
        if not self.best:
            return network
        kept = "average" if self.players[name].average is not None else "module"
        network.load_state_dict(Checkpoint.read(self.checkpoints.find("best")).part(f"{name}/{kept}/"))
        return network

    def keep_best(self, name: str, value: float, protocol: dict[str, Any] | None = None) -> bool:
        """Keep this step's networks if a score is the lowest so far; returns whether it was.

        Writes `checkpoints/best.safetensors` (to roll back to, or branch from), each player's network as
        `<player>_best_<name>.safetensors`, and `best_<name>.json` with epoch, score and protocol. A score that is NaN
        is never the best. To be called by what `every` does; an ordinary checkpoint follows at the end of the step,
        so that a resumed run never starts before its best.

        Args:
            name: of the score, part of the files' names.
            value: the score; lower is better.
            protocol: how it was measured, as JSON values.
        """
        self.start()
        value = distributed.share(value)
        if not value < self.best.get("value", math.inf):
            return False
        self.recorder.write()
        self._best_is_new = True
        self.best = {"name": name, "value": value, "step": self.step, "epoch": self.epoch, "protocol": protocol or {}}
        if self.run.writes:
            folder = self.checkpoints.folder
            self.save().write(folder / "best.safetensors")
            for player in self.players.values():
                network = {k: v.cpu().contiguous() for k, v in self.ema(player.name).state_dict().items()}
                path = folder / f"{FILE_NAMES.get(player.name, player.name)}_best_{name}.safetensors"
                files.write_bytes(path, safetensors.torch.save(network))
            files.write_json(folder / f"best_{name}.json", self.best)
        return True

    def finish(self, scores: Any = None) -> dict[str, Any]:
        """Write the run's `summary.json`: steps, speed, memory, weights, and the scores."""
        return self.run.summarise(
            epochs=self.epoch,
            steps=self.step,
            seconds=round(self.seconds, 3),
            steps_per_second=round(self.step / self.seconds, 3) if self.seconds else None,
            peak_memory_bytes=environment.peak_memory(self.device),
            weights_sha256=self.weights(),
            best=self.best or None,
            captured={name: str(captured) for name, captured in self.captured.items()},
            captured_memory_bytes=self.graphs.reserved(),
            metrics=scores.as_dict()["metrics"] if scores is not None else {},
        )

    def __repr__(self) -> str:
        names = ", ".join(f"{n} ({sum(p.numel() for p in q.parameters):,})" for n, q in self.players.items())
        return f"Trainer of {names}; {self.batches.per_epoch} steps per epoch, {self.precision.kind}"

    # ---- a turn ----------------------------------------------------------------------------------------------

    def draws(self, turn: int | str) -> Draws:
        """The randomness of a turn of this step."""
        return Draws(self.seed, self.step, turn, rank=distributed.rank(), ranks=distributed.ranks(), device=self.device)

    def _play(self, who: str, index: int, batch: Any, now: Now) -> dict[str, Tensor | float]:
        """One player's turn; the others are frozen while it lasts."""
        others = [p for name, player in self.players.items() if name != who for p in player.parameters]
        networks = {name: player.module for name, player in self.players.items()}
        turn = Turn(who, networks, batch, now, self.draws(index), self.step)
        epoch, captured = self.epoch, self.captured[who]
        limit = captured.limit
        for parameter in others:
            parameter.requires_grad_(False)
        try:
            with seeded("dropout", self.seed, self.step, index, distributed.rank()):
                autocast = lambda: self.precision.autocast(epoch, self.device)  # noqa: E731
                return captured.update(turn, autocast, self.precision.active(epoch, self.device))
        finally:
            for parameter in others:
                parameter.requires_grad_(True)
            if captured.limit != limit:
                self.run.event("capture", self.step, name=who, says=captured.limit)

    def _eager(self) -> str:
        """Why turns are not captured at all, "" where they are."""
        wanted = getattr(self.run.params, "capture", "auto")
        if wanted == "off":
            return "capture is off"
        return "a CPU has nothing to capture" if wanted == "auto" and self.device.type != "cuda" else ""

    def _update_alarms(self) -> None:
        """Give the alarms what was recorded; at fixed steps, so that what they do is reproducible."""
        self.recorder.write()
        rows, self.recorder.pending = self.recorder.pending, []
        for row in rows:
            step = int(row.pop("step"))
            for alarm in self.alarms:
                if (message := alarm(step, row)) and self.session.handle_alarm(alarm, message):
                    return  # rolled back: the rows after it do not count any more


def _copy(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).eval().requires_grad_(False)
