"""Feature spaces: Inception as pytorch-fid has it, the embedded autoencoder, a user's classifier."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gannb.metrics import inception as inception_module
from gannb.metrics.extractor import FeatureExtractor, as_8_bit, check_images
from gannb.metrics.faed import faed
from gannb.metrics.features import choose, cifar_resnet, classifier
from gannb.metrics.frechet import Moments, frechet_distance
from gannb.metrics.inception import WeightsMissing, bf16_agrees, hub_weights, inception
from gannb.metrics.sources import TensorImages


def noise(n, channels=3, size=32, seed=0):
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def smooth(n, seed, size=32):
    """Colour images of four soft patches."""
    return nn.functional.interpolate(noise(n, 3, 4, seed), size=(size, size), mode="bicubic").clamp(-1, 1)


# -- Inception ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    """Two folders of PNGs and the same images as tensors."""
    tensors = []
    for name, images in (("real", smooth(12, 1)), ("fake", (smooth(16, 2) + 0.3 * noise(16)).clamp(-1, 1))):
        (tmp_path / name).mkdir()
        pixels = (as_8_bit(images) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        for index, one in enumerate(pixels):
            Image.fromarray(one).save(tmp_path / name / f"{index:02d}.png")
        tensors.append(images)
    return tmp_path / "real", tmp_path / "fake", *tensors


def test_fid_equals_pytorch_fid_on_the_same_images_and_weights(with_inception, folders):
    from pytorch_fid.fid_score import calculate_activation_statistics
    from pytorch_fid.inception import InceptionV3

    real_folder, fake_folder, real, fake = folders
    network, extractor = InceptionV3([3]), inception()
    ours, theirs = [], []
    for folder, images in ((real_folder, real), (fake_folder, fake)):
        files = sorted(folder.iterdir())
        mean, covariance = calculate_activation_statistics(files, network, batch_size=8, num_workers=0)
        found = Moments.of(extractor(images).features)
        assert np.allclose(found.mean, mean, rtol=1e-4, atol=1e-6)
        assert np.abs(found.covariance.numpy() - covariance).max() < 1e-4 * np.abs(covariance).max()
        ours.append(found)
        theirs.append(Moments(len(files), torch.from_numpy(mean), rows=_root(covariance)))
    # pytorch-fid's own last step takes half a minute here (a gate runs it); test_frechet holds ours to it.
    assert frechet_distance(*ours) == pytest.approx(frechet_distance(*theirs), rel=1e-3)


def _root(covariance):
    """R `[n, d]` with RᵀR = covariance."""
    values, vectors = np.linalg.eigh(covariance)
    return torch.from_numpy((vectors[:, -20:] * np.sqrt(values[-20:].clip(0))).T.copy())


@pytest.mark.gate  # half a minute, and theirs may fail: covariances of so few images are singular
@pytest.mark.parametrize("dims", [192, 2048])
def test_fid_equals_pytorch_fid_from_end_to_end(with_inception, with_pytorch_fid, folders, dims):
    from pytorch_fid.fid_score import calculate_fid_given_paths

    real_folder, fake_folder, real, fake = folders
    theirs = calculate_fid_given_paths([str(real_folder), str(fake_folder)], 8, "cpu", dims, num_workers=0)
    extractor = inception(dims)
    assert theirs > 0
    assert frechet_distance(extractor(real).features, extractor(fake).features) == pytest.approx(theirs, rel=1e-3)


def test_logits_come_from_the_same_pass(with_inception, random_inception_state):
    found = inception()(smooth(3, 1))
    expected = found.features @ random_inception_state["fc.weight"].T
    assert found.logits.shape == (3, 1008) and torch.allclose(found.logits, expected, rtol=1e-4, atol=1e-5)


def test_other_layers_have_their_own_names(with_inception):
    names = {dims: (inception(dims).frechet_name, inception(dims).kernel_name) for dims in (64, 768, 2048)}
    assert names == {
        64: ("fd_inception_64", "kid_inception_64"),
        768: ("fd_inception_768", "kid_inception_768"),
        2048: ("fid", "kid"),
    }
    assert inception(64)(smooth(2, 1)).features.shape == (2, 64)
    with pytest.raises(ValueError, match="found 100"):
        inception(100)


def test_grey_is_repeated(with_inception):
    grey = smooth(2, 1)[:, :1]
    extractor = inception(64)
    assert torch.equal(extractor(grey).features, extractor(grey.expand(-1, 3, -1, -1)).features)


def test_bf16_is_taken_only_where_it_agrees(with_inception):
    class Rounded(nn.Module):
        def __init__(self, by):
            super().__init__()
            self.by = nn.Parameter(torch.tensor(by))

        def forward(self, x):
            flat = x.flatten(1)[:, ::50]
            return flat + self.by * flat.flip(0), None

    def extractor(by):
        return FeatureExtractor("x", Rounded(by), lambda x: x, "none", "x")

    images = smooth(40, 1)
    assert bf16_agrees(extractor(0.0), extractor(1e-6), images)
    assert not bf16_agrees(extractor(0.0), extractor(0.1), images)
    assert inception(64, "bf16").fingerprint != inception(64, "fp32").fingerprint


def test_missing_weights_say_where_they_were_sought(without_inception):
    with pytest.raises(WeightsMissing, match=r"pt_inception-.*not in torch's hub cache.*no network in this test"):
        inception()


def test_weights_are_downloaded_where_there_is_a_network(tmp_path, monkeypatch):
    asked = {}

    def download(url, to, hash_prefix, progress):
        asked.update(url=url, hash_prefix=hash_prefix, progress=progress)
        torch.save({}, to)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(inception_module, "unreachable", lambda url, within: "")
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    found = hub_weights("https://example.org/net-0123abcd.pth")
    assert found == tmp_path / "hub" / "checkpoints" / "net-0123abcd.pth" and found.exists()
    assert asked == {"url": "https://example.org/net-0123abcd.pth", "hash_prefix": "0123abcd", "progress": True}


def test_unreachable_address_gives_a_reason():
    inception_module.unreachable.cache_clear()
    assert inception_module.unreachable("http://127.0.0.1:9/x.pth", 1.0) == "Connection refused"


def test_auto_falls_back_to_the_autoencoder_and_says_why(without_inception, blobs):
    found = choose("auto", TensorImages(blobs(20, 1), "real"))
    assert found.name == "faed" and "since pt_inception" in found.note and "no network" in found.note


def test_auto_takes_inception_where_its_weights_are(with_inception, blobs):
    assert choose("auto", TensorImages(blobs(20, 1), "real")).name == "inception"


def test_unknown_features_are_named(blobs):
    with pytest.raises(ValueError, match=r"'incpetion' is unknown; allowed: auto \| faed \| inception"):
        choose("incpetion", TensorImages(blobs(20, 1), "real"))


# -- the embedded autoencoder ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def distances():
    """FAED of damaged real images over the floor of real halves, by damage."""
    draw = torch.Generator().manual_seed(3)
    images = smooth(200, 5)
    first, second = images[:100], images[100:]
    extractor = faed(first, steps=120)
    grid = torch.zeros_like(second)
    grid[..., ::4, ::4] = 0.5
    damaged = {
        "floor": second,
        "noise": second + 0.3 * torch.randn(second.shape, generator=draw),
        "little noise": second + 0.1 * torch.randn(second.shape, generator=draw),
        "grid": second + grid,
        "five images": second[torch.arange(100) % 5],
        "darker": second * 0.5 - 0.5,
    }
    seen = extractor(first).features
    return {name: frechet_distance(seen, extractor(x.clamp(-1, 1)).features) for name, x in damaged.items()}


def test_faed_notices_what_is_wrong(distances):
    over = {name: value / distances["floor"] for name, value in distances.items()}
    assert over["noise"] > 2 * over["little noise"] > 4
    assert min(over["grid"], over["five images"], over["darker"]) > 2


def test_faed_is_standardised_over_the_real_images(blobs):
    real = blobs(40, 1)
    codes = faed(real, steps=20)(real).features
    assert codes.mean(0).abs().max() < 1e-3
    assert 0.5 < codes.std(0).mean() < 1.01


def test_faed_fit_is_a_function_of_images_and_seed_and_is_kept(blobs, tmp_path, monkeypatch):
    real = blobs(30, 1)
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path / "a"))
    first = faed(real, steps=10)
    monkeypatch.setattr("gannb.metrics.faed._fit", lambda *_: pytest.fail("fitted again"))
    assert faed(real, steps=10).fingerprint == first.fingerprint
    monkeypatch.undo()
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path / "b"))
    torch.manual_seed(99)
    before = torch.get_rng_state()
    assert faed(real, steps=10).fingerprint == first.fingerprint
    assert torch.equal(before, torch.get_rng_state())
    assert faed(real, steps=10, seed=1).fingerprint != first.fingerprint


def test_faed_brings_other_sizes_to_a_power_of_two():
    real = noise(10, 1, 48)[..., :40]
    extractor = faed(real, steps=2)
    assert extractor.resize == "bilinear to 32×32, antialiased"
    assert extractor(real).features.shape[0] == 10


@pytest.mark.parametrize(
    ("real", "message"),
    [
        (torch.zeros(10, 1, 16, 16), "found 10, all alike"),
        (torch.zeros(1, 1, 16, 16), "found 1, all alike"),
        (noise(10, 1, 4), "at least 8×8; found 4×4"),
    ],
)
def test_faed_needs_images_that_differ(real, message):
    with pytest.raises(ValueError, match=message):
        faed(real)


# -- a user's classifier -----------------------------------------------------------------------------------------------


def small_classifier():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))


def test_classifier_gives_the_input_of_its_last_linear_layer():
    network = small_classifier()
    images = noise(40, 3, 20)
    extractor = classifier(network, "mine", size=20)
    found = extractor(images)
    assert (extractor.frechet_name, extractor.kernel_name) == ("fd_mine", "kid_mine")
    assert found.features.shape == (40, 4)
    assert torch.allclose(network[-1](found.features), found.logits, atol=1e-5)
    assert network.training and int(network[1].num_batches_tracked) == 0  # the given network is left as it was


@pytest.mark.parametrize("name", ["faed", "inception", "my net"])
def test_classifier_needs_a_name_of_its_own(name):
    with pytest.raises(ValueError, match="cannot name a feature space"):
        classifier(small_classifier(), name, size=20)


def test_classifier_without_a_linear_layer():
    with pytest.raises(ValueError, match=r"no nn\.Linear"):
        classifier(nn.Conv2d(3, 4, 3), "mine", size=20)


def test_real_resnet_knows_its_classes(shared_data):
    stored = np.load(shared_data / "cifar10" / "cifar10_subset.npz")
    images = torch.from_numpy(stored["x_test"][:400]).permute(0, 3, 1, 2).float() / 127.5 - 1
    labels = torch.from_numpy(stored["y_test"][:400].astype(np.int64)).flatten()
    extractor = choose(f"resnet20={shared_data / 'weights' / 'resnet20-12fca82f.th'}", TensorImages(images, "real"))
    found = extractor(images)
    assert extractor.frechet_name == "fd_resnet20" and found.features.shape == (400, 64)
    assert float((found.logits.argmax(1) == labels).double().mean()) > 0.88


def test_resnet_of_another_layout_is_named(tmp_path):
    torch.save({"fc.weight": torch.zeros(1)}, tmp_path / "other.th")
    with pytest.raises(ValueError, match=r"no CIFAR ResNet.*found fc\.weight"):
        cifar_resnet(tmp_path / "other.th")


# -- images ------------------------------------------------------------------------------------------------------------


def test_8_bit_rounding_is_that_of_a_png():
    levels = torch.arange(256).float() / 127.5 - 1
    assert torch.equal((as_8_bit(levels) * 255).round(), torch.arange(256.0))
    assert torch.equal(as_8_bit(torch.tensor([-1.2, 1.2])), torch.tensor([0.0, 1.0]))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("a string", "found str"),
        (torch.zeros(3, 8, 8), r"found \(3, 8, 8\)"),
        (torch.zeros(2, 5, 8, 8), "1, 3 or 4 channels"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), "found torch.uint8"),
        (torch.zeros(0, 1, 8, 8), "none were given"),
        (torch.full((2, 1, 8, 8), float("nan")), r"2 of 2 hold NaN or infinity \(first: image 0\)"),
        (torch.full((2, 1, 8, 8), 255.0), "found 255 … 255"),
    ],
)
def test_bad_images_are_named(images, message):
    with pytest.raises(ValueError, match=message):
        check_images(images, "real")
