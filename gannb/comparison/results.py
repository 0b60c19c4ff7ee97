"""What was measured with a command that anyone can run: the files in `results/`, and one table of them all."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gannb.comparison.trials import Comparison, Trial
from gannb.config.presets import HOME
from gannb.metrics.score import Score, Scores
from gannb.tables import Table

if TYPE_CHECKING:  # a report reads results, and needs no torch
    import torch

RESULTS = HOME / "results"
COLUMNS = (
    "result", "question", "data", "recipe", "score", "value", "low", "high", "floor", "seeds", "hardware", "command",
    "commit",
)  # fmt: skip


def result(name: str) -> Comparison:
    """The comparison in `results/<name>.json`; without trials, and saying so, where that was never measured.

    Scores that are computed from it name the file as their source.
    """
    found = Comparison.read(RESULTS / f"{name}.json")
    return Comparison(found, found.metric, found.better, **found.head | {"source": f"results/{name}.json"})


def by_trial(name: str, scores: Sequence[str]) -> Table:
    """A row per trial in `results/<name>.json`, where single seeds are no more than that; else a note that says so.

    Args:
        name: of the file.
        scores: what is shown; also one of `gannb.comparison.trials.COSTS`.
    """
    found = result(name)
    rows = [(t.variant, t.seed, *(found.values(t.variant, score).get(t.seed) for score in scores)) for t in found]
    note = found.head["command"] if rows else f"not measured yet: there is no results/{name}.json"
    return Table(("variant", "seed", *scores), rows, note=note)


def numbers(variant: str, seed: int = 0, **scores: float | None) -> Trial:
    """A trial of plain numbers, such as a measured speed; those that are None are left out."""
    return Trial(variant, seed, Scores(Score(name, value) for name, value in scores.items() if value is not None))


def hardware(device: str | torch.device | Mapping[str, Any] = "cpu") -> str:
    """The card, or the processor with its instruction set, its cores and the threads in use.

    Args:
        device: of this process, or what the `environment.json` of a run on this machine says.
    """
    import torch

    from gannb.runs import environment

    found = device if isinstance(device, Mapping) else environment.describe(torch.device(device))
    if found["device"] != "cpu":
        return f"{found['device']}, {os.cpu_count()} CPU cores"
    threads = found["threads"]
    return (
        f"{found['processor']} ({found['capability']}), {os.cpu_count()} cores, {threads} thread{'s' * (threads > 1)}"
    )


def samples_of(name: str, variant: str, seed: int) -> Path:
    """Where the samples of a trial are kept, as one picture; variants that differ in punctuation alone share it.

    Args:
        name: of the result.
        variant: of the trial.
        seed: of the trial.
    """
    plain = re.sub(r"\W+", "-", variant).strip("-")
    return RESULTS / "samples" / name / f"{plain}-{seed}.png"


def keep(
    name: str, trials: Iterable[Trial], *, metric: str = "", better: str = "", hardware: str = "", **head: Any
) -> Comparison:
    """Add trials to `results/<name>.json`, in the place of those of the same variant and seed.

    Args:
        name: of the file.
        trials: new ones; those that do not name their commit were measured at the one that is checked out.
        metric: the score that decides; "": each score is shown.
        better: "low" or "high".
        hardware: of the trials that do not name theirs.
        head: what else the file says: question, data, command, settings.
    """
    path, kept = RESULTS / f"{name}.json", Comparison.read(RESULTS / f"{name}.json")
    command = ["git", "rev-parse", "--short", "HEAD"]
    here = subprocess.run(command, cwd=HOME, capture_output=True, text=True).stdout.strip()
    named = (replace(t, commit=t.commit or here, hardware=t.hardware or hardware) for t in trials)
    fresh = {(trial.variant, trial.seed): trial for trial in named}
    every = [fresh.pop((trial.variant, trial.seed), trial) for trial in kept] + list(fresh.values())
    comparison = Comparison(every, metric, better, **{**(kept.head if len(kept) else {}), **head})
    comparison.save(path)
    return comparison


def index(folder: Path = RESULTS) -> Table:
    """One table of all results: a row per file and variant with the deciding score, or with each score without one.

    What a measurement of software has not (data, a floor, an interval of one seed) is empty.
    """
    rows = [row for path in sorted(folder.glob("*.json")) for row in _rows(path.stem, Comparison.read(path))]
    return Table(COLUMNS, rows)


def _floor(found: Comparison, variant: str, score: str) -> float | None:
    """The mean floor of a score over seeds, where it was measured; of a ratio to the floor it is 1."""
    if score.endswith("_over_floor"):
        return 1.0
    scores = [trial.scores[score] for trial in found.of(variant) if score in trial.scores]
    floors = [one.floor for one in scores if one.floor is not None]
    return sum(floors) / len(floors) if floors else found.mean(variant, f"{score}_floor")


def _rows(name: str, found: Comparison) -> Iterator[tuple[Any, ...]]:
    """The rows of one file."""
    head = found.head
    for variant in found.variants:
        trials = found.of(variant)
        names = [found.metric] if found.metric else list(dict.fromkeys(n for trial in trials for n in trial.scores))
        for score in names or [""]:
            values = found.values(variant, score)
            over = found.over_seeds(variant, score)
            measured = [found.mean(variant, score), *(over.interval or (None, None)), _floor(found, variant, score)]
            shown = ("" if number is None else f"{number:.6g}" for number in measured)
            seeds = " ".join(str(trial.seed) for trial in trials if trial.seed in values or not score)
            commits, where = found.origin(variant)
            says = (name, head["question"], head.get("data", ""))
            yield (*says, variant, score, *shown, seeds, where, head["command"], commits)
