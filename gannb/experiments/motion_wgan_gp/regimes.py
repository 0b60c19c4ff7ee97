"""Two regimes of adversarial training on gesture, side by side: what can be measured under both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import spearmanr

from gannb.experiments.motion.collapse import DIVERSITY
from gannb.metrics.score import Score
from gannb.runs.folder import Run
from gannb.training.trainer import Trainer

ASKED = (
    "collapsed", "fgd", "fgd_over_floor", "maje", "bc_stroke_over_shuffled", "diversity_share", "jerk", "bone_frames",
    "limit_joint_frames", "w_follows_fgd", "g_turns", "d_turns", "cpu_seconds",
)  # fmt: skip
"""What a comparison of regimes shows: collapse, distance, beats over shuffled speech, diversity, violations, effort."""

LOOKS = 8
"""At fewer moments a rank correlation says next to nothing."""


def training_of(run: Run, scores: Mapping[str, Score]) -> dict[str, float]:
    """How a training under either regime went.

    Args:
        run: its run.
        scores: of what it generated; with "diversity_share".

    Returns:
        `collapsed`, which is 1 where generated motions differ by less than a quarter of what real ones do (a
        discriminator's accuracy exists in one regime alone); turns of both players; `w_follows_fgd` where there is a
        critic that was looked at often enough.
    """
    found = {
        "collapsed": float(float(scores["diversity_share"]) < DIVERSITY),
        "g_turns": float(_turns(run, "G")),
        "d_turns": float(_turns(run, "D")),
    }
    if (rank := w_follows_fgd(run)) is not None:
        found["w_follows_fgd"] = rank
    return found


def fit_as_long(trainer: Trainer, processor_seconds: float) -> None:
    """Train, epoch by epoch, until training has taken this much processor time in all, or an alarm stopped it."""
    while trainer.processor_seconds < processor_seconds and not trainer.session.stopped:
        trainer.fit(steps=trainer.step + trainer.batches.per_epoch, quiet=True)


def w_follows_fgd(run: Run) -> float | None:
    """Spearman's rank correlation of held-out W with FGD over one training (W8), -1 to 1.

    Counted from the moment on at which clips are whole, since W on longer clips is another number. None where there
    is no critic, or fewer than `LOOKS` looks at whole clips, or where one of the two never changed.
    """
    if "W_held_out" not in run.history or "fgd" not in run.history:
        return None
    whole = run.history["W_held_out"].steps >= run.trajectory("frames")[-1][0]
    w, fgd = (run.history[name].values[whole] for name in ("W_held_out", "fgd"))
    if len(w) < LOOKS or min(np.ptp(w), np.ptp(fgd)) == 0:
        return None
    return float(spearmanr(w, fgd)[0])


def _turns(run: Run, who: str) -> int:
    """How often a player played: a step is one row, in which it may have had several turns."""
    steps, number = run.history[f"{who}/loss"].steps, f"{who.lower()}_turns"
    if number not in type(run.params).model_fields:
        return len(steps)
    path = run.trajectory(number)
    return sum(next(value for at, value in reversed(path) if at < step) for step in steps)
