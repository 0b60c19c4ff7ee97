"""Training and held-out clips, as both gesture experiments get them."""

import pytest
import soundfile
import torch

from gannb.data.batches import StreamedBatches
from gannb.experiments.motion.data import recordings
from gannb.experiments.motion.data.clips import MotionDataError
from gannb.experiments.motion.data.corpus import Corpus
from gannb.experiments.motion.data.speech import SAMPLE_RATE
from gannb.experiments.motion.data.split import MotionSplit
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.params import Motion
from gannb.experiments.motion_balance.params import MotionBalance


def told(**values: object) -> Motion:
    return MotionBalance(**{"seconds": 8.0, "n_mels": 16} | values)


@pytest.fixture(scope="module")
def split() -> MotionSplit:
    return MotionSplit.of(told())


def test_no_recording_is_on_both_sides(split: MotionSplit) -> None:
    sides = [{int(n) for n in corpus.windows[:, 0]} for corpus in (split.train, split.held_out)]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert split.speakers == tuple(sorted(style.name for style in STYLES))


def test_scales_are_of_the_training_clips_and_bones_of_each_speaker(split: MotionSplit) -> None:
    scales, clips = split.scales(), split.train.clips()
    torch.testing.assert_close(scales["mel_center"], split.train.statistics().mel_mean)
    torch.testing.assert_close(split.bones[clips.speaker], clips.lengths)
    assert {name: tuple(scale.shape) for name, scale in scales.items()} == {
        "center": (52, 3), "spread": (52, 3), "mel_center": (16,), "mel_spread": (16,), "bones": (4, 51),
    }  # fmt: skip


def test_few_clips_are_chosen_evenly(split: MotionSplit) -> None:
    everything = split.evaluation_clips(10**6)
    few = split.evaluation_clips(3)
    assert len(few.pose) <= 3
    assert torch.equal(few.pose[0], everything.pose[0])
    assert torch.equal(few.pose[1], everything.pose[-(-len(everything.pose) // 3)])


def test_an_example_is_held_out_and_in_step_with_its_sound(split: MotionSplit) -> None:
    example = split.example(32)
    assert torch.equal(torch.from_numpy(example.pose), split.evaluation_clips().pose[0, :32])
    assert example.speech.seconds == pytest.approx(example.seconds, abs=1 / recordings.FPS)


def test_a_corpus_on_disk_is_streamed_and_has_no_sound(tmp_path, split: MotionSplit) -> None:
    Corpus.build(tmp_path, recordings.load("synthetic", seconds=8.0, each=2), n_mels=16)
    mapped = MotionSplit.of(told(data=str(tmp_path)))
    batches = mapped.batches(4, seed=0)
    assert isinstance(batches, StreamedBatches)
    torch.testing.assert_close(batches[0].pose, split.batches(4, seed=0)[0].pose)
    with pytest.raises(MotionDataError, match="holds no sound"):
        mapped.example()
    with pytest.raises(MotionDataError, match="n_mels=16, asked for 32"):
        MotionSplit.of(told(data=str(tmp_path), n_mels=32))


def test_a_folder_of_pairs_is_read_once_and_its_features_kept(tmp_path) -> None:
    import soundfile

    from gannb.experiments.motion.data.synthetic import record

    pairs, cache = tmp_path / "pairs", tmp_path / "cache"
    pairs.mkdir()
    taken = record(STYLES[0], seconds=45.0)
    recordings.export(pairs / "ada_0.npz", taken.pose)
    soundfile.write(pairs / "ada_0.wav", taken.speech.samples, 24_000)
    split = MotionSplit.of(told(data=str(pairs)), cache=cache)
    assert split.speakers == ("ada",)
    assert len(list(cache.glob("*.npy"))) == 1


def test_batches_are_augmented_where_that_is_asked_for(split):
    plain, augmented = split.batches(4, seed=0), split.batches(4, seed=0, noise=1.0, warp=0.2)
    assert plain.per_epoch == augmented.per_epoch and plain.digest() != augmented.digest()
    assert plain[0].pose.shape == augmented[0].pose.shape and not torch.equal(plain[0].mel, augmented[0].mel)
    assert torch.equal(plain[0].speaker, augmented[0].speaker)


def test_speakers_and_files_that_were_left_out_are_shown_before_training(tmp_path) -> None:
    for who in STYLES[:2]:
        take = record(who, 30.0)
        for kind in ("motion", "audio"):
            (tmp_path / kind / who.name).mkdir(parents=True)
        recordings.export(tmp_path / "motion" / who.name / "001.bvh", take.pose)
        soundfile.write(tmp_path / "audio" / who.name / "001.wav", take.speech.samples, SAMPLE_RATE)
    (tmp_path / "motion" / "ada" / "002.bvh").write_text("HIERARCHY")
    shown = repr(MotionSplit.of(told(data=str(tmp_path))))
    assert "speakers: ada, ben;" in shown
    assert "left out: motion/ada/002.bvh: no speech of its name" in shown
