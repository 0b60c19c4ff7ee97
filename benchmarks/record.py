"""Where results are kept: trials are added to a file of `results/`, with the command, commit and machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from typing import Any

from gannb.comparison.results import RESULTS
from gannb.comparison.trials import Comparison, Trial


def commit() -> str:
    """The short hash of the checked-out commit; "" outside a repository."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, cwd=RESULTS, capture_output=True, text=True).stdout.strip()


def hardware(threads: str = "one thread per run") -> str:
    """The machine in words."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {threads}"


def add(name: str, trials: Iterable[Trial], *, metric: str, better: str = "low", **head: Any) -> Comparison:
    """Add trials to `results/<name>.json`, in the place of those of the same variant and seed.

    Args:
        name: of the file.
        trials: new ones.
        metric: the score that decides.
        better: "low" or "high".
        head: what else the file says: question, data, command, settings.
    """
    path, fresh = RESULTS / f"{name}.json", {(trial.variant, trial.seed): trial for trial in trials}
    kept = Comparison.read(path)
    every = [fresh.pop((trial.variant, trial.seed), trial) for trial in kept] + list(fresh.values())
    commits = sorted({commit(), *kept.head.get("commit", "").split(", ")} - {""})
    found = {"commit": ", ".join(commits), "hardware": hardware()}
    comparison = Comparison(every, metric, better, **{**kept.head, **head, **found} if len(kept) else {**head, **found})
    comparison.save(path)
    return comparison
