"""A run's folder: `runs/<name>/<time>-<hash of parameters>/`, and everything that is written there."""

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
import yaml

from gannb import ranks
from gannb.params.declaration import Experiment
from gannb.params.presets import HOME, read_yaml
from gannb.runs import environment, files, interventions
from gannb.runs.history import History

_locks: dict[Path, IO] = {}
"""Folders that this process writes to: a notebook may open its own run twice."""


class RunError(ValueError):
    """A run folder that cannot be used as asked, and what to do."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class Run:
    """One run and its folder.

    Attributes:
        folder: holds `params.yaml`, `environment.json`, `events.jsonl`, `interventions.yaml`, `metrics.jsonl`,
            `samples/`, `checkpoints/`, and at the end `claims.json` and `summary.json`.
        params: the experiment's parameters.
        device: where it trains.
        history: what was measured so far.
        resumed: whether it goes on with an earlier session's work.
    """

    def __init__(self, folder: Path, params: Experiment, *, resumed: bool) -> None:
        self.folder, self.params, self.resumed = folder, params, resumed
        self.device = environment.prepare(params.device, params.threads)
        self.history = History(folder / "metrics.jsonl")
        self.writes = ranks.rank() == 0
        rows = files.read_lines(folder / "events.jsonl")
        self._seq = rows[-1]["seq"] if rows else 0

    @classmethod
    def open(cls, params: Experiment) -> Self:
        """Start a run in a new folder, or go on with the one that `params.resume` names.

        Raises:
            RunError: nothing to resume there, other parameters than the folder's, or another process writing to it.
        """
        resumed = bool(params.resume)
        folder = ranks.share(_resumable(params) if resumed else _fresh(params) if ranks.rank() == 0 else Path())
        if ranks.rank() == 0:
            _lock(folder)
        run = cls(folder, params, resumed=resumed)
        if run.writes:
            files.write_yaml(folder / "params.yaml", {"experiment": params.name, **params.settings()})
            files.write_json(folder / "environment.json", environment.describe(run.device) | {"preset": params.preset})
        run._replay_threads()
        run.event("resumed" if resumed else "opened", params_hash=params.hash)
        return run

    def path(self, *parts: str) -> Path:
        """A file of this run; its folder is made."""
        path = self.folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def event(self, kind: str, step: int = 0, **fields: Any) -> None:
        """Add one event: a move, an evaluation, an alarm, a checkpoint."""
        self._seq += 1
        if self.writes:
            self._append("events.jsonl", [{"seq": self._seq, "step": step, "kind": kind, **fields}])

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The events so far, or those of one kind."""
        rows = files.read_lines(self.folder / "events.jsonl")
        return [row for row in rows if kind is None or row["kind"] == kind]

    def record(self, rows: Iterable[Mapping[str, float]]) -> None:
        """Add measured rows, each with its `step` (steps done when it was measured), six significant digits."""
        if self.writes:
            self._append("metrics.jsonl", [{k: _short(v) for k, v in row.items()} for row in rows])

    def trajectory(self, name: str) -> list[tuple[int, float]]:
        """The path of a moving number: `(step, value)` at the start and at every move."""
        start = getattr(self.params, name)
        moves = [e for e in self.events("move") if e["name"] == name and e["outcome"] == "applied"]
        return [(0, start), *((e["step"], e["new"]) for e in moves)]

    @property
    def seq(self) -> int:
        """The number of the last event."""
        return self._seq

    def cut(self, step: int, seq: int) -> None:
        """Forget what came after a checkpoint: rows after its step, events after its last one."""
        if self.writes:
            self._keep("metrics.jsonl", lambda row: row["step"] <= step)
            self._keep("events.jsonl", lambda row: row["seq"] <= seq)
        self._seq = seq

    def summarise(self, **fields: Any) -> dict[str, Any]:
        """Write `summary.json`: what was run, how long it took, what came out."""
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
        return summary

    def __repr__(self) -> str:
        return f"run of {self.params.name}, parameters {self.params.hash}"

    def _append(self, name: str, rows: list[dict[str, Any]]) -> None:
        if not self.folder.is_dir():
            raise RunError(f"the run folder {self.folder.name} is gone: it was moved or deleted while the run went on")
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def _keep(self, name: str, wanted: Any) -> None:
        rows = files.read_lines(self.folder / name)
        kept = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows if wanted(row))
        files.write_bytes(self.folder / name, kept.encode())

    def _replay_threads(self) -> None:
        """A replay uses the threads of its log unless told otherwise: sums depend on them."""
        if self.params.replay and not self.params.threads:
            header, _ = interventions.read(Path(self.params.replay).expanduser())
            threads = header.get("environment", {}).get("threads")
            if threads:
                torch.set_num_threads(threads)


def home(params: Experiment | None = None) -> Path:
    """Where run folders go: the parameter `runs`, else $GANNB_RUNS, else `runs/` beside the notebooks."""
    given = (params.runs if params else "") or os.environ.get("GANNB_RUNS", "")
    return Path(given).expanduser().resolve() if given else HOME / "runs"


def latest(name: str, runs: str = "") -> Path:
    """The newest run folder of an experiment."""
    base = (Path(runs).expanduser() if runs else home()) / name
    folders = sorted(path for path in base.glob("*") if (path / "params.yaml").is_file())
    if not folders:
        raise RunError(f"no run of {name} in {base}")
    return folders[-1]


def _fresh(params: Experiment) -> Path:
    base = home(params) / params.name
    stamp = f"{time.strftime('%Y%m%d-%H%M%S')}-{params.hash[:6]}"
    for suffix in ["", *(f"-{n}" for n in range(2, 1000))]:
        folder = base / f"{stamp}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise RunError(f"no free folder name for {stamp} in {base}")


def _resumable(params: Experiment) -> Path:
    folder = Path(params.resume).expanduser()
    if params.resume == "last":
        folder = latest(params.name, params.runs)
    elif not folder.is_absolute() and not folder.is_dir():
        folder = home(params) / params.name / params.resume
    if not folder.is_dir():
        raise RunError(f"resume: no run folder {params.resume!r} (looked in {folder.parent}); it was moved or deleted")
    if not (folder / "params.yaml").is_file():
        raise RunError(f"resume: {folder.name} has no params.yaml, so it is no run folder, or half of it was deleted")
    _same_settings(params, read_yaml(folder / "params.yaml"), folder)
    return folder.resolve()


def _same_settings(params: Experiment, there: dict[str, Any], folder: Path) -> None:
    """Refuse to resume with other parameters; more of what grows (epochs) is let through."""
    experiment = there.pop("experiment", None)
    if experiment != params.name:
        raise RunError(f"resume: {folder.name} is a run of {experiment}, not of {params.name}")
    declared, here = params.declarations(), params.settings()
    faults = []
    for name in {**there, **here}:
        old, new = there.get(name), here.get(name)
        if old == new or (name in here and declared[name].grows and old is not None and new > old):
            continue
        faults.append((name, old, new))
    if faults:
        lines = "\n".join(f"  {n}: {old!r} in the run, {new!r} given" for n, old, new in faults)
        flags = " ".join(f"-p {n}={new}" for n, _, new in faults)
        raise RunError(
            f"resume: {folder.name} was run with other parameters\n{lines}\n"
            f"start a branch of it instead: gannb run {params.name} --branch {folder.name} {flags}"
        )


def _lock(folder: Path) -> None:
    if folder in _locks:
        return
    file = (folder / ".lock").open("a+")
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
    _locks[folder] = file


def _short(value: float) -> float:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _finite(value: Any) -> Any:
    """JSON knows no NaN: what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings a run folder was made with."""
    return {k: v for k, v in yaml.safe_load((folder / "params.yaml").read_text()).items() if k != "experiment"}
