"""Do the parts of two gesture extensions learn at all? The matcher of speech and motion, and the pretrained encoder.

    python benchmarks/motion_pretraining.py

On synthetic recordings, one thread, tiny networks: the share of held-out moments that the matcher matches (among all,
and among those of one clip, where speaker and posture do not help), and the encoder's error on masked speech before and
after. Whether they improve gestures is for the sweep `extensions_motion`. Writes `results/motion_pretraining.json`.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch

from gannb.comparison.results import hardware, keep, numbers
from gannb.comparison.trials import Trial
from gannb.experiments.motion import audio_pretraining, matching
from gannb.experiments.motion.data.split import MotionSplit
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.metrics.score import Score, Scores


def matcher() -> tuple[list[Trial], dict[str, int]]:
    """Held-out moments matched, with what chance gives as the floor; and how many clips and moments there were."""
    split = MotionSplit.of(MotionBalance(seconds=40.0))
    held_out, began = split.evaluation_clips(64), time.process_time()
    fitted = matching.fit(split.training_clips(), split.scales(), steps=150)
    spent = round(time.process_time() - began, 1)
    clips = [(held_out.mel[i : i + 1], held_out.pose[i : i + 1]) for i in range(len(held_out.pose))]
    moments = 4 * len(clips)
    found = {
        "matcher, among all moments": (fitted.accuracy(held_out.mel, held_out.pose), 1 / moments),
        "matcher, within a clip": (mean(fitted.accuracy(*clip) for clip in clips), 0.25),
    }
    trials = [
        Trial(variant, 0, Scores([Score("matched", value, floor=chance)]), cpu_seconds=spent)
        for variant, (value, chance) in found.items()
    ]
    return trials, {"training clips": len(split.train), "held-out moments": moments}


def encoder() -> Trial:
    """The error on masked frames at first and at last, in standard deviations."""
    with tempfile.TemporaryDirectory() as folder:
        voices = audio_pretraining.synthetic_voices(Path(folder), seed=0)
        began = time.process_time()
        learnt = audio_pretraining.pretrain(voices, width=16, steps=150)
    spent = round(time.process_time() - began, 1)
    found = numbers("audio encoder", error_first=mean(learnt.losses[:10]), error_last=mean(learnt.losses[-10:]))
    return replace(found, cpu_seconds=spent)


def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    matched, settings = matcher()
    head = {
        "question": "Do the matcher of speech and motion and the pretrained audio encoder learn at all?",
        "data": "recordings of synthetic speakers",
        "command": "python benchmarks/motion_pretraining.py",
        "hardware": hardware(),
        "settings": settings,
    }
    found = keep("motion_pretraining", [*matched, encoder()], **head)
    print(found.table(("matched", "error_first", "error_last"), intervals=False))


if __name__ == "__main__":
    main()
