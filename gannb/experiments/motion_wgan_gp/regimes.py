"""Two regimes of adversarial training on gesture, side by side: what can be measured under both."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr
from torch import Tensor

from gannb.experiments.motion.collapse import DIVERSITY
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion.metrics.evaluation import error_by_clip
from gannb.experiments.motion.metrics.variants import Outcome
from gannb.metrics.score import Scores
from gannb.runs.folder import Run

ASKED = (
    "collapsed", "fgd", "fgd_over_floor", "maje", "bc_stroke_over_shuffled", "diversity_share", "jerk", "bone_frames",
    "limit_joint_frames", "w_follows_fgd", "g_turns", "d_turns", "cpu_seconds",
)  # fmt: skip
"""What a comparison of regimes shows: collapse, distance, beats over shuffled speech, diversity, violations, effort."""

LOOKS = 8
"""At fewer moments a rank correlation says next to nothing."""


def outcome(arm: str, run: Run, cpu_seconds: float, scores: Scores, real: Clips, generated: Tensor) -> Outcome:
    """What became of a training under either regime.

    Args:
        arm: its name.
        run: its run.
        cpu_seconds: of processor time that its steps took; a clock on the wall would say what else was running.
        scores: of `generated`; with "diversity_share".
        real, generated: held-out clips, and what was generated to their speech.

    Returns:
        Its scores, errors by clip, and how it was trained: `collapsed` is 1 where generated motion differs by less than
        a quarter of real motion (a discriminator's accuracy exists in one regime alone); `w_follows_fgd` where
        there is a critic that was looked at often enough.
    """
    had = {name: float(score) for name, score in scores.items() if score.available}
    training = {
        "collapsed": float(had["diversity_share"] < DIVERSITY),
        "cpu_seconds": round(cpu_seconds, 1),
        "g_turns": float(_turns(run, "G")),
        "d_turns": float(_turns(run, "D")),
    }
    if (rank := w_follows_fgd(run)) is not None:
        training["w_follows_fgd"] = rank
    return Outcome(arm, run.params.seed, had, error_by_clip(real, generated).tolist(), training)


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
