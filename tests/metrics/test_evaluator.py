"""Judging a generator: one pass, right names, protocol, errors, and nothing changed by it."""

import pytest
import torch
from torch import nn

from gannb import metrics
from gannb.metrics import evaluation
from gannb.metrics.evaluation import Sample
from gannb.metrics.evaluator import Evaluator, image_scores
from gannb.metrics.extractor import FeatureExtractor
from gannb.metrics.feature_cache import weights_hash
from gannb.metrics.features import classifier


@pytest.fixture
def data(blobs):
    """(training, held-out) images."""
    return blobs(80, 1), blobs(30, 2)


@pytest.fixture
def evaluator(data):
    return Evaluator(real=data[1], train=data[0], features="faed")


def mean_and_spread(name="toy"):
    """A feature space whose features are the means of 4×4 patches."""

    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return nn.functional.avg_pool2d(x, 4).flatten(1) * self.one, None

    return FeatureExtractor(name, Patches(), lambda x: x, "none", "toy-1")


class Generator(nn.Module):
    """Has every kind of buffer that a forward pass in training mode moves."""

    latent_dim = 6

    def __init__(self):
        super().__init__()
        self.start = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 64))
        self.norm = nn.BatchNorm2d(1)
        self.up = nn.Upsample(scale_factor=2)

    def forward(self, z):
        return self.up(self.norm(self.start(z).view(-1, 1, 8, 8))).tanh()


def test_a_good_generator_passes_and_bad_ones_fail(evaluator, blobs):
    good, other = evaluator(blobs(200, 3)), evaluator((blobs(200, 3) * 0.5).clamp(-1, 1))
    assert 0.6 < float(good.faed_over_floor) < 1.5 < float(other.faed_over_floor)
    assert abs(good.kid_faed.value) < 4 * good.kid_faed.error < other.kid_faed.value
    assert good.precision.value > 0.6 and good.copies.value == pytest.approx(0.5, abs=0.12)


def test_copies_are_seen(evaluator, data):
    scores = evaluator((data[0] + 0.002 * torch.randn(80, 1, 16, 16)).clamp(-1, 1))
    assert scores.copies.value > 0.6
    assert scores.copies.value == pytest.approx(scores.copies.protocol["if_all_were_copies"], abs=0.07)
    assert float(scores.faed_over_floor) < 1  # copying flatters the distance: that is why copies are counted


def test_names_and_protocol(evaluator, blobs):
    scores = evaluator(blobs(50, 3))
    assert {"faed", "faed_50_all", "faed_halves", "faed_floor", "faed_over_floor", "kid_faed", "copies"} < set(scores)
    assert scores.faed.protocol["split"] == "held-out" and scores.faed.protocol["n_real"] == 30
    assert scores.faed_50_all.protocol["split"] == "all" and scores.faed_50_all.protocol["n_real"] == 110
    assert scores.faed_halves.protocol["n_real"] == scores.faed_halves.protocol["n_fake"] == 50
    assert scores.faed_halves.floor == scores.faed_floor.value
    for score in scores.values():
        assert not score.available or {"n_real", "n_fake", "split", "features", "resize"} <= set(score.protocol)
        assert (score.error is None) == ("error" not in score.protocol)


def test_faed_is_never_called_fid(evaluator, blobs):
    scores = evaluator(blobs(50, 3))
    assert not any(
        scores[name].available for name in scores if name.startswith("fid") or name in ("kid", "inception_score")
    )
    assert "faed were chosen" in scores.fid_50_all.reason


def test_without_weights_the_reason_stands_beside_the_fallback(without_inception, data):
    scores = Evaluator(data[1])(data[0])
    assert scores.faed.available and not scores.fid.available
    assert "pt_inception" in scores.fid.reason and "no network" in repr(scores)
    assert scores.copies.reason == "training images were not given"


def test_inception_gives_fid_kid_and_inception_score(with_inception, blobs):
    scores = Evaluator(blobs(12, 2), features="auto")(blobs(12, 3))
    assert scores.fid.available and scores.kid.available and scores.inception_score.value >= 1
    assert scores.fid.protocol["channels"] == "grey, repeated" and "299×299" in scores.fid.protocol["resize"]
    assert "channel is repeated" in repr(scores)


def test_a_classifier_gives_its_own_names(blobs):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    scores = Evaluator(blobs(20, 2), features=classifier(network, "mine", 16))(blobs(20, 3))
    assert (
        scores.fd_mine.available
        and scores.kid_mine.available
        and scores.classifier_score.available
        and not scores.fid.available
    )


def test_evaluation_changes_neither_weights_nor_buffers(evaluator):
    generator = Generator().train()
    before = weights_hash(generator)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, second = evaluator(generator, 40), evaluator(generator, 40)
    assert weights_hash(generator) == before and generator.training
    assert torch.equal(state, torch.get_rng_state())
    assert first.as_dict() == second.as_dict()
    assert evaluator(generator, 40, seed=1).faed.value != first.faed.value


def test_a_generator_may_be_a_function_of_the_number_of_images(evaluator, blobs):
    asked = []
    scores = evaluator(lambda n: (asked.append(n), blobs(n, len(asked)))[1], 120)
    assert scores.faed.protocol["n_fake"] == 120 and set(asked) == {20, 50}


def test_real_images_are_looked_at_once(data, monkeypatch, tmp_path):
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path))
    looked = []
    original = Sample.of
    monkeypatch.setattr(Sample, "of", lambda extractor, batches, n: looked.append(n) or original(extractor, batches, n))
    first = Evaluator(*data, mean_and_spread())(data[0])
    assert looked == [80, 30, 80]
    again = Evaluator(*data, mean_and_spread())(data[0])
    assert looked == [80, 30, 80, 80]  # the generated ones only
    assert first.as_dict() == again.as_dict()


def test_a_damaged_cache_is_computed_again(data, monkeypatch, tmp_path):
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path))
    first = Evaluator(*data, mean_and_spread())(data[0])
    for file in (tmp_path / "features").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match="damaged"):
        assert Evaluator(*data, mean_and_spread())(data[0]).as_dict() == first.as_dict()


def test_many_images_are_streamed_and_the_distance_is_the_same(data, monkeypatch, tmp_path, blobs):
    fake = blobs(90, 4)
    whole = Evaluator(*data, mean_and_spread())(fake)
    monkeypatch.setenv("GANNB_CACHE", str(tmp_path))
    monkeypatch.setattr(evaluation, "KEPT", 25)
    for _ in range(2):  # computed, then from the cache
        streamed = Evaluator(*data, mean_and_spread())(fake)
        assert streamed.fd_toy.value == pytest.approx(whole.fd_toy.value, rel=1e-6)
        assert streamed.fd_toy_90_all.value == pytest.approx(whole.fd_toy_90_all.value, rel=1e-6)
        assert streamed.fd_toy.protocol["n_fake"] == 90 and streamed.kid_toy.protocol["n_fake"] == 25


def test_collapse_to_one_image_is_scored_and_said(evaluator, data):
    scores = evaluator(data[0][:1].repeat(60, 1, 1, 1))
    assert scores.faed_over_floor.value > 2 and scores.recall.value < 0.2
    assert "collapsed to one image" in repr(scores)


def test_extrapolation_takes_the_bias_in_n_away(data, blobs):
    scores = Evaluator(*data, mean_and_spread())(blobs(400, 3), scores=["extrapolated", "frechet"])
    assert scores.fd_toy_extrapolated.value < scores.fd_toy.value
    few = Evaluator(*data, mean_and_spread())(blobs(50, 3), scores=["extrapolated", "frechet"])
    assert "at least 100" in few.fd_toy_extrapolated.reason


def test_the_list_of_scores_is_what_is_computed(evaluator, blobs):
    scores = evaluator(blobs(50, 3), scores=["kernel", lambda e: [e.score("images", e.generated.n, kind="count")]])
    assert [name for name in scores if scores[name].available] == ["kid_faed", "images"]
    assert scores.images.value == 50 and scores.images.protocol["kind"] == "count"
    assert scores.images.protocol["n_real"] == 30
    with pytest.raises(ValueError, match="'kernal' is unknown; allowed: default, frechet, halves, kernel"):
        evaluator(blobs(50, 3), scores=["kernal"])


def test_a_score_in_a_module_of_its_own_is_found(evaluator, blobs, tmp_path, monkeypatch):
    (tmp_path / "brightness.py").write_text(
        "from gannb.metrics.evaluation import image_score\n"
        '@image_score("brightness")\n'
        "def brightness(e):\n"
        '    yield e.score("brightness", e.source.some(10).mean())\n'
    )
    monkeypatch.setattr(metrics, "__path__", [*metrics.__path__, str(tmp_path)])
    try:
        images = blobs(10, 3)
        assert evaluator(images).brightness.value == pytest.approx(float(images.mean()))
        assert list(image_scores())[-1] == "brightness", "new ones come after the others"
    finally:
        evaluation.IMAGE_SCORES.pop("brightness", None)


def test_few_images_give_reasons_instead_of_scores(blobs):
    scores = Evaluator(blobs(3, 2), features=mean_and_spread())(blobs(2, 3))
    assert (
        scores.fd_toy.available
        and "3 generated" in scores.kid_toy.reason
        and "5th neighbour" in scores.precision.reason
    )
    assert "halves need 4 real and 2 generated images; found 3 and 2" in scores.fd_toy_over_floor.reason


def test_an_unfair_function_is_caught(evaluator, blobs):
    with pytest.raises(ValueError, match="50 images were requested, 7 came"):
        evaluator(lambda n: blobs(7, 1), 100)


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (torch.full((10, 1, 16, 16), float("nan")), "generated images: 10 of 10 hold NaN"),
        (torch.zeros(1, 1, 16, 16), "generated images: at least 2 are needed; found 1"),
        (torch.zeros(10, 3, 16, 16), "16×16 with 3 channels, real ones 16×16 with 1 channel"),
        (torch.zeros(10, 1, 32, 32), "32×32 with 1 channel, real ones 16×16"),
        (torch.full((10, 1, 16, 16), 200.0), r"values in \[-1, 1\] are needed"),
        (nn.Linear(3, 3), "no attribute latent_dim"),
    ],
)
def test_bad_generators_are_named(evaluator, fake, message):
    with pytest.raises(ValueError, match=message):
        evaluator(fake)


@pytest.mark.parametrize("features", ["faed", "toy"])
def test_constant_real_images_are_an_error(features, blobs):
    with pytest.raises(ValueError, match="all alike"):
        Evaluator(torch.zeros(10, 1, 16, 16), features=mean_and_spread() if features == "toy" else features)


def test_training_and_held_out_images_of_different_sizes(blobs):
    with pytest.raises(ValueError, match="real images are 16×16 with 1 channel, training images 32×32"):
        Evaluator(real=blobs(10, 1), train=blobs(10, 2, 32), features="faed")
