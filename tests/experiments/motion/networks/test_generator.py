import pytest
import torch

from gannb.experiments.motion import kinematics, skeleton
from gannb.experiments.motion.networks.blocks import Attention, BodyHandAttention, ChannelAttention
from gannb.experiments.motion.networks.generator import Generator, UNet
from gannb.random import generator, seeded

MELS, WIDTH, B, T = 16, 16, 3, 16


def make(**options):
    with seeded("G"):
        return Generator(MELS, speakers=3, width=WIDTH, **options)


def speech(clips=B, frames=T):
    mel = torch.randn(clips, 4 * frames, MELS, generator=generator("mel"))
    return mel, torch.arange(clips) % 3


@pytest.mark.parametrize("head", ["coordinates", "angles"])
def test_a_motion_has_four_mel_frames_a_pose_frame(head):
    motion = make(head=head)(*speech())
    assert motion.shape == (B, T, 52, 3)
    assert motion.dtype == torch.float32


@pytest.mark.parametrize("head", ["coordinates", "angles"])
def test_every_parameter_learns_and_half_precision_ends_in_single(head):
    G = make(head=head)
    with torch.autocast("cpu", torch.bfloat16):
        motion = G(*speech())
    assert motion.dtype == torch.float32
    motion.square().sum().backward()
    assert [n for n, p in G.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


def test_parameter_counts_are_the_scales_of_the_specification():
    millions = {c: sum(p.numel() for p in Generator(64, 4, c).parameters()) / 1e6 for c in (64, 256)}
    assert millions[64] == pytest.approx(2.9, rel=0.05)
    assert millions[256] == pytest.approx(46, rel=0.05)


def test_angles_head_holds_bones_and_limits_over_a_million_joint_frames():
    G = make(head="angles").eval()
    for p in G.body_out.parameters(), G.hand_out.parameters():
        for weight in p:
            torch.nn.init.normal_(weight, std=20.0, generator=generator("wild"))  # far beyond what training gives
    bones = skeleton.BONE_LENGTHS * torch.linspace(0.9, 1.1, 320)[:, None]
    with torch.no_grad():
        mel, _ = speech(320, 64)
        angles = G.angles(mel, torch.zeros(320, dtype=torch.long))
        motion = G(mel, torch.zeros(320, dtype=torch.long), bones)
    assert motion[..., 0].numel() >= 10**6
    assert angles.std() > 0.3
    assert (kinematics.limit_violation(angles) > 1e-6).sum() == 0
    assert (kinematics.bone_violation(motion, bones[:, None]) > 1e-3).sum() == 0


def test_angles_go_where_they_belong():
    G = make(head="angles")
    raw = torch.arange(57.0).expand(1, T, 57)
    G._outputs = lambda mel, speaker: raw
    order = [*skeleton.BODY_ANGLES, *skeleton.HAND_ANGLES]
    placed = torch.logit(
        ((G.angles(*speech(1)) - skeleton.LIMITS[:, 0]) / (skeleton.LIMITS[:, 1] - skeleton.LIMITS[:, 0])).double()
    )
    small = [i for i in range(57) if order.index(i) < 5]
    expected = torch.tensor([order.index(i) + float(G.rest[i]) for i in small], dtype=torch.float64)
    torch.testing.assert_close(placed[0, 0, small], expected, atol=1e-2, rtol=0)


@pytest.mark.parametrize("head", ["coordinates", "angles"])
def test_motion_starts_around_the_datas_mean_pose(head):
    angles = kinematics.within_limits(0.5 * torch.randn(57, generator=generator("pose")))
    center = kinematics.forward_kinematics(angles)
    G = make(head=head, center=center, spread=torch.full((52, 3), 0.01))
    torch.nn.init.zeros_(G.body_out.weight), torch.nn.init.zeros_(G.body_out.bias)
    torch.nn.init.zeros_(G.hand_out.weight), torch.nn.init.zeros_(G.hand_out.bias)
    assert (G(*speech()) - center).abs().max() < 0.1 if head == "angles" else 1e-6


def test_the_speaker_matters_and_clips_do_not_mix():
    G = make().eval()
    mel, speaker = speech()
    together, alone = G(mel, speaker), G(mel[1:2], speaker[1:2])
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=0)
    assert (G(mel, (speaker + 1) % 3) - together).abs().max() > 1e-4


@pytest.mark.parametrize(("norm", "least", "most"), [(True, 0.99, 1.01), (False, 1e5, 1e15)])
def test_with_norms_the_scale_of_the_convolutions_is_no_scale_of_the_features(norm, least, most):
    """Six layers a hundred times as large: without norms their product goes through."""
    with seeded("unet"), torch.no_grad():
        unet = UNet(16, norm=norm)
        x = torch.randn(2, 16, T, generator=generator("unet"))
        before = unet(x).std()
        for layer in [*unet.down, *unet.up]:
            conv = layer[0] if norm else layer
            conv.weight.mul_(100), conv.bias.mul_(100)
        assert least < unet(x).std() / before < most


def test_body_hand_attention_follows_the_formula():
    with seeded("bh"):
        both = BodyHandAttention(16, heads=8)
    body, hand = torch.randn(2, 2, 5, 16, generator=generator("bh"))
    new_body, new_hand = both(body, hand)
    torch.testing.assert_close(new_hand, both.hand_norm(hand + both.hand_queries_body(hand, body)))
    torch.testing.assert_close(new_body, both.body_norm(body + both.body_queries_hand(body, hand)))
    both.order = "sequential"
    later_body, same_hand = both(body, hand)
    torch.testing.assert_close(same_hand, new_hand)
    torch.testing.assert_close(later_body, both.body_norm(body + both.body_queries_hand(body, new_hand)))
    off_body, off_hand = BodyHandAttention(16, order="off")(body, hand)
    assert off_body is body
    assert off_hand is hand


def test_attention_equals_torchs():
    with seeded("mha"):
        ours, theirs = Attention(16, 4), torch.nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key_value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key_value.bias]))
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    q, c = torch.randn(2, 5, 16, generator=generator("q")), torch.randn(2, 7, 16, generator=generator("c"))
    torch.testing.assert_close(ours(q, c), theirs(q, c, c, need_weights=False)[0], atol=1e-5, rtol=1e-4)


def test_channel_attention_only_scales_channels():
    x = torch.randn(2, 8, 5, generator=generator("ca"))
    ratio = ChannelAttention(8)(x) / x
    torch.testing.assert_close(ratio, ratio[..., :1].expand_as(ratio), atol=1e-4, rtol=1e-3)
    assert ((ratio > 0) & (ratio < 1)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"head": "bones"}, "coordinates, angles"), ({"body_hand": "both"}, "parallel, sequential, off")],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_speech_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="multiple of 32"):
        make()(torch.zeros(1, 4 * 12, MELS), torch.zeros(1, dtype=torch.long))
    with pytest.raises(ValueError, match=r"expected \[clips, 4·frames, 16\]"):
        make()(torch.zeros(1, 64, MELS + 1), torch.zeros(1, dtype=torch.long))
    with pytest.raises(ValueError, match="gives coordinates"):
        make().angles(*speech())
