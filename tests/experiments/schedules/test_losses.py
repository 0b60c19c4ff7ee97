"""The objective of `03_schedules`: against its formula, and against the bare terms without noise and augmentation."""

from __future__ import annotations

import pytest
import torch

from gannb.control.numbers import Numbers
from gannb.data.augmentation import augment
from gannb.experiments.schedules.losses import Losses
from gannb.experiments.schedules.params import Schedules
from gannb.losses import adversarial, penalties
from gannb.networks import registry
from gannb.random import Draws, generator, seeded
from gannb.training.turn import Turn

PLAIN = {"instance_noise": 0.0, "augment_strength": 0.0, "variant": "fixed", "variants": ["fixed"]}


def turn_of(p: Schedules, who: str) -> Turn:
    """A turn on eight images, with small networks and the parameters' own numbers."""
    with seeded(0, "networks"):
        G = registry.generator("dcgan", p.latent_dim, 8, 16, 1)
        D = registry.discriminator("dcgan", 8, 16, 1, spectral=True).eval()
    batch = torch.rand(8, 1, 16, 16, generator=generator("images")) * 2 - 1
    return Turn(who, {"G": G, "D": D}, batch, Numbers.of(p).now(), Draws(0, 3, 0), 3)


def generated(turn: Turn, p: Schedules) -> torch.Tensor:
    return turn.G(turn.draws.randn("z", 8, p.latent_dim))


@pytest.mark.parametrize("loss", adversarial.LOSSES)
def test_without_noise_and_augmentation_they_are_the_adversarial_losses(loss: str) -> None:
    p = Schedules(loss=loss, reg_weight=0.0, augment_probability=0.0, **PLAIN)
    pair, losses = adversarial.LOSSES[loss], Losses(p)
    turn = turn_of(p, "D")
    real, fake = turn.D(turn.batch), turn.D(generated(turn, p))
    assert torch.allclose(losses.d_loss(turn_of(p, "D")), pair.d(real, fake), atol=1e-6)
    wanted = pair.g(real, fake) if pair.paired else pair.g(fake)
    assert torch.allclose(losses.g_loss(turn_of(p, "G")), wanted, atol=1e-6)


def test_the_regulariser_is_weighed_and_taken_at_plain_images() -> None:
    for name in ("gradient_penalty", "r1"):
        p, without = (Schedules(regulariser=name, reg_weight=w, **PLAIN) for w in (7.0, 0.0))
        turn = turn_of(p, "D")
        mix = turn.draws.rand("mix", 8)
        penalty = penalties.PENALTIES[name](turn.D, turn.batch, generated(turn, p), mix)
        found = Losses(p).d_loss(turn_of(p, "D")) - Losses(without).d_loss(turn_of(without, "D"))
        assert float(found.detach()) == pytest.approx(7.0 * float(penalty.detach()), rel=1e-4)


def test_a_spectral_scale_replaces_the_penalty() -> None:
    p = Schedules(regulariser="spectral", reg_weight=2.0, **PLAIN)
    turn = turn_of(p, "D")
    real, fake = 5 * turn.D(turn.batch), 5 * turn.D(generated(turn, p))
    assert torch.allclose(Losses(p).d_loss(turn_of(p, "D")), adversarial.non_saturating_d(real, fake), atol=1e-5)
    assert torch.allclose(Losses(p).g_loss(turn_of(p, "G")), adversarial.non_saturating_g(fake), atol=1e-5)


@pytest.mark.parametrize("both", [True, False])
def test_both_kinds_of_images_are_augmented_or_the_real_ones_alone(both: bool) -> None:
    p = Schedules(augment_both=both, instance_noise=0.25, variant="fixed", variants=["fixed"])
    turn, losses = turn_of(p, "D"), Losses(p)
    noise = 0.5 * turn.draws.randn("noise", *turn.batch.shape)
    changed = augment(turn.batch, turn.draws, p.policy, strength=turn.now.augment_strength, probability=torch.ones(()))
    for real, wanted in ((True, changed), (False, changed if both else turn.batch)):
        found = losses.view(turn_of(p, "D"), turn.batch, real=real)
        assert torch.allclose(found, wanted + noise, atol=1e-6)


def test_latents_have_the_variance_of_their_scale() -> None:
    for latent in ("normal", "uniform"):
        p = Schedules(latent=latent, latent_dim=64)
        now = Numbers.of(p).now().replace(latent_scale=torch.tensor(0.25))
        z = Losses(p).latents(Draws(0, 0, 0), 512, now)
        assert z.shape == (512, 64) and float(z.var()) == pytest.approx(0.25, rel=0.02)
    assert float(z.abs().max()) <= 0.5 * 3**0.5


@pytest.mark.parametrize("regulariser", ["gradient_penalty", "r1_r2"])
def test_conditional_losses_use_the_classes_of_the_batch_for_both_kinds_of_images(regulariser: str) -> None:
    p = Schedules(conditional=True, loss="relativistic", regulariser=regulariser, reg_weight=3.0, **PLAIN)
    classes = torch.arange(8) % 3
    with seeded(0, "networks"):
        G = registry.generator("dcgan", p.latent_dim, 8, 16, 1, classes=3)
        D = registry.discriminator("dcgan", 8, 16, 1, spectral=True, classes=3).eval()
    images = turn_of(p, "D").batch

    def turn() -> Turn:
        return Turn("D", {"G": G, "D": D}, (images, classes), Numbers.of(p).now(), Draws(0, 3, 0), 3)

    made, mix = G(turn().draws.randn("z", 8, p.latent_dim), classes), turn().draws.rand("mix", 8)
    pair, real, fake = adversarial.LOSSES[p.loss], D(images, classes), D(made, classes)
    penalty = penalties.PENALTIES[regulariser](lambda x: D(x, classes), images, made, mix)
    assert torch.allclose(Losses(p).d_loss(turn()), pair.d(real, fake) + 3 * penalty, atol=1e-5)
    assert torch.allclose(Losses(p).g_loss(turn()), pair.g(real, fake), atol=1e-5)


def test_classes_are_drawn_as_they_are_frequent() -> None:
    known = torch.tensor([0] * 30 + [1] * 10)
    p, now = Schedules(conditional=True, transfer_to=""), Numbers.of(Schedules()).now()
    z, classes = Losses(p).inputs(Draws(0, 0, 0), 400, now, (known, known))
    assert classes.bincount().tolist() == pytest.approx([300, 100], abs=30)
    assert torch.equal(z, Losses(Schedules()).inputs(Draws(0, 0, 0), 400, now)[0])
