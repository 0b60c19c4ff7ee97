"""What a training under balance rules looked like, and the losses that rules are replayed over."""

from __future__ import annotations

from itertools import groupby

import numpy as np

from gannb.comparison.results import result
from gannb.comparison.trials import Comparison
from gannb.experiments.motion.collapse import ACCURACY, DIVERSITY
from gannb.runs.folder import Run
from gannb.runs.history import History

EXPLODED, FIRST, BEFORE = 1000.0, 100, 50
"""A gradient norm has exploded above so many times its median over the first steps; steps that are looked at before."""


def training_of(run: Run) -> dict[str, float]:
    """D's accuracy at the end, skips, throttling and collapse of a training.

    `accurate_steps` is the longest row of steps in which D was right in more than 99 % of cases; `collapsed` is 1 where
    an alarm rang for it, or where motions differed by under a quarter of the real at the end.
    """
    moves = [e for e in run.events("move") if e["outcome"] == "applied" and e["by"] == "balance"]
    accuracy = run.history["D/accuracy"]
    found = {
        "d_accuracy": accuracy.tail_mean(),
        "accurate_steps": float(max(sum(row) for _, row in groupby(accuracy.values > ACCURACY))),
        "skipped": float((run.history["D/turns"].values == 0).sum()),
        "throttled": float(sum(e["name"] == "g_turns" for e in moves)),
        "collapsed": float(any("collapses" in e["name"] for e in run.events("alarm"))),
    }
    if "G/diversity_share" in run.history:
        found["diversity_share"] = last = float(run.history["G/diversity_share"].values[-1])
        found["collapsed"] = max(found["collapsed"], float(last < DIVERSITY))
    return found | explosion(run.history)


def explosion(history: History) -> dict[str, float]:
    """At which step G's gradients exploded, and how often D was right in the steps before; empty where they did not.

    D that is right long before ends the training of G; D that is at chance then is right later because G broke down.

    Args:
        history: of a run; D's accuracy is a share of cases.
    """
    if "G/grad_norm" not in history:
        return {}
    norms, accuracy = history["G/grad_norm"], history["D/accuracy"]
    usual = float(np.median(norms.values[:FIRST]))
    beyond = np.flatnonzero(~(norms.values <= EXPLODED * usual))  # NaN and infinity are
    if not len(beyond):
        return {}
    step = norms.steps[beyond[0]]
    before = accuracy.values[(accuracy.steps < step) & (accuracy.steps >= step - BEFORE)]
    return {"exploded_at": float(step)} | ({"d_accuracy_before": float(before.mean())} if len(before) else {})


def acted(trials: Comparison, variant: str, without: str = "no-rules") -> bool:
    """Whether the rules of a variant changed any training: the joint error is another than on that seed without rules.

    Args:
        trials: of both.
        variant: which.
        without: the variant without rules.
    """
    ours, bare = trials.values(variant, "maje"), trials.values(without, "maje")
    return any(ours[seed] != bare[seed] for seed in ours.keys() & bare.keys())


def balance_trace() -> list[dict[str, float]]:
    """Losses of a run in which D played at every step, a row per step: what the balance rules are replayed over."""
    (trial,) = result("motion_trace")
    return [dict(zip(trial.paths, (value for _, value in row))) for row in zip(*trial.paths.values())]
