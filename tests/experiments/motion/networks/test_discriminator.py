import pytest
import torch
from torch import nn

from gannb.experiments.motion.networks.discriminator import Discriminator
from gannb.random import generator, seeded

MELS, B, T = 16, 3, 64


def make(**options):
    with seeded("D"):
        return Discriminator(width=16, **options)


def poses(clips=B, frames=T, dtype=torch.float32):
    return 0.1 * torch.randn(clips, frames, 52, 3, generator=generator("pose"), dtype=dtype)


@pytest.mark.parametrize("norm", ["batch", "layer"])
@pytest.mark.parametrize("frames", [16, 32, 64])
def test_one_score_for_every_16_frames(norm, frames):
    assert make(norm=norm)(poses(frames=frames)).shape == (B, frames // 16)


def test_critic_has_neither_batch_norm_nor_dropout_and_keeps_clips_apart():
    critic = make(norm="layer").train()
    assert not [m for m in critic.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm | nn.Dropout)]
    pose = poses()
    torch.testing.assert_close(critic(pose)[1:2], critic(pose[1:2]), atol=1e-5, rtol=0)
    mixing = make(norm="batch").train()
    assert (mixing(pose)[1:2] - mixing(pose[1:2])).abs().max() > 1e-4


def test_scores_are_unbounded_logits():
    D = make()
    with torch.no_grad():
        D.score.bias.fill_(7.0)
    assert D(poses()).min() > 1.0


def test_speech_and_speaker_are_heard_where_asked():
    D = make(n_mels=MELS, speakers=2).eval()
    pose, mel = poses(), torch.randn(B, 4 * T, MELS, generator=generator("mel"))
    first = D(pose, mel, torch.zeros(B, dtype=torch.long))
    assert (D(pose, mel.flip(0), torch.zeros(B, dtype=torch.long)) - first).abs().max() > 1e-5
    assert (D(pose, mel, torch.ones(B, dtype=torch.long)) - first).abs().max() > 1e-5
    with pytest.raises(ValueError, match="give it mel"):
        D(pose)
    with pytest.raises(ValueError, match="give it one"):
        D(pose, mel)
    with pytest.raises(ValueError, match=r"mel has 128 frames, expected 4·64"):
        D(pose, mel[:, :128], torch.zeros(B, dtype=torch.long))


def test_differences_are_of_consecutive_frames():
    D = make(spread=torch.ones(52, 3))
    pose = poses()
    moving = D._with_differences(pose)
    torch.testing.assert_close(moving[:, 5, :, 3:], pose[:, 5] - pose[:, 4])
    assert (moving[:, 0, :, 3:] == 0).all()


def test_the_penalty_can_differentiate_twice():
    critic = make(norm="layer", n_mels=MELS, speakers=2)
    pose = poses().requires_grad_()
    mel, speaker = torch.zeros(B, 4 * T, MELS), torch.zeros(B, dtype=torch.long)
    (grad,) = torch.autograd.grad(critic(pose, mel, speaker).mean(1).sum(), pose, create_graph=True)
    (grad.flatten(1).norm(dim=1) - 1).square().mean().backward()
    without = [n for n, p in critic.named_parameters() if p.grad is None]
    assert without == ["score.bias"]


def test_second_derivatives_are_right():
    critic = make(norm="layer").double()
    inside = 0.1 * torch.randn(1, 16, 52, 3, generator=generator("gg"), dtype=torch.float64)
    direction = torch.randn(inside.shape, generator=generator("dir"), dtype=torch.float64)

    def slope(at):
        at = at.detach().requires_grad_()
        return torch.autograd.grad(critic(at).sum(), at, create_graph=True)[0], at

    grad, at = slope(inside)
    (curve,) = torch.autograd.grad((grad * direction).sum(), at)
    h = 1e-6
    expected = (slope(inside + h * direction)[0] - slope(inside - h * direction)[0]) / (2 * h)
    torch.testing.assert_close(curve, expected.detach(), atol=1e-4 * float(expected.abs().max()), rtol=1e-3)


def test_other_shapes_and_norms_are_refused():
    with pytest.raises(ValueError, match="batch, layer"):
        make(norm="group")
    with pytest.raises(ValueError, match="multiple of 16"):
        make()(poses(frames=24))
