"""LPIPS diversity with a seeded random backbone in a temporary hub cache."""

import pytest
import torch

from gannb.metrics.perceptual import lpips_diversity


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """A torch home with random SqueezeNet weights under torchvision's name."""
    from torchvision import models

    home = tmp_path_factory.mktemp("lpips_home")
    (home / "hub" / "checkpoints").mkdir(parents=True)
    torch.manual_seed(0)
    name = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    torch.save(models.squeezenet1_1().state_dict(), home / "hub" / "checkpoints" / name)
    return home


def images(n, seed=0, size=32):
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_is_the_mean_of_the_packages_own_distances(backbone, monkeypatch):
    import lpips

    monkeypatch.setenv("TORCH_HOME", str(backbone))
    generated = images(4, size=64)
    score = lpips_diversity(generated, "squeeze")
    network = lpips.LPIPS(net="squeeze", verbose=False)
    pairings = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    with torch.no_grad():
        means = [sum(float(network(generated[[a]], generated[[b]])) for a, b in pairs) / 2 for pairs in pairings]
    assert min(abs(score.value - mean) for mean in means) < 1e-6 * score.value
    assert score.protocol["pairs"] == 2 and score.protocol["features"] == "lpips squeeze v0.1"


def test_collapse_has_no_diversity(backbone, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(backbone))
    same, different = (lpips_diversity(x, "squeeze") for x in (images(1).repeat(10, 1, 1, 1), images(10)))
    assert same.value == pytest.approx(0, abs=1e-8) and different.value > 0 and different.error > 0
    assert "64" in different.protocol["resize"]
    assert lpips_diversity(images(10), "squeeze") == different


def test_says_why_it_could_not_be_had(without_inception):
    score = lpips_diversity(images(10))
    assert not score.available and "alexnet" in score.reason and "no network" in score.reason
    assert "found 3" in lpips_diversity(images(3)).reason


def test_unknown_backbone():
    with pytest.raises(ValueError, match="'resnet' is unknown; allowed: alex, squeeze, vgg"):
        lpips_diversity(images(10), "resnet")
