"""What was measured with a command that anyone can run: the files in `results/`, and one table of them all."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
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


def numbers(variant: str, seed: int = 0, **scores: float | None) -> Trial:
    """A trial of plain numbers, such as a measured speed; those that are None are left out."""
    return Trial(variant, seed, Scores(Score(name, value) for name, value in scores.items() if value is not None))


def hardware(device: str | torch.device = "cpu") -> str:
    """The card, or the processor with its cores and the threads in use."""
    import torch

    from gannb.runs import environment

    found = environment.describe(torch.device(device))
    if found["device"] != "cpu":
        return f"{found['device']}, {os.cpu_count()} CPU cores"
    threads = found["threads"]
    return f"{found['processor']}, {os.cpu_count()} cores, {threads} thread{'s' * (threads > 1)}"


def samples_of(name: str, variant: str, seed: int) -> Path:
    """Where the samples of a trial are kept, as one picture; variants that differ in punctuation alone share it.

    Args:
        name: of the result.
        variant: of the trial.
        seed: of the trial.
    """
    plain = re.sub(r"\W+", "-", variant).strip("-")
    return RESULTS / "samples" / name / f"{plain}-{seed}.png"


def keep(name: str, trials: Iterable[Trial], *, metric: str = "", better: str = "", **head: Any) -> Comparison:
    """Add trials to `results/<name>.json`, in the place of those of the same variant and seed.

    Args:
        name: of the file.
        trials: new ones.
        metric: the score that decides; "": each score is shown.
        better: "low" or "high".
        head: what else the file says: question, data, command, hardware, settings.
    """
    path, fresh = RESULTS / f"{name}.json", {(trial.variant, trial.seed): trial for trial in trials}
    kept = Comparison.read(path)
    replaced = all((trial.variant, trial.seed) in fresh for trial in kept)
    every = [fresh.pop((trial.variant, trial.seed), trial) for trial in kept] + list(fresh.values())
    command = ["git", "rev-parse", "--short", "HEAD"]
    here = subprocess.run(command, cwd=HOME, capture_output=True, text=True).stdout.strip()
    before = kept.head if len(kept) else {}
    commits = sorted({here, *("" if replaced else before.get("commit", "")).split(", ")} - {""})
    comparison = Comparison(every, metric, better, **{**before, **head, "commit": ", ".join(commits)})
    comparison.save(path)
    return comparison


def index(folder: Path = RESULTS) -> Table:
    """One table of all results: a row per file and variant with the deciding score, or with each score without one.

    What a measurement of software has not (data, a floor, an interval of one seed) is empty.
    """
    rows = [row for path in sorted(folder.glob("*.json")) for row in _rows(path.stem, Comparison.read(path))]
    return Table(COLUMNS, rows)


def _rows(name: str, found: Comparison) -> Iterator[tuple[Any, ...]]:
    """The rows of one file."""
    head = found.head
    for variant in found.variants:
        trials = found.of(variant)
        names = [found.metric] if found.metric else list(dict.fromkeys(n for trial in trials for n in trial.scores))
        for score in names or [""]:
            values = found.values(variant, score)
            over = found.over_seeds(variant, score)
            floors = [f for trial in trials if score in trial.scores and (f := trial.scores[score].floor) is not None]
            measured = [found.mean(variant, score), *(over.interval or (None, None))]
            measured.append(sum(floors) / len(floors) if floors else found.mean(variant, f"{score}_floor"))
            shown = ("" if number is None else f"{number:.6g}" for number in measured)
            seeds, where = (
                " ".join(str(trial.seed) for trial in trials if trial.seed in values or not score),
                (head.get(n) or "not recorded" for n in ("hardware", "command", "commit")),
            )
            yield (name, head["question"], head.get("data", ""), variant, score, *shown, seeds, *where)
