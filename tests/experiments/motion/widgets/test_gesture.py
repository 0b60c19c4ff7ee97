"""A trained generator under sliders: quick, monotone, and within what a body can do."""

import pytest
import torch

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.widgets.gesture import GestureEditor
from gannb.random import seeded

SPEAKERS = ("ada", "ben")


@pytest.fixture(scope="module", params=["angles", "coordinates"])
def desk(request) -> GestureEditor:
    with seeded("desk"):
        G = Generator(64, speakers=2, width=16, head=request.param).eval()
        for part in (G.body_out, G.hand_out):
            torch.nn.init.normal_(part.weight, std=0.3)
    return GestureEditor(G.requires_grad_(False), record(STYLES[0], seconds=6.0), SPEAKERS)


def test_amplitude_and_height_rise_monotonically(desk: GestureEditor) -> None:
    spread = [desk.gesture(amplitude=a).angles.std(0).sum() for a in (0, 0.5, 1, 1.5, 2)]
    assert spread == sorted(spread) and spread[-1] > spread[0]
    wrists = [skeleton.INDEX["left_wrist"], skeleton.INDEX["right_wrist"]]
    heights = [desk.gesture(height=h).pose[:, wrists, 1].mean() for h in (-1, -0.5, 0.0, 0.5, 1)]
    assert heights == sorted(heights) and heights[-1] > heights[0]


def test_a_shaped_gesture_is_possible_whatever_the_sliders_say(desk: GestureEditor) -> None:
    gesture = desk.gesture("ben", amplitude=2.0, speed=2.0, height=1.0, coupling=1.0)
    assert kinematics.limit_violation(gesture.angles).max() < 1e-6
    assert kinematics.bone_violation(gesture.pose, desk.network.bones[1]).max() < 1e-3


def test_the_network_is_asked_once_a_speaker(desk: GestureEditor, monkeypatch) -> None:
    desk.gesture("ada", amplitude=1.5)
    monkeypatch.setattr(
        "gannb.experiments.motion.widgets.gesture.generate", lambda *_, **__: pytest.fail("it was asked again")
    )
    desk.gesture("ada", amplitude=0.5, height=0.3)


def test_the_real_is_shown_beside_the_made_and_sound_is_packed_once(desk: GestureEditor, monkeypatch) -> None:
    assert set(desk.player(height=0.5).motions) == {"real", "generated"}
    desk.player(height=0.5).page()
    monkeypatch.setattr(
        "gannb.experiments.motion.widgets.skeleton_player._sound", lambda *_: pytest.fail("it was packed again")
    )
    assert "data:audio/ogg" in desk.player(height=-0.5).page()


def test_unknown_speakers_and_controls_out_of_range_are_refused(desk: GestureEditor) -> None:
    with pytest.raises(ValueError, match="knows: ada, ben"):
        desk.gesture("zoe")
    with pytest.raises(ValueError, match="amplitude is 3, allowed 0 to 2"):
        desk.gesture(amplitude=3.0)
