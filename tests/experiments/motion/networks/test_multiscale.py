"""Discriminators at several time scales: what each sees, and that each has the same say."""

import pytest
import torch
from torch import nn

from gannb.experiments.motion.networks.discriminator import Discriminator
from gannb.experiments.motion.networks.multiscale import TimeScales, coarser
from gannb.random import generator, seeded


class Mean(nn.Module):
    """Says the mean of each 16 frames it is given."""

    def forward(self, pose, mel=None, speaker=None):
        self.seen = pose, mel
        return pose.unflatten(1, (-1, 16)).mean(dim=(2, 3, 4))


POSE = torch.randn(3, 64, 52, 3, generator=generator("pose"))
MEL = torch.randn(3, 256, 8, generator=generator("mel"))


def test_coarser_is_the_mean_of_neighbours():
    assert coarser(torch.arange(6.0)[None], 2).tolist() == [[0.5, 2.5, 4.5]]
    assert coarser(MEL, 1) is MEL


def test_every_scale_sees_the_whole_clip_and_has_the_same_say():
    network = TimeScales(Mean, (1, 2, 4))
    scores = network(POSE, MEL)
    assert scores.shape == (3, 12)
    assert [tuple(n.seen[0].shape[:2]) for n in network.scales.values()] == [(3, 64), (3, 32), (3, 16)]
    assert [n.seen[1].shape[1] for n in network.scales.values()] == [256, 128, 64], "four mel frames per pose frame"
    torch.testing.assert_close(scores[:, 8:], POSE.mean(dim=(1, 2, 3))[:, None].expand(3, 4))
    for part in scores.split(4, dim=1):
        torch.testing.assert_close(part.mean(1), POSE.mean(dim=(1, 2, 3)))


def test_with_one_scale_it_is_the_discriminator():
    with seeded("D"):
        plain = Discriminator(16, "layer", n_mels=8, speakers=2)
    with seeded("D"):
        one = TimeScales(lambda: Discriminator(16, "layer", n_mels=8, speakers=2), (1,))
    speaker = torch.tensor([0, 1, 0])
    torch.testing.assert_close(one(POSE, MEL, speaker), plain(POSE, MEL, speaker))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="time scale 4 needs multiples of 64"):
        TimeScales(Mean, (1, 4))(POSE[:, :32], MEL[:, :128])
    for scales in ((), (0,), (2, 2)):
        with pytest.raises(ValueError, match="each once and 1 or more"):
            TimeScales(Mean, scales)
