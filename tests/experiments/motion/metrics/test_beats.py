import numpy as np
import pytest
import torch

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.data.corpus import Corpus
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.metrics.beats import (
    VARIANTS,
    BeatVariant,
    _closeness,
    beat_consistency,
    motion_beats,
    speech_onsets,
    speech_stresses,
)
from gannb.random import generator, key

T = 64


def strokes_at(times, frames=T):
    """Motion whose speed is smallest at given times: a minimum-speed dip at each, on all arm joints."""
    t = (np.arange(frames + 1) / FPS)[:, None]
    speed = 1.0 - 0.9 * np.exp(-(((t - 0.5 / FPS) - np.asarray(times)[None]) ** 2) / (2 * 0.1**2)).sum(1)
    travelled = np.cumsum(speed.clip(0.02)) / FPS
    angles = kinematics.within_limits(torch.zeros(frames, 57))
    elbow = torch.tensor(0.9 + 0.35 * travelled[:frames] / travelled[-1] * 4, dtype=torch.float32)
    for side in skeleton.SIDES:
        angles[:, skeleton.ANGLES.index(f"{side}_elbow_flexion")] = elbow
    return kinematics.forward_kinematics(angles)


def noise(clips=6):
    """Every joint jumps about at random: motion that follows nothing."""
    return 0.05 * torch.randn(clips, T, 52, 3, generator=generator("noise"))


def times(clips=6):
    rng = np.random.default_rng(key("onsets"))
    return [np.sort(rng.uniform(0.2, 4.0, 6)) for _ in range(clips)]


def test_settings_are_the_published_ones():
    settings = {v.name: (round(v.sigma, 3), v.order, v.published_fps, v.over) for v in VARIANTS.values()}
    assert settings == {
        "aist": (0.05, 10, 60.0, "motion"),
        "bailando": (0.05, 1, 60.0, "speech"),
        "ha2g": (0.1, 1, 15.0, "speech"),
        "emage": (0.3, 7, 30.0, "speech"),
        "stroke": (0.1, 2, 15.0, "speech"),
    }


@pytest.mark.parametrize("variant", ["aist", "bailando"])
def test_beats_are_found_where_they_were_put(variant):
    put = np.array([0.8, 1.8, 2.8])
    (found,) = motion_beats(strokes_at(put), VARIANTS[variant])
    assert all(np.abs(found - time).min() < 1.0 / FPS for time in put)


@pytest.mark.parametrize("variant", ["aist", "bailando", "ha2g"])
@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_a_beat_off_by_d_scores_the_gaussian_of_d(variant, shift):
    pose = strokes_at([0.8, 1.8, 2.8])[None]
    (beats,) = motion_beats(pose[0], VARIANTS[variant])
    nearest = np.diff(beats).min()
    assert nearest > 0.2 or shift == 0.0 or variant == "ha2g"  # else another beat would be nearer
    onsets = beats[:1] + (shift if len(beats) < 2 or nearest > 0.2 else 0.0)
    score, over = beat_consistency(pose, [onsets], variant)
    apart = np.abs(beats[:, None] - onsets[None]).min(0 if VARIANTS[variant].over == "speech" else 1)
    expected = np.mean(np.exp(-(apart**2) / (2 * VARIANTS[variant].sigma ** 2)))
    assert float(score) == pytest.approx(expected, abs=1e-9)
    assert "no other speech" in over.reason


def test_the_score_is_a_mean_of_gaussians_of_the_nearest_distance():
    speech = VARIANTS["ha2g"]
    beats, onsets = np.array([1.0, 2.0]), np.array([1.0, 2.1, 5.0])
    expected = (1 + np.exp(-0.5) + np.exp(-(3.0**2) / 0.02)) / 3
    assert _closeness(beats, onsets, speech) == pytest.approx(expected)
    motion = VARIANTS["aist"]
    assert _closeness(beats, onsets, motion) == pytest.approx((1 + np.exp(-(0.1**2) / (2 * 0.05**2))) / 2)


@pytest.mark.parametrize("sigma", [0.1, 0.3])
def test_white_noise_meets_every_onset_where_any_frame_may_be_a_beat(sigma):
    naive = BeatVariant("naive", "every minimum of speed counts", sigma, 1, 15.0, "speech", "joints")
    score, over = beat_consistency(noise(12), times(12), naive)
    assert 0.75 <= float(score) <= 0.985
    assert abs(float(over)) < 0.06


def test_white_noise_has_nothing_above_the_baseline_of_any_published_variant():
    real = torch.stack([strokes_at(o[::2]) for o in times()])
    for variant in VARIANTS:
        score, over = beat_consistency(noise(), times(), variant, real=real)
        assert abs(float(over)) < 4 * over.error + 0.05
        assert score.protocol["shuffled"] == pytest.approx(float(score), abs=0.15)
        if variant in ("ha2g", "emage"):
            assert float(score) > 0.7


@pytest.fixture(scope="module")
def corpus():
    """Synthetic speech and motion, with the strokes that were put into each clip."""
    recordings = [record(style, 30.0, seed=2) for style in STYLES]
    corpus = Corpus.of(recordings, stride=64)
    put = [recordings[take].strokes - start / FPS for take, start in corpus.windows]
    return corpus.clips(), [times[(times > 0.1) & (times < 4.1)] for times in put]


def test_stressed_syllables_are_found_in_the_sound(corpus):
    clips, put = corpus
    found = speech_stresses(clips.mel)
    hits = [np.abs(heard[:, None] - true[None]).min(0) < 0.1 for heard, true in zip(found, put)]
    assert np.concatenate(hits).mean() > 0.8


def test_motion_that_follows_its_speech_is_far_above_the_baseline_of_ours(corpus):
    clips, put = corpus
    for beats in (put, speech_stresses(clips.mel)):
        score, over = beat_consistency(clips.pose, beats, "stroke")
        assert float(score) > 0.8
        assert float(over) > 0.35
        assert float(score) - score.protocol["shuffled"] == pytest.approx(float(over), abs=1e-3)


def test_published_scores_hardly_see_the_beats_that_are_known_to_be_there(corpus):
    clips, _ = corpus
    onsets = speech_onsets(clips.mel)
    for variant in ("aist", "bailando", "ha2g", "emage"):
        assert float(beat_consistency(clips.pose, onsets, variant)[1]) < 0.1


def test_the_right_motion_on_late_speech_loses(corpus):
    clips, put = corpus
    scores = [float(beat_consistency(clips.pose, [p + late for p in put], "stroke")[0]) for late in (0.0, 0.1, 0.2)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[2] > 0.25


def test_onsets_of_made_up_speech_are_near_its_syllables(corpus):
    clips, put = corpus
    near = [np.abs(heard[:, None] - true[None]).min(0) for heard, true in zip(speech_onsets(clips.mel), put)]
    assert np.median(np.concatenate(near)) < 0.12


def test_silence_and_stillness_give_a_reason():
    still = kinematics.forward_kinematics(torch.zeros(2, T, 57))
    score, over = beat_consistency(still, times(2), "aist")
    assert "no clip has both" in score.reason
    score, _ = beat_consistency(noise(2), [np.array([]), np.array([])], "ha2g")
    assert not score.available
    assert not over.available


def test_unknown_variants_and_unequal_counts_are_refused():
    with pytest.raises(ValueError, match="aist, bailando, ha2g, emage, stroke"):
        beat_consistency(noise(2), times(2), "naive")
    with pytest.raises(ValueError, match="2 clips of motion and 3 of onsets"):
        beat_consistency(noise(2), times(3), "aist")
