"""Two runs side by side: how they were configured, where they diverge, and how they ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gannb.runs import files
from gannb.runs.folder import settings_of
from gannb.runs.history import History
from gannb.tables import ShownAsTable, Table


@dataclass(frozen=True, repr=False)
class RunDifference(ShownAsTable):
    """What differs between two runs.

    Attributes:
        names: the two folders' names.
        parameters: name → (value there, value here), where they differ.
        diverged: the first recorded step at which the two differ; None where all rows that both have are equal.
        diverged_in: what differs in that row, by name: the two values (None where one has none).
        rows: how many recorded steps were compared.
        branches: for each run, the run and checkpoint it was branched from, or "".
        moves: moves of numbers that only one of the two made: (run's name, step, number, new value, by whom).
        equal: whether both ended with the same weights; None where one has no summary.
    """

    names: tuple[str, str]
    parameters: dict[str, tuple[Any, Any]]
    diverged: int | None
    diverged_in: dict[str, tuple[float | None, float | None]]
    rows: int
    branches: tuple[str, str]
    moves: list[tuple[str, int, str, float, str]]
    equal: bool | None

    def table(self) -> Table:
        """A row per difference: origin, parameters, first divergence, moves, end."""
        one, two = self.names
        rows: list[tuple[Any, ...]] = [("branched from", *self.branches)] if any(self.branches) else []
        rows += [(f"parameter {name}", *values) for name, values in self.parameters.items()]
        rows += [(f"step {self.diverged}: {name}", *values) for name, values in self.diverged_in.items()]
        for run, step, number, value, by in self.moves:
            moved = f"{value:g} by {by}"
            rows.append((f"step {step}: {number} moved", *((moved, None) if run == one else (None, moved))))
        return Table(("what", one, two), rows, note=f"{self._divergence()}; {self._ending()}")

    def shown_parameters(self) -> str:
        """What differs, and where they part, without what training measured: the same on every machine."""
        shown = [f"{name}: {a} there, {b} here" for name, (a, b) in self.parameters.items()]
        return "\n".join([*shown, self._divergence()])

    def _divergence(self) -> str:
        if not self.rows:
            return "no step was recorded by both"
        return f"equal in all {self.rows} steps" if self.diverged is None else f"they diverge at step {self.diverged}"

    def _ending(self) -> str:
        words = {True: "the same weights in the end", False: "other weights in the end", None: "not both have ended"}
        return words[self.equal]


def compare(one: str | Path, two: str | Path) -> RunDifference:
    """Compare two run folders by what is written in them.

    Rows are compared by their step, name by name, to the six digits that are recorded. A branch begins at its
    parent's step, so only what both recorded is compared.

    Raises:
        FileNotFoundError: a folder that holds no run.
    """
    folders = (Path(one), Path(two))
    for folder in folders:
        if not (folder / "params.yaml").is_file():
            raise FileNotFoundError(f"{folder.name} is no run folder: it has no params.yaml")
    there, here = (settings_of(folder) for folder in folders)
    rows = [_by_step(folder) for folder in folders]
    common = sorted(rows[0].keys() & rows[1].keys())
    diverged = next((step for step in common if rows[0][step] != rows[1][step]), None)
    return RunDifference(
        names=(folders[0].name, folders[1].name),
        parameters=_differences(there, here),
        diverged=diverged,
        diverged_in=_differences(rows[0][diverged], rows[1][diverged]) if diverged is not None else {},
        rows=len(common),
        branches=(_origin(folders[0]), _origin(folders[1])),
        moves=_alone(folders),
        equal=_same_weights(folders),
    )


def _by_step(folder: Path) -> dict[int, dict[str, Any]]:
    """What was recorded at each step; a NaN compares equal to a NaN."""
    rows: dict[int, dict[str, Any]] = {}
    for row in History(folder / "metrics.jsonl").rows():
        values = {k: ("nan" if v != v else v) for k, v in row.items() if k not in ("step", "epoch")}
        rows.setdefault(row["step"], {}).update(values)
    return rows


def _differences(there: dict[str, Any], here: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {k: (there.get(k), here.get(k)) for k in {**there, **here} if there.get(k) != here.get(k)}


def _origin(folder: Path) -> str:
    """Where a run was branched from, in words."""
    found = [e for e in files.read_lines(folder / "events.jsonl") if e["kind"] == "branched"]
    return f"{found[0]['parent']} at step {found[0]['step']}" if found else ""


def _alone(folders: tuple[Path, Path]) -> list[tuple[str, int, str, float, str]]:
    """Requested moves that the other run did not make."""
    applied = [[(e["step"], e["name"], e["new"], e["by"]) for e in requested_moves_of(folder)] for folder in folders]
    alone = [(folders[i].name, *move) for i in (0, 1) for move in applied[i] if move not in applied[1 - i]]
    return sorted(alone, key=lambda move: move[1])


def requested_moves_of(folder: Path) -> list[dict[str, Any]]:
    """The applied moves of a run's numbers that a person, an alarm or a branch made; not those of drivers."""
    events = files.read_lines(folder / "events.jsonl")
    askers = {"branch", "person"} | {e["name"] for e in events if e["kind"] == "alarm"}
    return [e for e in events if e["kind"] == "move" and e["outcome"] == "applied" and e["by"] in askers]


def _same_weights(folders: tuple[Path, Path]) -> bool | None:
    paths = [folder / "summary.json" for folder in folders]
    if not all(path.is_file() for path in paths):
        return None
    one, two = (json.loads(path.read_text(encoding="utf-8"))["weights_sha256"] for path in paths)
    return one == two
