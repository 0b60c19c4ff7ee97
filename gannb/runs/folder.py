"""A run's folder, `runs/<name>/<time>-<hash of parameters>/`, and everything that is written there."""

from __future__ import annotations

import fcntl
import json
import math
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Self

import torch

from gannb import distributed
from gannb.config.experiment import Experiment
from gannb.config.yaml_files import read_yaml
from gannb.runs import environment, files, interventions, leftovers, locations, weights
from gannb.runs.checks import RunError, resumable
from gannb.runs.history import History
from gannb.runs.trackers import Trackers

_locks: dict[tuple[int, int], IO] = {}
"""Lock files that this process holds, by device and inode: a notebook may open its own run twice, or move it."""


OPENED = 1
"""The number of a run's first event, which says that it was opened."""


class Run:
    """One run and its folder.

    Args:
        folder: the run folder; use `Run.open`, which makes or checks it.
        params: the experiment's parameters.
        device: where it trains.
        resumed: whether it continues an earlier session.

    Attributes:
        folder: holds `params.yaml`, `environment.json`, `events.jsonl`, `interventions.yaml`, `metrics.jsonl`,
            `samples/`, `checkpoints/`, and at the end `claims.json` and `summary.json`.
        history: what was measured so far.
        writes: whether this process writes to the folder (rank 0 does).
        trackers: what follows the measurements beside the folder.
    """

    def __init__(self, folder: Path, params: Experiment, device: torch.device, *, resumed: bool) -> None:
        self.folder, self.params, self.device, self.resumed = folder, params, device, resumed
        self.history = History(folder / "metrics.jsonl")
        self.writes = distributed.rank() == 0
        self.trackers = Trackers(params.track if self.writes else (), folder, params.settings())
        self._seq = self._last_seq()

    @classmethod
    def open(cls, params: Experiment) -> Self:
        """Start a run in a new folder, or resume the one that `params.resume` names.

        On several ranks, rank 0 finds the folder for all.

        Raises:
            RunError: nothing to resume there, other parameters than the folder's, or another process writing to it.
            ValueError: the device is unavailable.
            FileNotFoundError: no log of interventions to replay.
        """
        resumed, first = bool(params.resume), distributed.rank() == 0
        before = distributed.share(resumable(params) if first else None) if resumed else None
        if params.init_from and not resumed:
            weights.read(params)  # so that a bad file is named before data and networks are made
        device = environment.prepare(params.device, params.threads or _threads(params, before), params.deterministic)
        folder: Any = None
        if first:
            place = before or _staging(params)
            _lock(place)
            _prepare(place)
            files.write_yaml(place / "params.yaml", {"experiment": params.name, **params.settings()})
            started = {"preset": params.preset, "trial": os.environ.get("GANNB_TRIAL", "")}  # by which a sweep finds it
            files.write_json(place / "environment.json", environment.describe(device) | started)
            folder = before or _publish(place, params)
        run = cls(distributed.share(folder), params, device, resumed=resumed)
        if not resumed:
            run.event("opened", params_hash=params.hash)
        return run

    def path(self, *parts: str) -> Path:
        """A file of this run; its folder is made.

        Raises:
            RunError: the run folder is gone.
        """
        if not self.folder.is_dir():
            raise self._gone("the run folder")
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def event(self, kind: str, step: int = 0, **fields: Any) -> None:
        """Log an event: a move, an evaluation, an alarm, a checkpoint.

        Args:
            kind: of the event.
            step: when it happened.
            **fields: what else to log.
        """
        self._seq += 1
        if self.writes:
            self._append("events.jsonl", [{"seq": self._seq, "step": step, "kind": kind, **fields}])
            if kind == "move" and fields.get("outcome") == "applied":
                self.trackers.keep(step, {f"numbers/{fields['name']}": fields["new"]})

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The events so far, or those of one kind."""
        rows = files.read_lines(self.folder / "events.jsonl")
        return [row for row in rows if kind is None or row["kind"] == kind]

    def record(self, rows: Iterable[Mapping[str, float]]) -> None:
        """Add measured rows, each with its `step` (steps done when it was measured), six significant digits."""
        if self.writes:
            short = [{k: _short(v) for k, v in row.items()} for row in rows]
            self._append("metrics.jsonl", short)
            self.trackers.send(short)

    def trajectory(self, name: str) -> list[tuple[int, float]]:
        """The path of a number: `(step, value)` at the start and at every move."""
        start = getattr(self.params, name)
        moves = [e for e in self.events("move") if e["name"] == name and e["outcome"] == "applied"]
        return [(0, start), *((e["step"], e["new"]) for e in moves)]

    @property
    def seq(self) -> int:
        """The number of the last event."""
        return self._seq

    def cut(self, step: int, seq: int) -> None:
        """Remove what came after a checkpoint: rows after its step, events after its last one."""
        if self.writes:
            files.cut_rows(self.folder / "metrics.jsonl", lambda row: row["step"] > step)
            files.cut_rows(self.folder / "events.jsonl", lambda row: row["seq"] > seq)
        self._seq = distributed.share(self._last_seq())

    def summarise(self, **fields: Any) -> dict[str, Any]:
        """Write `summary.json`: configuration, duration and results."""
        head = {
            "notebook": self.params.name,
            "preset": self.params.preset,
            "params_hash": self.params.hash,
            "seed": getattr(self.params, "seed", None),
            "device": str(self.device),
            "threads": torch.get_num_threads(),
        }
        summary = _finite({**head, **fields})
        if self.writes:
            files.write_json(self.folder / "summary.json", summary)
            found = {name: score["value"] for name, score in summary.get("metrics", {}).items()}
            self.trackers.keep(summary.get("steps") or 0, {f"score/{name}": value for name, value in found.items()})
            self.trackers.close()
        return summary

    def __repr__(self) -> str:
        return f"run of {self.params.name}, parameters {self.params.hash}"

    def _append(self, name: str, rows: list[dict[str, Any]]) -> None:
        try:
            files.append(self.folder / name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        except FileNotFoundError as error:
            raise self._gone(name if self.folder.is_dir() else "the run folder") from error

    def _gone(self, what: str) -> RunError:
        return RunError(
            f"{what} of {self.folder} is gone: it was moved or deleted while the run went on; "
            f"put it back and go on with resume={self.folder.name!r}"
        )

    def _last_seq(self) -> int:
        return next((row["seq"] for _, row in files.rows_from_end(self.folder / "events.jsonl")), 0)


def settings_of(folder: Path) -> dict[str, Any]:
    """The parameters of a run folder."""
    return {k: v for k, v in read_yaml(folder / "params.yaml").items() if k != "experiment"}


def _threads(params: Experiment, resumed: Path | None) -> int:
    """The threads of the run that is resumed or replayed, because sums depend on them; 0 without one."""
    log = resumed / "interventions.yaml" if resumed else Path(params.replay).expanduser()
    if not (log.is_file() if resumed else params.replay):
        return 0
    header, _ = interventions.read(log)
    return header.get("environment", {}).get("threads", 0)


def _prepare(folder: Path) -> None:
    """Make the files that rows are appended to, each ending in a whole line; remove what a kill left."""
    leftovers.clean_run(folder)
    for name in ("events.jsonl", "metrics.jsonl"):
        (folder / name).touch()
        files.drop_torn_line(folder / name)


def _staging(params: Experiment) -> Path:
    """A hidden folder in which a run is prepared, so that a kill leaves no half-made run folder."""
    base = locations.home(params.runs) / params.name
    folder = leftovers.hidden(base, "run")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        leftovers.clean(base)
    except OSError as error:
        raise RunError(
            f"cannot make a run folder in {base} ({error.strerror}); name another place by runs=… or $GANNB_RUNS"
        ) from error
    return folder


def _publish(place: Path, params: Experiment) -> Path:
    """Give a prepared run folder its name."""
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{params.hash[:6]}"
    for suffix in ["", *(f"-{n}" for n in range(2, 1000))]:
        folder = place.with_name(f"{stamp}{suffix}")
        if folder.exists():
            continue
        try:
            return place.rename(folder)
        except OSError:  # another process was faster: its folder is not empty
            continue
    raise RunError(f"no free folder name for {stamp} in {place.parent}")


def _lock(folder: Path) -> None:
    file = (folder / ".lock").open("a+")
    stat = os.fstat(file.fileno())
    if (stat.st_dev, stat.st_ino) in _locks:
        file.close()
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        who = file.read().strip() or "unknown"
        file.close()
        raise RunError(
            f"another process (pid {who}) is writing to the run {folder.name}; wait for it, or start a branch"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _locks[stat.st_dev, stat.st_ino] = file


def _short(value: float) -> float:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _finite(value: Any) -> Any:
    """JSON knows no NaN: what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
