"""The player's page: what is in it, how large it is, what it calls a violation."""

import base64
import io
import json
import re

import numpy as np
import pytest
import soundfile
import torch

from gannb.experiments.motion import kinematics as kin
from gannb.experiments.motion import skeleton as sk
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.widgets.skeleton_player import SkeletonPlayer, violations


@pytest.fixture(scope="module")
def take():
    return record(STYLES[0], 10.0)


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def test_ten_seconds_of_two_motions_are_under_a_megabyte(take):
    shown = SkeletonPlayer({"real": take.pose, "generated": take.pose}, take.speech)._repr_html_()
    assert len(shown.encode()) < 1_000_000


def test_page_asks_nothing_of_the_network(take):
    page = SkeletonPlayer({take.name: take.pose}, take.speech).page()
    assert not re.search(r"https?://|//cdn|@import|url\(", page)
    assert "default-src 'none'" in page


def test_poses_and_speech_come_out_as_they_went_in(take):
    data = data_of(SkeletonPlayer({"real": take.pose}, take.speech).page())
    motion = data["motions"][0]
    pose = np.frombuffer(base64.b64decode(motion["pose"]), "<i2").reshape(-1, 52, 3) * motion["step"]
    np.testing.assert_allclose(pose, take.pose, atol=1e-4)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data["audio"].split(",")[1])))
    assert rate == 24_000 and len(samples) == len(take.speech.samples)
    loud = [np.abs(s).reshape(-1, 240).max(axis=1) for s in (samples, take.speech.samples)]
    assert np.corrcoef(*loud)[0, 1] > 0.99  # and not shifted: lossy, but in place


def test_long_speech_can_be_packed():
    take = record(STYLES[1], 90.0)
    data = data_of(SkeletonPlayer({"a": take.pose}, take.speech).page())
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(data["audio"].split(",")[1])))
    assert len(samples) == 90 * 24_000


def test_planted_violations_are_marked_where_they_are(take):
    assert not violations(torch.from_numpy(take.pose)).any()
    broken = torch.from_numpy(take.pose.copy())
    broken[40:60, sk.INDEX["nose"]] *= 1.05
    angles = torch.from_numpy(take.angles.copy())
    angles[100:103, sk.ANGLES.index("left_index_mcp_flexion")] = np.deg2rad(100)
    bent = kin.forward_kinematics(angles, torch.from_numpy(take.lengths))
    found = violations(broken)
    assert set(np.flatnonzero(found.any(axis=1))) == set(range(40, 60)) and (found[40:60, sk.INDEX["nose"]] == 1).all()
    found = violations(bent)
    assert (found[100:103, sk.INDEX["left_index_mcp"]] == 2).all() and found.any(axis=1).sum() == 3
    page = data_of(SkeletonPlayer({"broken": broken}).page())
    assert page["motions"][0]["note"] == "violations in 20 of 150 frames" and page["audio"] is None


def test_lengths_given_are_what_bones_are_held_against(take):
    lengths = take.lengths.copy()
    lengths[0] *= 1.1
    found = violations(torch.from_numpy(take.pose), torch.from_numpy(lengths))
    assert (found[:, 1] == 1).all() and not found[:, 2:].any()


def test_name_cannot_break_out_of_the_page(take):
    name = "</script><script>alert(1)</script>"
    page = SkeletonPlayer({name: take.pose}).page()
    assert data_of(page)["motions"][0]["name"] == name
    assert page.count("</script>") == 2  # the data's and the program's own


@pytest.mark.parametrize(
    "motions,words",
    [
        ({}, "at least one"),
        ({"a": np.zeros((5, 52))}, r"motion 'a': shape \(5, 52\), expected \[F, 52, 3\]"),
        ({"a": np.zeros((0, 52, 3))}, "motion 'a': shape"),
        ({"a": np.full((5, 52, 3), np.nan)}, r"NaN or infinite positions in frames \[0, 1"),
    ],
)
def test_bad_motions_are_named(motions, words):
    with pytest.raises(ValueError, match=words):
        SkeletonPlayer(motions)


def test_text_form(take):
    assert repr(SkeletonPlayer({take.name: take.pose, "generated": take.pose}, take.speech)) == (
        "SkeletonPlayer(ada_0, generated; 10.0 s, to synthetic speech)"
    )
