"""Networks for toys: shapes, and that a planted defect is there and nothing else is."""

import pytest
import torch
from torch import nn

from gannb.networks.toys import PointCritic, PointGenerator, SequenceCritic, SequenceGenerator

POINTS, CLIPS = (torch.randn(*shape, generator=torch.Generator().manual_seed(0)) for shape in ((6, 2), (6, 32, 5)))


def moved(critic: nn.Module, x: torch.Tensor) -> float:
    """How far the first sample's score goes when the others are replaced."""
    others = torch.cat([x[:1], 3 * x[1:]])
    with torch.no_grad():
        return float((critic(x)[0] - critic(others)[0]).abs().max())


def test_shapes() -> None:
    assert PointGenerator(latent=4, width=8)(torch.randn(6, 4)).shape == (6, 2)
    assert PointCritic(width=8)(POINTS).shape == (6,)
    generator = SequenceGenerator(features=5, latent=4, width=8)
    assert generator(torch.randn(6, 4)).shape == (6, 32, 5)
    assert SequenceCritic(features=5, width=8)(CLIPS).shape == (6,)
    assert SequenceCritic(features=5, width=8, patches=True)(CLIPS).shape == (6, 8)


def test_a_generator_makes_the_same_sequence_at_any_length() -> None:
    """Growing clips: away from the end, a short one is the beginning of a long one."""
    generator, z = SequenceGenerator(features=5, latent=4, width=8), torch.randn(3, 4)
    torch.testing.assert_close(generator(z, 16)[:, :8], generator(z, 64)[:, :8])


def test_a_score_is_the_mean_of_its_patches() -> None:
    critic = SequenceCritic(features=5, width=8)
    score = critic(CLIPS)
    critic.patches = True
    torch.testing.assert_close(score, critic(CLIPS).mean(dim=1))


@pytest.mark.parametrize("make, x", [(PointCritic, POINTS), (lambda **k: SequenceCritic(5, **k), CLIPS)])
def test_only_batch_norm_couples_samples_and_only_dropout_is_unsteady(make, x) -> None:
    torch.manual_seed(0)
    for norm in ("none", "layer"):
        critic = make(width=8, norm=norm)
        assert moved(critic, x) < 1e-5
        assert torch.equal(critic(x), critic(x))
    assert moved(make(width=8, norm="batch"), x) > 1e-3
    unsteady = make(width=8, dropout=0.5)
    assert not torch.equal(unsteady(x), unsteady(x))


def test_layer_norm_is_per_frame() -> None:
    """A frame far away from a patch does not change its score."""
    critic = SequenceCritic(features=5, width=8, patches=True)
    changed = CLIPS.clone()
    changed[:, 24:] += 5
    with torch.no_grad():
        before, after = critic(CLIPS), critic(changed)
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert (before[:, 7] - after[:, 7]).abs().max() > 1e-3


def test_bad_input_is_told() -> None:
    with pytest.raises(ValueError, match="allowed: none, batch, layer"):
        PointCritic(norm="instance")
    with pytest.raises(ValueError, match="multiple of 4 frames"):
        SequenceCritic(features=5)(torch.randn(2, 30, 5))
