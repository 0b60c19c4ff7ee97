"""The objective of `04_particles_sagan` against its terms: labels, pairs, lazy penalties."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from gannb.control.numbers import Now, Numbers
from gannb.data.augmentation import OPERATIONS, augment
from gannb.experiments.particles_sagan.losses import Losses
from gannb.experiments.particles_sagan.params import LABELLED, WITHOUT_MAGNITUDE, ParticlesSagan
from gannb.losses import adversarial
from gannb.losses.lecam import lecam
from gannb.losses.path_length import path_length_penalty, path_lengths
from gannb.losses.penalties import r1, r2
from gannb.losses.reconstruction import reconstruction_error
from gannb.networks import registry
from gannb.random import Draws, generator, seeded
from gannb.training.turn import Turn

SMALL = {"network": "dcgan", "latent_dim": 16, "image_size": 16}


def turn_of(p: ParticlesSagan, who: str, step: int = 0) -> Turn:
    """A turn on eight images with small networks and the parameters' own numbers."""
    with seeded(0, "networks"):
        G = registry.generator(p.network, p.latent_dim, 8, 16, 1)
        D = registry.discriminator(p.network, 8, 16, 1).eval()
    batch = torch.rand(8, 1, 16, 16, generator=generator("images")) * 2 - 1
    return Turn(who, {"G": G, "D": D}, batch, Numbers.of(p).now(), Draws(0, step, 0), step)


def logits(turn: Turn, p: ParticlesSagan) -> tuple[torch.Tensor, torch.Tensor]:
    fake = turn.G(turn.draws.randn("z", 8, p.latent_dim))
    return turn.D(turn.batch), turn.D(fake)


@pytest.mark.parametrize("loss", adversarial.LOSSES)
def test_without_augmentation_they_are_the_adversarial_losses(loss: str) -> None:
    p = ParticlesSagan(loss=loss, augment="", real_label=0.8, fake_label=0.1, **SMALL)
    pair, losses = adversarial.LOSSES[loss], Losses(p)
    real, fake = logits(turn_of(p, "D"), p)
    labels = (0.8, 0.1) if pair.labels else ()
    assert torch.allclose(losses.d_loss(turn_of(p, "D")), pair.d(real, fake, *labels), atol=1e-6)
    wanted = pair.g(real, fake) if pair.paired else pair.g(fake)
    assert torch.allclose(losses.g_loss(turn_of(p, "G")), wanted, atol=1e-6)


def test_real_and_generated_images_pass_the_same_augmentation() -> None:
    p = ParticlesSagan(augment="hflip,brightness", **SMALL)
    turn = turn_of(p, "D")
    wanted = augment(turn.batch, turn.draws, p.policy, strength=torch.ones(()), probability=torch.ones(()))
    found = Losses(p).view(turn_of(p, "D"), turn.batch)
    assert torch.equal(found, wanted) and not torch.equal(found, turn.batch)


def test_the_labels_move_with_their_numbers() -> None:
    p = ParticlesSagan(loss="bce", augment="", **SMALL)
    turn = turn_of(p, "D")
    real, fake = logits(turn_of(p, "D"), p)
    turn.now = turn.now.replace(real_label=torch.tensor(0.7))
    assert torch.allclose(Losses(p).d_loss(turn), adversarial.bce_d(real, fake, 0.7, 0.0), atol=1e-6)


def test_r1_comes_every_few_steps_and_as_much_stronger() -> None:
    p = ParticlesSagan(loss="bce", augment="", penalty_weight=0.5, penalty_every=4, **SMALL)
    bare = ParticlesSagan(loss="bce", augment="", **SMALL)
    for step, share in ((3, 0.0), (4, 4 * 0.5), (8, 4 * 0.5)):
        turn = turn_of(p, "D", step)
        added = Losses(p).d_loss(turn_of(p, "D", step)) - Losses(bare).d_loss(turn_of(bare, "D", step))
        assert float(added.detach()) == pytest.approx(share * float(r1(turn.D, turn.batch).detach()), rel=0.05)


def test_both_penalties_of_r3gan_see_the_images_that_d_sees() -> None:
    given = {"network": "r3gan", "augment": "", "latent_dim": 16, "image_size": 16, "precision": "fp32"}
    p, bare = ParticlesSagan(penalty="r1_r2", penalty_weight=2.0, penalty_every=1, **given), ParticlesSagan(**given)
    turn = turn_of(p, "D", 3)
    added = Losses(p).d_loss(turn_of(p, "D", 3)) - Losses(bare).d_loss(turn_of(bare, "D", 3))
    expected = r1(turn.D, turn.batch) + r2(turn.D, Losses(p).generate(turn))
    assert float(added.detach()) == pytest.approx(2 * float(expected.detach()), rel=1e-3)


def test_path_lengths_are_of_half_a_batch_and_logged() -> None:
    given = {"network": "stylegan2", "loss": "bce", "augment": "", "latent_dim": 16, "image_size": 16}
    p = ParticlesSagan(path_length_weight=2.0, path_length_every=4, path_length_target=0.1, **given)
    bare, turn = ParticlesSagan(**given), turn_of(p, "G", 4)
    w = turn.G.mapping(turn.draws.randn("path", 4, 16))[:, None].expand(-1, turn.G.layers, -1)
    lengths = path_lengths(turn.G.synthesis, w, turn.draws.randn("noise", 4, 1, 16, 16))
    again = turn_of(p, "G", 4)
    added = Losses(p).g_loss(again) - Losses(bare).g_loss(turn_of(bare, "G", 4))
    assert float(added.detach()) == pytest.approx(float(4 * 2.0 * path_length_penalty(lengths, 0.1).detach()), rel=1e-3)
    assert float(again.logged["path_length"]) == pytest.approx(float(lengths.mean().detach()), rel=1e-4)
    assert "path_length" not in turn_of(p, "G", 3).logged


def test_d_reconstructs_the_real_images_that_it_sees() -> None:
    given = {"network": "fastgan", "loss": "hinge", "augment": "translation", "latent_dim": 16, "image_size": 16}
    p, bare = ParticlesSagan(reconstruction_weight=3.0, **given), ParticlesSagan(**given)
    turn, again = turn_of(p, "D"), turn_of(p, "D")
    added = Losses(p).d_loss(turn) - Losses(bare).d_loss(turn_of(bare, "D"))
    seen = augment(again.batch, again.draws, p.policy)
    expected = reconstruction_error(again.D.reconstruct(seen)[1], seen)
    assert float(added.detach()) == pytest.approx(3 * float(expected.detach()), rel=1e-3)
    assert float(turn.logged["reconstruction"]) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_lecam_reads_the_running_means_of_the_logits_that_it_logs() -> None:
    given = {"loss": "hinge", "augment": "", **SMALL}
    p, bare = ParticlesSagan(lecam_weight=0.5, lecam_real=2.0, lecam_fake=-1.0, **given), ParticlesSagan(**given)
    real, fake = logits(turn_of(p, "D"), p)
    turn, without = turn_of(p, "D"), turn_of(bare, "D")
    added = Losses(p).d_loss(turn) - Losses(bare).d_loss(without)
    assert float(added.detach()) == pytest.approx(0.5 * float(lecam(real, fake, 2.0, -1.0).detach()), rel=1e-5)
    assert turn.logged["logit_real"] == pytest.approx(real.mean().item())
    assert turn.logged["logit_fake"] == pytest.approx(fake.mean().item())
    assert turn.logged.keys() - without.logged.keys() == {"logit_real", "logit_fake"}


CONFIGURATIONS = [
    {"loss": "relativistic"}, {"loss": "bce", "augment": ""}, {"loss": "least_squares", "augment": "brightness"},
    {"loss": "hinge"}, {"loss": "bce", "network": "stylegan2"}, {"loss": "hinge", "network": "fastgan"},
    {"lecam_weight": 0.1},
]  # fmt: skip


def losses_at(p: ParticlesSagan, **moved: float) -> tuple[float, float]:
    """D's and G's loss at step 0 with some numbers moved."""
    found = []
    for who in ("D", "G"):
        turn = turn_of(p, who)
        plain = SimpleNamespace(**vars(turn.now.plain) | moved)
        numbers = {name: torch.tensor(value) for name, value in moved.items()}
        turn.now = Now({k: v for k, v in vars(turn.now).items() if k != "plain"} | numbers, plain)
        found.append(float((Losses(p).d_loss if who == "D" else Losses(p).g_loss)(turn).detach()))
    return tuple(found)


@pytest.mark.parametrize("given", CONFIGURATIONS, ids=str)
def test_exactly_the_numbers_that_are_declared_to_act_change_a_loss(given: dict[str, str]) -> None:
    p = ParticlesSagan(**SMALL | given)
    base = {"augment_probability": 0.5, "augment_strength": 0.5}
    moves = {"real_label": 0.6, "fake_label": 0.2, "penalty_weight": 3.0}
    moves |= {"augment_probability": 0.9, "augment_strength": 0.9}
    if p.network == "stylegan2":
        base |= {"path_length_weight": 1.0}
        moves |= {"path_length_weight": 2.0, "path_length_target": 1.0}
    else:  # a rule refuses to move the weight there
        assert {"path_length_weight", "path_length_target"} <= p.inactive()
    if p.network == "fastgan":
        moves |= {"reconstruction_weight": 1.0, "penalty_weight": 1e6}  # before training its logits hardly slope
    else:
        assert "reconstruction_weight" in p.inactive()
    moves |= {"lecam_real": 1.0, "lecam_fake": -1.0}
    before = losses_at(p, **base)
    acting = {name for name, value in moves.items() if losses_at(p, **base | {name: value}) != before}
    assert acting == moves.keys() - p.inactive()


def test_the_losses_with_labels_and_the_operations_without_magnitude_are_those_of_the_registries() -> None:
    assert set(LABELLED) == {name for name, pair in adversarial.LOSSES.items() if pair.labels}
    images = torch.rand(4, 3, 16, 16, generator=generator("images"))

    def same(name: str) -> bool:
        weak, strong = (augment(images, Draws(0, 0, 0), (name,), strength=s, probability=1.0) for s in (0.2, 0.9))
        return torch.equal(weak, strong)

    assert set(WITHOUT_MAGNITUDE) == {name for name in OPERATIONS if same(name)}
