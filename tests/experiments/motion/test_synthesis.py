import math
from itertools import pairwise

import pytest
import torch

from gannb.experiments.motion import kinematics, skeleton, synthesis
from gannb.experiments.motion.networks.generator import Generator
from gannb.experiments.motion.synthesis import Controls
from gannb.random import generator, seeded

MELS, FRAMES = 16, 150


def network(head="angles"):
    with seeded("gesture"):
        G = Generator(MELS, speakers=2, width=16, head=head)
        torch.nn.init.normal_(G.body_out.weight, std=0.5)
        torch.nn.init.normal_(G.hand_out.weight, std=0.5)
        return G.eval()


def speech(frames=FRAMES):
    """Speech whose loudness swings slowly."""
    t = torch.arange(4 * frames)[:, None]
    return torch.sin(0.02 * t * (1 + 0.1 * torch.arange(MELS))) + 0.1 * torch.randn(
        4 * frames, MELS, generator=generator("speech")
    )


@pytest.fixture(scope="module")
def moving():
    """Arms at rest in the lap, swinging, with fingers that swing otherwise."""
    t = torch.arange(64)[:, None]
    angles = kinematics.within_limits(torch.zeros(64, 57)) * 0.3
    swing = 0.15 * torch.sin(0.3 * t + torch.arange(57))
    envelope = (1 + torch.sin(0.1 * t)) / 2
    swing[:, list(skeleton.BODY_ANGLES)] *= envelope
    return synthesis.within(angles + swing)


@pytest.mark.parametrize("frames", [1, 30, 64, 65, 96, 150, 257])
@pytest.mark.parametrize("head", ["angles", "coordinates"])
def test_any_length_of_speech_gives_as_many_frames(frames, head):
    generated = synthesis.generate(network(head), speech(frames), 0)
    assert generated.pose.shape == (frames, 52, 3)
    assert generated.pose.isfinite().all()
    assert (generated.angles is None) == (head == "coordinates")


def test_one_window_is_the_network_itself():
    G, mel = network(), speech(64)
    expected = G(mel[None], torch.zeros(1, dtype=torch.long))[0]
    torch.testing.assert_close(synthesis.generate(G, mel, 0).pose, expected, atol=1e-5, rtol=0)


def test_fading_leaves_what_agrees_as_it_is():
    line = torch.linspace(0, 1, 160)[:, None].expand(-1, 3)
    parts = torch.stack([line[s : s + 64] for s in (0, 32, 64, 96)])
    for sizes in ([4], [1, 3], [2, 1, 1]):
        torch.testing.assert_close(torch.cat(list(synthesis.fade(parts.split(sizes)))), line, atol=1e-6, rtol=0)


@pytest.mark.parametrize("frames", [1, 64, 65, 96, 97, 1056, 1057, 1088, 1200, 2081])
def test_speech_in_pieces_gives_the_motion_of_the_whole_bit_for_bit(frames):
    G, mel = network(), speech(frames)
    whole = synthesis.generate(G, mel, 1)
    pieces = list(synthesis.stream(G, mel.split(4 * 200), frames, 1))
    assert torch.equal(torch.cat(pieces), whole.angles) and max(map(len, pieces)) <= 1024


def jerk_at_and_off(pose, seams):
    """Jerk of the frames whose third difference spans a seam, and of the others."""
    jerk = pose.diff(n=3, dim=0).norm(dim=-1).mean(1)
    at = torch.zeros(len(jerk), dtype=torch.bool)
    for start in seams:
        at[start - 3 : start] = True
    return jerk[at], jerk[~at]


def test_no_seam_where_windows_meet_while_a_hard_cut_would_be_one():
    G, mel, one = network(), speech(320), torch.zeros(1, dtype=torch.long)
    at, off = jerk_at_and_off(synthesis.generate(G, mel, 0).pose, range(32, 320, 32))
    assert at.mean() < off.quantile(0.95)
    parts = torch.cat([G.angles(mel[None, s * 256 : (s + 1) * 256], one) for s in range(5)]).flatten(0, 1)
    cut, rest = jerk_at_and_off(kinematics.forward_kinematics(parts), range(64, 320, 64))
    assert cut.mean() > 1.5 * at.mean()
    assert cut.mean() > 2.0 * rest.median()


def test_bones_and_limits_hold_under_any_control():
    G, bones = network(), 1.1 * skeleton.BONE_LENGTHS
    for controls in (Controls(2.0, 2.0, 1.0, 1.0), Controls(0.0, 0.25, -1.0, 0.5), Controls()):
        generated = synthesis.generate(G, speech(), 1, bones, controls)
        assert (kinematics.limit_violation(generated.angles) > 1e-6).sum() == 0
        assert kinematics.bone_violation(generated.pose, bones).max() < 1e-3


def test_more_amplitude_never_means_less_movement(moving):
    spans = [synthesis.amplify(moving, k) - moving.mean(0) for k in (0.0, 0.5, 1.0, 1.5, 2.0)]
    assert spans[0].abs().max() < 1e-6
    for less, more in pairwise(spans):
        assert (more.abs() >= less.abs() - 1e-6).all()
    assert spans[4].abs().mean() > 1.5 * spans[2].abs().mean()
    torch.testing.assert_close(spans[2], moving - moving.mean(0))


def test_more_height_means_higher_hands(moving):
    wrists = [skeleton.INDEX["left_wrist"], skeleton.INDEX["right_wrist"]]
    levels = [
        synthesis.shaped(moving, Controls(height=h)).pose[:, wrists, 1].mean() for h in (-1.0, -0.5, 0.0, 0.5, 1.0)
    ]
    assert all(a < b for a, b in pairwise(levels))
    assert levels[4] - levels[0] > 0.1


def test_an_arm_that_is_up_is_not_bent_beyond_where_its_hand_still_rises(moving):
    up = moving.clone()
    for side in skeleton.SIDES:
        up[:, skeleton.ANGLES.index(f"{side}_shoulder_flexion")] = math.radians(100)
        up[:, skeleton.ANGLES.index(f"{side}_elbow_flexion")] = math.radians(75)
    wrists = [skeleton.INDEX[f"{side}_wrist"] for side in skeleton.SIDES]
    heights = [
        kinematics.forward_kinematics(synthesis.raise_hands(up, h))[:, wrists, 1].mean()
        for h in (-1, -0.5, 0, 0.25, 0.5, 1)
    ]
    assert heights == sorted(heights)
    assert torch.equal(synthesis.raise_hands(up, 0.75), synthesis.raise_hands(up, 1.0)), "it went as far as it helps"


def test_speed_keeps_the_length_and_scales_the_rate(moving):
    straight = torch.linspace(0.2, 0.8, 65)[:, None].expand(-1, 57)
    half, double = synthesis.change_speed(straight, 0.5), synthesis.change_speed(straight, 2.0)
    assert half.shape == double.shape == straight.shape
    torch.testing.assert_close(half[-1], torch.full((57,), 0.5))
    torch.testing.assert_close(double[32], torch.full((57,), 0.8))
    torch.testing.assert_close(double[-1], torch.full((57,), 0.2), atol=1e-5, rtol=0)
    rates = [synthesis.change_speed(moving, k).diff(dim=0).abs().mean() for k in (0.5, 1.0, 2.0)]
    assert rates[0] < rates[1] < rates[2]


def test_coupling_brings_fingers_to_rest_with_their_arm(moving):
    still = moving.clone()
    arms = [*range(7), *range(27, 34)]
    still[20:44, arms] = still[20, arms]
    free, bound = synthesis.couple(still, 0.0), synthesis.couple(still, 1.0)
    fingers = list(skeleton.HAND_ANGLES)
    rest = slice(26, 38)
    assert free[rest][:, fingers].diff(dim=0).abs().mean() > 0.01
    assert bound[rest][:, fingers].diff(dim=0).abs().mean() < 1e-4
    torch.testing.assert_close(bound[:, list(skeleton.BODY_ANGLES)], still[:, list(skeleton.BODY_ANGLES)])


def test_the_speaker_changes_the_motion():
    G = network()
    assert (synthesis.generate(G, speech(64), 0).pose - synthesis.generate(G, speech(64), 1).pose).abs().max() > 1e-3


def test_positions_can_be_shaped_too():
    generated = synthesis.generate(network("coordinates"), speech(64), 0, controls=Controls(amplitude=0.5))
    assert (kinematics.limit_violation(generated.angles) > 1e-6).sum() == 0
    assert kinematics.bone_violation(generated.pose).max() < 1e-3


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="amplitude is 3, allowed 0 to 2; height is -2"):
        Controls(amplitude=3.0, height=-2.0)
    with pytest.raises(ValueError, match="knows 0 to 1"):
        synthesis.generate(network(), speech(64), 2)
    with pytest.raises(ValueError, match="shorter than one pose frame"):
        synthesis.generate(network(), speech(64)[:3], 0)
    with pytest.raises(ValueError, match="mel: shape"):
        synthesis.generate(network(), torch.zeros(64, MELS + 1), 0)
    assert math.isfinite(float(synthesis.generate(network(), speech(64)[:7], 0).pose.sum()))
