"""Do the parts of two gesture extensions learn at all? The matcher of speech and motion, and the pretrained encoder.

    python benchmarks/motion_listening.py

On synthetic recordings, one thread, tiny networks: the share of held-out moments that the matcher matches (among all,
and among those of one clip, where speaker and posture do not help), and the encoder's error on masked speech before and
after. Whether they improve gestures is for the sweep `extensions_motion`. Writes `results/motion_listening.json`.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import mean

import torch

from gannb.experiments.motion import audio_pretraining, matching
from gannb.experiments.motion.data.split import MotionSplit
from gannb.experiments.motion_balance.params import MotionBalance

OUT = Path(__file__).parents[1] / "results" / "motion_listening.json"


def matcher() -> dict[str, float]:
    """Held-out moments matched, by chance and in fact."""
    split = MotionSplit.of(MotionBalance(seconds=40.0))
    held_out, began = split.evaluation_clips(64), time.process_time()
    taught = matching.fit(split.training_clips(), split.scales(), steps=150)
    spent = time.process_time() - began
    clips = [(held_out.mel[i : i + 1], held_out.pose[i : i + 1]) for i in range(len(held_out.pose))]
    moments = 4 * len(clips)
    return {
        "clips learnt from": len(split.train),
        "held-out moments": moments,
        "matched among all": taught.accuracy(held_out.mel, held_out.pose),
        "by chance among all": 1 / moments,
        "matched within a clip": mean(taught.accuracy(*clip) for clip in clips),
        "by chance within a clip": 0.25,
        "processor seconds": round(spent, 1),
    }


def encoder() -> dict[str, float]:
    """The error on masked frames at first and at last, in standard deviations."""
    with tempfile.TemporaryDirectory() as folder:
        voices = audio_pretraining.synthetic_voices(Path(folder), seed=0)
        began = time.process_time()
        learnt = audio_pretraining.pretrain(voices, width=16, steps=150)
    spent = time.process_time() - began
    first, last = mean(learnt.losses[:10]), mean(learnt.losses[-10:])
    return {"error at first": first, "error at last": last, "processor seconds": round(spent, 1)}


def main() -> None:
    """Measure, print and write."""
    torch.set_num_threads(1)
    hardware = f"{platform.machine()}, {os.cpu_count()} cores, one thread"
    found = {"command": "python benchmarks/motion_listening.py", "hardware": hardware}
    found |= {"matcher": matcher(), "encoder": encoder()}
    OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
