"""Networks from parameters: what was said is what is built, and what they know of their data travels with them."""

import pytest
import torch

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.networks import building
from gannb.experiments.motion_balance.params import MotionBalance
from gannb.random import generator

SPEAKERS = 3


@pytest.fixture(scope="module")
def scales() -> dict[str, torch.Tensor]:
    return {
        "center": kinematics.forward_kinematics(torch.zeros(57)),
        "spread": torch.full((52, 3), 0.05),
        "mel_center": torch.full((64,), -7.0),
        "mel_spread": torch.full((64,), 2.0),
        "bones": skeleton.BONE_LENGTHS * torch.linspace(0.9, 1.1, SPEAKERS)[:, None],
    }


def test_networks_are_what_the_parameters_say(scales: dict[str, torch.Tensor]) -> None:
    G = building.generator(MotionBalance(width=32, head="angles", body_hand="off"), SPEAKERS, scales)
    assert (G.head, G.body_hand.order, G.body_out.in_features, G.speakers) == ("angles", "off", 32, SPEAKERS)
    hearing = building.discriminator(MotionBalance(d_width=32), SPEAKERS, scales)
    deaf = building.discriminator(MotionBalance(d_on_speech=False, d_on_speaker=False), SPEAKERS, scales, norm="layer")
    assert hearing.speaker.num_embeddings == SPEAKERS and hearing.mel_scale is not None
    assert deaf.speaker is None and deaf.mel_scale is None


def test_speech_is_scaled_inside_the_networks(scales: dict[str, torch.Tensor]) -> None:
    p, speaker = MotionBalance(), torch.arange(2)
    plain = torch.randn(2, 256, 64, generator=generator("mel"))
    knowing, naive = building.generator(p, SPEAKERS, scales), building.generator(p, SPEAKERS)
    naive.load_state_dict(
        knowing.state_dict() | {"audio.scale.center": torch.zeros(64), "audio.scale.spread": torch.ones(64)}
    )
    torch.testing.assert_close(knowing(plain * 2 - 7, speaker), naive(plain, speaker), atol=1e-5, rtol=0)
    D, pose = building.discriminator(p, SPEAKERS, scales).eval(), knowing(plain * 2 - 7, speaker)
    assert (D(pose, plain * 2 - 7, speaker) - D(pose, plain * 4 - 7, speaker)).abs().max() > 1e-5


def test_the_angles_head_has_each_speakers_bones(scales: dict[str, torch.Tensor]) -> None:
    G = building.generator(MotionBalance(head="angles"), SPEAKERS, scales)
    pose = G(torch.randn(SPEAKERS, 64, 64, generator=generator("mel")), torch.arange(SPEAKERS))
    torch.testing.assert_close(
        kinematics.bone_lengths(pose), scales["bones"][:, None].expand(-1, 16, -1), atol=1e-5, rtol=0
    )


def test_saved_weights_bring_what_was_known_of_the_data(scales: dict[str, torch.Tensor]) -> None:
    p = MotionBalance(head="angles")
    G, empty = building.generator(p, SPEAKERS, scales), building.generator(p, SPEAKERS)
    empty.load_state_dict(G.state_dict())
    assert torch.equal(empty.bones, scales["bones"]) and torch.equal(empty.center, scales["center"])


def test_layers_and_time_scales_are_what_is_asked_for(scales: dict[str, torch.Tensor]) -> None:
    p = MotionBalance(graph_layers="ATA", d_time_scales=[1, 4])
    G = building.generator(p, SPEAKERS, scales)
    assert [type(layer).__name__ for layer in G.graph] == ["GraphBlock", "JointTransformer", "GraphBlock"]
    D = building.discriminator(p, SPEAKERS, scales)
    assert list(D.scales) == ["1", "4"] and D.scales["4"].speaker.num_embeddings == SPEAKERS
    generated = G(torch.zeros(2, 256, 64), torch.tensor([0, 2]))
    assert D(generated, torch.zeros(2, 256, 64), torch.tensor([0, 2])).shape == (2, 8)
