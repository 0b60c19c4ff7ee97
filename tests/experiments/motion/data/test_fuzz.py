"""Ten thousand damaged files per reader, with little memory: every one is read right or named, none ends its folder."""

import json
import os
import subprocess
import sys

import pytest

from gannb.comparison.results import hardware, keep, numbers

FUZZ = """
import io, json, random, resource, sys, tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile

from gannb.experiments.motion.data import bvh, recordings
from gannb.experiments.motion.data.clips import Recording
from gannb.experiments.motion.data.synthetic import STYLES, record

kind, count = sys.argv[1], int(sys.argv[2])
take, rng = record(STYLES[0], 1.0), random.Random(kind)
folder = Path(tempfile.mkdtemp())
content = io.BytesIO()
if kind == "bvh":
    content.write(bvh.write(folder / "x.bvh", take.pose).read_bytes())
elif kind == "export.npz":
    np.savez(content, positions=take.pose, fps=15.0)
elif kind == "smplx.npz":
    np.savez_compressed(content, poses=np.zeros((20, 165)), mocap_frame_rate=30)
else:
    soundfile.write(content, take.speech.samples, 24_000, format=kind)
whole = content.getvalue()
WORDS = [b"nan", b"inf", b"-1", b"1e308", b"1e-300", b"{", b"}", b"MOTION", b"JOINT x", b"End Site", b"", b"\\xff"]


def damaged():
    data = bytearray(whole)
    for _ in range(rng.choice((1, 2, 8, 64))):
        place = rng.randrange(max(1, len(data)))
        way = rng.randrange(5)
        if way == 0:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif way == 1 and kind == "bvh":
            end = data.find(b" ", place + 1)
            data[place : end if end > 0 else place + 1] = b" " + rng.choice(WORDS)
        elif way == 2:
            del data[place : place + rng.choice((1, 4, 100))]
        elif way == 3:
            data[place:place] = data[place : place + rng.choice((1, 4, 100))]
        elif way == 4 and rng.random() < 0.1:
            del data[place:]
    return bytes(data)


resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
motion, voice = ("odd.bvh", f"odd.{kind}") if "." not in kind and kind != "bvh" else (f"odd.{kind[-3:]}", "odd.wav")
recordings.export(folder / "odd.bvh", take.pose) if motion == "odd.bvh" else None
soundfile.write(folder / "odd.wav", take.speech.samples, 24_000)
if voice != "odd.wav":
    (folder / "odd.wav").unlink()
(folder / "x.bvh").unlink(missing_ok=True)
found = Counter()
for number in range(count):
    (folder / (motion if kind == "bvh" or "." in kind else voice)).write_bytes(damaged())
    (outcome,) = recordings.read_folder(folder)
    if isinstance(outcome, Recording):
        assert np.isfinite(outcome.pose).all() and np.isfinite(outcome.speech.samples).all()
        assert 0.15 < outcome.lengths[1] < 0.5 and np.abs(outcome.pose).max() < 10
    else:
        assert outcome.reason.strip()
    found[type(outcome).__name__] += 1
print(json.dumps(found))
"""

READERS = ("bvh", "export.npz", "smplx.npz", "wav", "flac", "ogg")


def fuzz(kind: str, count: int) -> dict[str, int]:
    done = subprocess.run([sys.executable, "-c", FUZZ, kind, str(count)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", READERS)
def test_a_hundred_damaged_files_are_read_or_named(kind) -> None:
    found = fuzz(kind, 100)
    assert sum(found.values()) == 100 and found["Fault"] > 10


@pytest.mark.gate
@pytest.mark.timeout(7200)
def test_ten_thousand_damaged_files_are_read_or_named() -> None:
    """A file that escapes ends its process, so that nothing is kept."""
    count = int(os.environ.get("FUZZ_INPUTS", "10000"))
    found = {kind: fuzz(kind, count) for kind in READERS}
    trials = [
        numbers(kind, escaped=count - sum(outcomes.values()), inputs=count, named=outcomes["Fault"])
        for kind, outcomes in found.items()
    ]
    question = "How many damaged files end the reader of motion or speech without being named?"
    keep("fuzz_motion_readers", trials, question=question, metric="escaped", better="low", hardware=hardware(),
         command="pytest -m gate tests/experiments/motion/data/test_fuzz.py")  # fmt: skip
    assert {kind: sum(outcomes.values()) for kind, outcomes in found.items()} == dict.fromkeys(READERS, count)
