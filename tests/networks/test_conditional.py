"""Conditional networks: the class changes what G generates and D says; all else is as it is without classes."""

import pytest
import torch

from gannb.networks import registry
from gannb.networks.layers import ConditionalBatchNorm, Projection, recalibrate_batchnorm
from gannb.random import generator, seeded

ABLE = [name for name, known in registry.NETWORKS.items() if "classes" in known.options]
OPTIONS = {"sagan": {"attention_at": [8]}}
Z = torch.randn(6, 8, generator=generator("conditional"))
CLASSES = torch.tensor([0, 1, 2, 0, 1, 2])


def pair(network: str, **more):
    options = OPTIONS.get(network, {}) | more
    with seeded(0, network):
        return registry.generator(network, 8, 8, 16, 3, **options), registry.discriminator(network, 8, 16, 3, **options)


@pytest.mark.parametrize("spectral", [False, True])
@pytest.mark.parametrize("network", ABLE)
def test_the_class_changes_what_both_do_and_every_weight_learns(network: str, spectral: bool) -> None:
    G, D = pair(network, classes=3, spectral=spectral)
    D(G(Z, CLASSES), CLASSES).square().sum().backward()
    without = [name for net in (G, D) for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert [
        name for name in without if "gamma" not in name and "attention" not in name and "strength" not in name
    ] == []
    G, D = G.eval(), D.eval()
    images = G(Z, CLASSES)
    other = (CLASSES + 1) % 3
    assert not torch.isclose(images, G(Z, other)).all(dim=(1, 2, 3)).any()
    assert not torch.isclose(D(images, CLASSES), D(images, other), rtol=1e-6, atol=0).any()


@pytest.mark.parametrize("network", ABLE)
def test_all_but_the_class_is_as_without_it(network: str) -> None:
    _, plain = pair(network)
    with seeded(0, network):
        registry.generator(network, 8, 8, 16, 3, **OPTIONS.get(network, {}))
        D = registry.discriminator(network, 8, 16, 3, classes=3, **OPTIONS.get(network, {}))
    shared = plain.state_dict()
    assert all(torch.equal(tensor, D.state_dict()[name]) for name, tensor in shared.items())
    assert all(name.startswith("projection.") for name in set(D.state_dict()) - set(shared))
    D.projection = None
    images = torch.rand(6, 3, 16, 16, generator=generator("images"))
    assert torch.equal(D(images, CLASSES), plain(images))


@pytest.mark.parametrize("network", ABLE)
def test_without_its_classes_a_conditional_network_fails(network: str) -> None:
    G, D = pair(network, classes=3)
    with pytest.raises((TypeError, AttributeError)):
        G(Z)
    with pytest.raises((TypeError, AttributeError)):
        D(torch.zeros(6, 3, 16, 16))


def test_a_batchnorm_per_class_against_its_formula() -> None:
    norm = ConditionalBatchNorm(2, 3)
    norm.shift.weight.data = torch.arange(6.0).view(3, 2)
    x = torch.randn(6, 2, 4, 4, generator=generator("x"))
    plain = torch.nn.functional.batch_norm(x, None, None, training=True)
    wanted = plain * norm.scale.weight[CLASSES][:, :, None, None] + norm.shift.weight[CLASSES][:, :, None, None]
    torch.testing.assert_close(norm(x, CLASSES), wanted)


def test_a_projection_against_its_formula() -> None:
    projection, features = Projection(3, 4), torch.randn(6, 4, generator=generator("features"))
    wanted = [features[i] @ projection.embedding.weight[CLASSES[i]] for i in range(6)]
    torch.testing.assert_close(projection(features, CLASSES), torch.stack(wanted))


def test_batchnorm_is_recalibrated_with_latents_and_classes() -> None:
    G, _ = pair("dcgan", classes=3)
    mean = G.start[1].running_mean.clone()
    recalibrate_batchnorm(G, Z, CLASSES, batch_size=6)
    torch.testing.assert_close(G.start[1].running_mean, G.start[0](Z[:, :, None, None]).mean((0, 2, 3)))
    assert not torch.equal(G.start[1].running_mean, mean) and not G.training


@pytest.mark.parametrize("classes", [1, 0, -1, 2.0, True, "3"])
def test_fewer_than_two_classes_are_none(classes: object) -> None:
    with pytest.raises(ValueError, match="a whole number of at least 2"):
        registry.generator("dcgan", 8, 8, 16, 1, classes=classes)


def test_a_network_without_a_conditional_form_says_so() -> None:
    with pytest.raises(ValueError, match="r3gan has no option 'classes'"):
        registry.generator("r3gan", 8, 8, 16, 1, classes=3)
