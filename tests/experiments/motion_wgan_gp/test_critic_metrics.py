"""What a critic says, against critics and samples whose answer is known."""

import numpy as np
import pytest
import torch
from torch import nn

from gannb.data import toys
from gannb.experiments.motion.data.clips import Clips
from gannb.experiments.motion_wgan_gp.critic_metrics import (
    distances,
    exact_distance,
    gesture_distance,
    gradient_norms,
    scores,
    slope_norms,
    surface,
)
from gannb.experiments.motion_wgan_gp.penalties import correct
from gannb.losses import adversarial as L
from gannb.networks.toys import PointCritic, PointGenerator, SequenceCritic
from gannb.random import generator, seeded

POINTS = torch.randn(400, 2, generator=generator("test critic"))


def first(x: torch.Tensor) -> torch.Tensor:
    return x[:, 0]


def test_a_shift_is_its_own_distance() -> None:
    assert distances(first, POINTS + 3, POINTS, POINTS)["W_train"] == pytest.approx(3.0, abs=1e-5)
    assert exact_distance(POINTS + torch.tensor([3.0, 0.0]), POINTS) == pytest.approx(3.0, abs=1e-6)


def test_the_offset_of_the_critic_is_free() -> None:
    """W7."""
    data = POINTS + 1, POINTS, POINTS
    assert distances(lambda x: first(x) + 100, *data) == pytest.approx(distances(first, *data), abs=1e-4)


def test_train_and_held_out_against_the_same_samples() -> None:
    assert distances(first, POINTS + 2, POINTS - 1, POINTS) == pytest.approx(
        {"W_train": 2.0, "W_held_out": -1.0}, abs=1e-5
    )


def test_a_score_is_the_mean_of_patches_in_batches_of_any_size() -> None:
    critic = SequenceCritic(features=3, width=8, patches=True).eval()
    x = torch.randn(7, 8, 3)
    torch.testing.assert_close(scores(critic, x, batch_size=3), critic(x).mean(dim=1).detach())


def test_exact_distance_pairs_best() -> None:
    one, two = torch.tensor([[0.0], [10.0]]), torch.tensor([[11.0], [2.0]])
    assert exact_distance(one, two) == pytest.approx(1.5)
    with pytest.raises(ValueError, match="one shape is needed"):
        exact_distance(one, two[:1])


def test_slopes_are_the_penaltys() -> None:
    norms = slope_norms(lambda x: 3 * x[:, 0] + 4 * x[:, 1], POINTS[:8], POINTS[8:16], torch.rand(8))
    torch.testing.assert_close(norms, torch.full((8,), 5.0))


def test_a_surface_has_y_in_rows_and_mean_0() -> None:
    shown = surface(lambda x: 2 * x[:, 0] + 10, reach=1.0, size=5)
    np.testing.assert_allclose(shown.axis, [-1, -0.5, 0, 0.5, 1])
    np.testing.assert_allclose(shown.values, np.tile([-2, -1, 0, 1, 2], (5, 1)), atol=1e-6)
    assert surface(PointCritic(width=8)).values.shape == (41, 41)


def test_a_trained_critic_estimates_the_exact_distance() -> None:
    """λ = 10 keeps slopes near 1, so that the estimate is near the distance of the two samples.

    Six seeds on three instruction sets gave 1.075 to 1.108 times the distance, and slopes of 1.07 to 1.11.
    """
    real = toys.toy("8 Gaussians", train=256, held_out=256)
    fake = 0.1 * POINTS[:256]
    with seeded(0, "critic"):
        critic = PointCritic(width=48, depth=2)
    optimiser = torch.optim.Adam(critic.parameters(), lr=3e-3, betas=(0.0, 0.9))
    for step in range(250):
        mix = torch.rand(256, generator=generator("mix", step))
        penalty, _ = correct(critic, real.train, fake, mix)
        loss = L.wasserstein_d(critic(real.train), critic(fake)) + 10 * penalty
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    held_out = distances(critic, real.train, real.held_out, fake)["W_held_out"]
    assert held_out == pytest.approx(exact_distance(real.held_out, fake), rel=0.2)
    assert slope_norms(critic, real.train, fake, torch.rand(256)).mean() == pytest.approx(1.0, abs=0.2)


def test_the_distance_of_gestures_is_over_all_clips_and_patches() -> None:
    """A critic that reads the height of a pose scores real clips at 2, generated ones at 0.5, whatever the batches."""
    clips = Clips(
        torch.full((5, 16, 52, 3), 2.0), torch.zeros(5, 64, 8), torch.zeros(5, dtype=torch.long), torch.ones(5, 51)
    )

    class Height(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, pose: torch.Tensor, mel: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
            return self.weight * pose.mean((2, 3)).unflatten(1, (4, 4)).mean(2)

    def generated(mel: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        return torch.full((len(mel), 16, 52, 3), 0.5)

    for size in (2, 64):
        assert gesture_distance(Height(), generated, clips, size) == pytest.approx(1.5)


def test_a_saturated_d_teaches_nothing_under_the_minimax_loss() -> None:
    """W16: JS gradients vanish where D is sure; those of the Wasserstein loss, and of -log D, do not."""
    with seeded(0, "generator"):
        G = PointGenerator(latent=4, width=16, depth=1)
    z = torch.randn(64, 4, generator=generator("z"))
    losses = {"minimax": L.saturating_g, "non-saturating": L.non_saturating_g, "wasserstein": L.wasserstein_g}
    unsure, sure = (
        gradient_norms(G, lambda x, size=size: size * first(x) - 10 * size, z, losses) for size in (0.01, 3.0)
    )
    assert sure["minimax"] < 1e-9 < 1e-3 < unsure["minimax"]
    assert sure["non-saturating"] == pytest.approx(sure["wasserstein"], rel=1e-5), "σ(-30) = 0: -log σ is a line there"
    assert sure["wasserstein"] == pytest.approx(300 * unsure["wasserstein"], rel=1e-4)
    assert all(p.grad is None for p in G.parameters())


def test_lessons_look_and_leave_the_critic_alone() -> None:
    critic, G = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)), PointGenerator(latent=4, width=8, depth=1)
    gradient_norms(G, critic, torch.randn(4, 4), {"w": L.wasserstein_g})
    assert all(p.grad is None for p in critic.parameters())
