"""Windows, splits and statistics, in memory and from disk; a hundred hours in bounded memory."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from gannb.data.batches import Batches, StreamedBatches
from gannb.experiments.motion.data.clips import MotionDataError
from gannb.experiments.motion.data.corpus import Corpus
from gannb.experiments.motion.data.recordings import Fault
from gannb.experiments.motion.data.synthetic import STYLES, record


@pytest.fixture(scope="module")
def recordings():
    return [record(style, 8.0, take=take) for style in STYLES[:2] for take in range(3)]


@pytest.fixture(scope="module")
def corpus(recordings):
    return Corpus.of(recordings)


def test_clips_are_cut_from_their_recordings(corpus, recordings):
    assert len(corpus) == 6 * 4 and corpus.speakers == ("ada", "ben")
    number, first = corpus.windows[5]
    clip = corpus[5]
    assert clip.pose.shape == (64, 52, 3) and clip.mel.shape == (256, 64)
    np.testing.assert_array_equal(clip.pose, recordings[number].pose[first : first + 64])
    assert corpus.speakers[clip.speaker] == recordings[number].speaker
    np.testing.assert_array_equal(clip.lengths, recordings[number].lengths)


@pytest.mark.parametrize("workers", [None, 2])
def test_small_corpus_goes_whole_on_the_device_and_a_long_one_streams_the_same(corpus, workers):
    """Loaded ahead by other processes too, as for a card."""
    whole, streamed = Batches(corpus.clips(), 8, seed=1), StreamedBatches(corpus, 8, seed=1, workers=workers)
    for step in (0, 1, 2, 7):
        for a, b in zip(whole[step], streamed[step], strict=True):
            assert_close(a, b)
    assert whole[0].pose.shape == (8, 64, 52, 3) and whole[0].speaker.dtype == torch.int64


def test_disk_and_memory_hold_the_same(tmp_path, recordings, corpus):
    faults = Corpus.build(tmp_path, [*recordings, Fault("x", "bad")])
    mapped = Corpus.open(tmp_path)
    assert faults == [Fault("x", "bad")] and mapped.speakers == corpus.speakers
    for a, b in zip(mapped.clips(), corpus.clips(), strict=True):
        assert torch.equal(a, b)


def test_split_is_by_recording_for_every_speaker(corpus):
    train, held_out = corpus.split(0.3, seed=2)
    sides = [{int(n) for n in side.windows[:, 0]} for side in (train, held_out)]
    assert not sides[0] & sides[1] and len(train) + len(held_out) == len(corpus)
    for side in sides:
        assert {corpus.takes[n].speaker for n in side} == {"ada", "ben"}
    assert train.speakers == held_out.speakers == corpus.speakers
    assert np.array_equal(corpus.split(0.3, seed=2)[1].windows, held_out.windows)


def test_one_recording_is_split_in_time_without_overlap():
    train, held_out = Corpus.of([record(STYLES[0], 30.0)]).split(0.3)
    last = max(first + 64 for _, first in train.windows)
    assert last <= min(first for _, first in held_out.windows)


@pytest.mark.parametrize("share", [0.0, 1.0, -1])
def test_share_out_of_range_is_refused(corpus, share):
    with pytest.raises(ValueError, match="held_out"):
        corpus.split(share)


@pytest.mark.parametrize("seconds, share, held, trained", [(5.0, 0.2, 0, 0), (30.0, 0.25, 3, 18), (10.0, 0.9, 5, 0)])
def test_split_that_leaves_too_few_clips_is_refused(seconds, share, held, trained):
    with pytest.raises(ValueError, match=f"gives {held} of .* held out and {trained} to train on; allowed: 4 and 1"):
        Corpus.of([record(STYLES[0], seconds)]).split(share)


def test_statistics_are_those_of_the_frames(corpus, recordings):
    statistics = corpus.statistics()
    covered = [r.pose[: (r.frames - 64) // 16 * 16 + 64] for r in recordings]
    pose = np.concatenate(covered).astype(np.float64)
    assert_close(statistics.pose_mean.double(), torch.from_numpy(pose.mean(0)), atol=1e-6, rtol=0)
    assert_close(statistics.pose_std.double(), torch.from_numpy(pose.std(0).clip(0.01)), atol=1e-6, rtol=1e-4)
    clips = corpus.clips(range(4))
    z = (clips.mel - statistics.mel_mean) / statistics.mel_std
    assert z.std() == pytest.approx(1.0, abs=0.2)


def test_too_short_recordings_are_an_error():
    with pytest.raises(MotionDataError, match="longest has 45: give longer"):
        Corpus.of([record(STYLES[0], 3.0)])


def test_unfinished_or_damaged_corpora_are_refused(tmp_path, recordings):
    with pytest.raises(FileNotFoundError, match=r"no corpus\.json"):
        Corpus.open(tmp_path)
    with pytest.raises(MotionDataError, match=r"no recording to write(?s:.)*a: worn"):
        Corpus.build(tmp_path, [Fault("a", "worn")])
    Corpus.build(tmp_path, recordings)
    with (tmp_path / "mel.f16").open("ab") as file:
        file.write(b"00")
    with pytest.raises(MotionDataError, match=r"mel\.f16.*build the corpus again"):
        Corpus.open(tmp_path)


_HUNDRED_HOURS = r"""
import re, sys
from pathlib import Path
from gannb.data.batches import StreamedBatches
from gannb.experiments.motion.data.corpus import Corpus
corpus = Corpus.open(sys.argv[1])
batches = StreamedBatches(corpus, 64, seed=0)
seconds = sum(take.frames for take in corpus.takes) / 15
held = []
for step in range(10):
    batch = batches[step]
    held.append(int(re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]))
print(seconds / 3600, max(held) / 2**20, batch.pose.shape[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory as Linux tells it")
def test_a_hundred_hours_stay_below_two_gigabytes(tmp_path):
    """Sparse files stand for the data: zeros take no disk, but are mapped and read as data would be.

    Pages of mapped files are left out: how many of them stay in memory is the system's choice, and it takes them back.
    """
    takes, frames = 600, 9000  # ten minutes each
    index = [
        {"name": f"t{n}", "speaker": f"s{n % 30}", "start": n * frames, "frames": frames, "lengths": [0.1] * 51}
        for n in range(takes)
    ]
    (tmp_path / "corpus.json").write_text(json.dumps({"n_mels": 64, "takes": index}))
    for name, size in (("pose.f32", 52 * 3 * 4), ("mel.f16", 4 * 64 * 2)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(takes * frames * size)
    out = subprocess.run([sys.executable, "-c", _HUNDRED_HOURS, str(tmp_path)], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    hours, gigabytes, size = map(float, out.stdout.split())
    assert hours == 100 and gigabytes < 2 and size == 64
