"""Many runs at a glance: filter, sort, pick; which parameters differ; what came out, variant by variant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gannb.comparison.filter import Condition
from gannb.comparison.trials import Comparison, Trial
from gannb.config.yaml_files import read_yaml
from gannb.metrics.score import Score, Scores
from gannb.runs import files, locations
from gannb.runs.history import History, Series
from gannb.tables import ShownAsTable, Table

HEAD = ("run", "experiment", "preset", "seed", "state", "steps_done", "seconds_taken")
"""Columns that every catalogue has; parameters follow, then scores."""


class CatalogueError(ValueError):
    """Runs that cannot be selected that way."""


@dataclass(frozen=True, repr=False)
class Catalogue(ShownAsTable):
    """Runs, one per row.

    Attributes:
        frame: columns `HEAD`, then every parameter (`parameter_state` where one is named like a column of
            `HEAD`), then every score of a summary; "folder" is the run's.
        parameters: their names.
        scored: the names of the scores.
    """

    frame: pd.DataFrame
    parameters: tuple[str, ...]
    scored: tuple[str, ...]

    @classmethod
    def read(cls, folders: Iterable[Path]) -> Catalogue:
        """Read run folders. One that is damaged has that for its state."""
        rows: list[dict[str, Any]] = []
        parameters: dict[str, None] = {}
        scored: dict[str, None] = {}
        for folder in map(Path, folders):
            row, settings, scores = _read(folder)
            rows.append(row | settings | scores)
            parameters |= dict.fromkeys(settings)
            scored |= dict.fromkeys(scores)
        columns = [*HEAD, *parameters, *(name for name in scored if name not in parameters), "folder"]
        frame = pd.DataFrame(rows, columns=columns, dtype=object)
        return cls(frame.where(frame.notna(), None), tuple(parameters), tuple(scored))

    @classmethod
    def find(cls, named: str, runs: str = "") -> Catalogue:
        """The runs of an experiment by its name, or those in a folder (its run folders, or those of its experiments).

        Raises:
            CatalogueError: there are none.
        """
        found = locations.among(named, runs)
        if not found:
            there = sorted({folder.parent.name for folder in locations.folders(runs)})
            raise CatalogueError(f"compare: no runs of {named!r}; in {locations.home(runs).name}/ there are runs of: "
                                 f"{', '.join(there) or 'nothing yet'}")  # fmt: skip
        return cls.read(found)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def folders(self) -> list[Path]:
        """The run folders, in this order."""
        return list(self.frame["folder"])

    def where(self, condition: str) -> Catalogue:
        """Those for which a condition holds, such as `loss == "bce" and epochs > 3`; all for an empty one.

        Raises:
            CatalogueError: a condition that cannot be read, or a name that no run has.
        """
        if not condition.strip():
            return self
        names = [name for name in self.frame.columns if name != "folder"]
        try:
            wanted = Condition(condition)
        except ValueError as error:
            raise CatalogueError(f"where: given {condition!r}; {error}") from error
        if unknown := wanted.names.difference(names):
            raise CatalogueError(
                f"where: given {condition!r}; no run has {', '.join(unknown)}; names: {', '.join(names)}"
            )
        rows = self.frame[sorted(wanted.names)].to_dict("records")
        return self._of(self.frame.iloc[[i for i, row in enumerate(rows) if wanted(row)]])

    def sort(self, by: str, *, descending: bool = False) -> Catalogue:
        """By a column; runs without a value come last.

        Raises:
            CatalogueError: a column that is not there.
        """
        if by not in self.frame.columns:
            raise CatalogueError(f"sort: given {by!r}; allowed: {', '.join(self.frame.columns[:-1])}")
        order: Any = lambda column: column.map(_key, na_action="ignore")  # noqa: E731
        return self._of(self.frame.sort_values(by, ascending=not descending, kind="stable", key=order))

    def pick(self, runs: Sequence[str] | int) -> Catalogue:
        """These runs by name, in this order; or the first so many.

        Raises:
            CatalogueError: a run that is not here.
        """
        if isinstance(runs, int):
            return self._of(self.frame.iloc[:runs])
        at = {name: index for index, name in zip(self.frame.index, self.frame["run"])}
        unknown = [name for name in runs if name not in at]
        if unknown:
            raise CatalogueError(f"pick: no run {unknown[0]!r} among these {len(self)}")
        return self._of(self.frame.loc[[at[name] for name in runs]])

    def differing(self) -> tuple[str, ...]:
        """The parameters that are not the same in all runs; the seed is no parameter here."""
        return tuple(n for n in self.parameters if len({json.dumps(v, default=str) for v in self.frame[n]}) > 1)

    def variants(self) -> dict[str, Catalogue]:
        """Runs that differ in nothing but the seed, together; by what sets a variant apart, in words."""
        names = (*(["experiment"] if self.frame["experiment"].nunique() > 1 else []), *self.differing())
        found: dict[str, list[int]] = {}
        for index, row in zip(self.frame.index, self.frame[list(names)].to_dict("records")):
            label = ", ".join(f"{name}={_short(value)}" for name, value in row.items() if value is not None)
            found.setdefault(label or "all alike", []).append(index)
        return {label: self._of(self.frame.loc[rows]) for label, rows in found.items()}

    def comparison(self, metric: str, better: str = "low") -> Comparison:
        """The variants by one score; the newest run where a seed has several."""
        newest = {
            (label, seed): Score.missing(metric, "not in its summary") if value is None else Score(metric, value)
            for label, runs in self.variants().items()
            for seed, value in zip(runs.frame["seed"], runs.frame[metric])
        }
        return Comparison((Trial(*key, Scores([score])) for key, score in newest.items()), metric, better)

    def series(self, name: str, points: int = 200) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """A measured name over time per variant: steps `[n]`, values `[seeds, n]` at the steps that all seeds have.

        Args:
            name: such as "D/loss".
            points: more are reduced to so many means of neighbouring steps.
        """
        return self.several_series([name], points)[name]

    def several_series(
        self, names: Sequence[str], points: int = 200
    ) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
        """`series` by name, for several names at once: each run is read once, and one variant's at a time are held.

        Args:
            names: such as "D/loss".
            points: more are reduced to so many means of neighbouring steps.

        Returns:
            For each name and variant, steps `[n]` and values `[seeds, n]`.
        """
        found: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {name: {} for name in names}
        for label, runs in self.variants().items():
            newest = dict(zip(runs.frame["seed"], runs.folders))  # where a seed has several runs
            histories = [History(folder / "metrics.jsonl") for folder in newest.values()]
            for name in names:
                if histories and all(name in history for history in histories):
                    steps, values = _at_common_steps([history[name] for history in histories])
                    if len(steps):
                        found[name][label] = _reduced(steps, values, points)
        return found

    def measured(self) -> list[str]:
        """Names that all runs measured over time, as their last rows say: scores first, then players' numbers."""
        found = [set(_last_names(folder)) for folder in self.folders]
        return sorted(set.intersection(*found), key=lambda name: ("/" in name, name)) if found else []

    def common_scores(self) -> list[str]:
        """Scores that all finished runs have."""
        finished = self.frame[self.frame["state"] == "finished"]
        return [name for name in self.scored if len(finished) and finished[name].notna().all()]

    def branches(self) -> Table:
        """Runs that began at another's checkpoint: from which, at what step, with which other parameters."""
        rows = []
        for folder in self.folders:
            for event in files.read_lines(folder / "events.jsonl"):
                if event["kind"] == "branched":
                    changed = ", ".join(f"{n}: {a} → {b}" for n, (a, b) in event.get("changed", {}).items())
                    rows.append((folder.name, event["parent"].rpartition("/")[2], event["step"], changed or "nothing"))
        return Table(("run", "branched from", "at step", "changed"), rows)

    def newest_samples(self) -> dict[str, dict[int, Path]]:
        """The newest picture in each run's `samples/`, by variant and seed; variants without any are left out."""
        found: dict[str, dict[int, Path]] = {}
        for label, runs in self.variants().items():
            for seed, folder in zip(runs.frame["seed"], runs.folders):
                pictures = sorted(folder.glob("samples/*.png"), key=lambda path: (path.stat().st_mtime_ns, path.name))
                if pictures:
                    found.setdefault(label, {})[seed] = pictures[-1]
        return found

    def in_common(self) -> tuple[str, ...]:
        """Those of the differing parameters that all runs have: of one experiment all, of several what they share."""
        mixed = self.frame["experiment"].nunique() > 1
        return tuple(n for n in self.differing() if not mixed or self.frame[n].notna().all())

    def words(self) -> dict[str, str]:
        """Each run in a line, by its name: the seed, what differs, and the first score that all have."""
        mixed = ["experiment"] if self.frame["experiment"].nunique() > 1 else []
        names = [*mixed, "seed", *self.in_common(), *self.common_scores()[:1]]
        rows = self.frame[names].to_dict("records")
        said = [[f"{n} {_short(v, '.4g')}" for n, v in row.items() if v is not None] for row in rows]
        return {run: ", ".join([run, *words]) for run, words in zip(self.frame["run"], said)}

    def table(self, most: int = 20) -> Table:
        """The first runs: head, what differs, scores."""
        scores = [name for name in self.scored if self.frame[name].notna().any()][:4]
        columns = [*HEAD, *self.in_common(), *scores]
        rows = list(self.frame[columns].head(most).itertuples(index=False))
        note = f"{len(self)} runs" + (f", the first {most} shown" if len(self) > most else "")
        return Table(columns, rows, note=note)

    def _of(self, frame: pd.DataFrame) -> Catalogue:
        return Catalogue(frame, self.parameters, self.scored)


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    row: dict[str, Any] = {"run": folder.name, "experiment": folder.parent.name, "folder": folder}
    try:
        settings = read_yaml(folder / "params.yaml")
        path = folder / "summary.json"
        summary = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        return row | {"state": f"damaged: {str(error).splitlines()[0]}"}, {}, {}
    row["experiment"] = settings.pop("experiment", folder.parent.name)
    row |= {"seed": settings.pop("seed", None), "state": "finished" if summary else "unfinished"}
    row |= {
        "preset": summary.get("preset") or settings.pop("preset", None),
        "steps_done": summary.get("steps"),
        "seconds_taken": summary.get("seconds"),
    }
    settings.pop("preset", None)
    settings = {f"parameter_{name}" if name in HEAD else name: value for name, value in settings.items()}
    metrics: Mapping[str, Any] = summary.get("metrics") or {}
    return row, settings, {name: score.get("value") for name, score in metrics.items() if isinstance(score, dict)}


def _at_common_steps(lines: Sequence[Series]) -> tuple[np.ndarray, np.ndarray]:
    """The steps that all series have `[n]`, and the last value of each there `[seeds, n]`."""
    common = reduce(np.intersect1d, [line.steps for line in lines[1:]], np.unique(lines[0].steps))
    values = [line.values[np.searchsorted(line.steps, common, side="right") - 1] for line in lines]
    return common, np.stack(values)


def _reduced(steps: np.ndarray, values: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `points` steps: each the mean of a stretch."""
    if len(steps) <= points:
        return steps, values
    stretches = np.array_split(np.arange(len(steps)), points)
    return steps[[s[-1] for s in stretches]], np.stack([values[:, s].mean(axis=1) for s in stretches], axis=1)


def _last_names(folder: Path) -> list[str]:
    """The names in the last few rows of a run; the file is not read whole."""
    last = islice(files.rows_from_end(folder / "metrics.jsonl"), 300)
    return [name for _, row in last for name in row if name not in ("step", "epoch")]


def _key(value: Any) -> tuple[int, Any]:
    """Numbers before words, so that a column may hold both."""
    return (0, float(value)) if isinstance(value, int | float) else (1, str(value))


def _short(value: Any, form: str = "g") -> str:
    return f"{value:{form}}" if isinstance(value, float) else str(value)
