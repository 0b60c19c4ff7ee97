"""The synthetic corpus: everything in it is known, and it is what it says it is."""

import numpy as np
import pytest
import torch

from gannb.experiments.motion import kinematics as kin
from gannb.experiments.motion import skeleton as sk
from gannb.experiments.motion.data.clips import FPS
from gannb.experiments.motion.data.speech import log_mel
from gannb.experiments.motion.data.synthetic import STYLES, record


@pytest.fixture(scope="module", params=STYLES, ids=lambda style: style.name)
def take(request):
    return request.param, record(request.param, 30.0)


def hand_speed(pose: np.ndarray) -> np.ndarray:
    hands = pose[:, [sk.INDEX["left_hand"], sk.INDEX["right_hand"]]]
    return np.linalg.norm(np.gradient(hands, 1 / FPS, axis=0), axis=-1).max(axis=1)


def test_bones_limits_and_angles_are_right_by_construction(take):
    style, recording = take
    pose = torch.from_numpy(recording.pose)
    assert recording.frames == 450 and recording.speaker == style.name
    assert kin.bone_violation(pose, torch.from_numpy(recording.lengths)).max() < 1e-4
    assert kin.limit_violation(torch.from_numpy(recording.angles)).max() == 0
    assert torch.rad2deg(kin.limit_violation(kin.joint_angles(pose))).max() < 0.5
    np.testing.assert_allclose(recording.lengths, sk.BONE_LENGTHS * style.size, rtol=1e-6)


def test_hands_rush_to_a_stroke_and_stop_on_it(take):
    _, recording = take
    speed = hand_speed(recording.pose)
    frames = np.round(recording.strokes * FPS).astype(int)
    rush = np.stack([speed[f - 4 : f].max() for f in frames])
    rest = np.stack([speed[f : f + 3].min() for f in frames])
    assert (rush > 2 * rest).mean() > 0.9
    shuffled = np.random.default_rng(0).integers(5, len(speed) - 5, len(frames))
    assert rush.mean() > 1.2 * np.mean([speed[f - 4 : f].max() for f in shuffled])


def test_gestures_go_with_this_speech_and_not_with_another(take):
    style, recording = take
    loud = np.exp(log_mel(recording.speech)).sum(axis=1).reshape(-1, 4).mean(axis=1)[: recording.frames]
    other = record(style, 30.0, take=1)
    speed = hand_speed(recording.pose)

    def agreement(speech_loudness: np.ndarray) -> float:
        lags = [np.corrcoef(speed[: len(speed) - lag], speech_loudness[lag:])[0, 1] for lag in range(1, 5)]
        return max(lags)  # the hand is fastest just before the stressed syllable

    elsewhere = np.exp(log_mel(other.speech)).sum(axis=1).reshape(-1, 4).mean(axis=1)[: recording.frames]
    assert agreement(loud) > agreement(elsewhere) + 0.1


def test_recording_is_a_function_of_its_address():
    one, again = record(STYLES[0], 5.0, seed=4), record(STYLES[0], 5.0, seed=4)
    np.testing.assert_array_equal(one.pose, again.pose)
    np.testing.assert_array_equal(one.speech.samples, again.speech.samples)
    for other in (record(STYLES[0], 5.0, seed=5), record(STYLES[0], 5.0, seed=4, take=1)):
        assert np.abs(one.pose - other.pose).max() > 0.01


def test_styles_can_be_told_apart():
    mean = {style.name: record(style, 30.0) for style in STYLES}
    right, left = sk.INDEX["right_hand"], sk.INDEX["left_hand"]
    moved = {name: np.diff(r.pose, axis=0).std(axis=(0, 2)) for name, r in mean.items()}
    assert moved["ben"][right] > 1.5 * moved["ben"][left] and moved["dan"][left] > moved["dan"][right]
    height = {name: r.pose[:, right, 1].mean() for name, r in mean.items()}
    assert height["cleo"] > height["dan"] > height["ben"]
