import pytest
import torch

from gannb.experiments.motion.data.corpus import Corpus
from gannb.experiments.motion.data.synthetic import STYLES, record
from gannb.experiments.motion.metrics.fgd import fgd, fit
from gannb.random import generator


@pytest.fixture(scope="module")
def real():
    return Corpus.of([record(style, 40.0, seed=1) for style in STYLES[:3]], stride=8).clips().pose


@pytest.fixture(scope="module")
def features(real, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANNB_CACHE", str(tmp_path_factory.mktemp("cache")))
        first = fit(real, steps=60)
        again = fit(real, steps=60)
        assert again.fingerprint == first.fingerprint
        yield first


def test_the_real_against_itself_is_nought_and_its_floor_is_not(features, real):
    score, _ = fgd(features, real, real)
    assert float(score) == pytest.approx(0.0, abs=1e-6)
    assert score.floor > 0
    assert score.protocol["features"] == f"motion autoencoder {features.fingerprint}"
    assert score.protocol["n_real"] == len(real)


def test_a_half_of_the_real_is_at_the_floor_and_spoilt_motion_above_it(features, real):
    order = torch.randperm(len(real), generator=generator("halves"))
    half, other = real[order[: len(real) // 2]], real[order[len(real) // 2 :]]
    ratios = {
        "real": fgd(features, half, other)[1],
        "tremor": fgd(features, half, other + 0.01 * torch.randn(other.shape, generator=generator("tremor")))[1],
        "still": fgd(features, half, other.mean(1, keepdim=True).expand_as(other))[1],
        "one": fgd(features, half, other[:1] + 1e-4 * torch.randn(other.shape, generator=generator("one")))[1],
    }
    values = {name: float(score) for name, score in ratios.items()}
    assert 0.5 < values["real"] < 2.0
    assert min(values["tremor"], values["still"], values["one"]) > 3.0


def test_more_noise_is_further_away(features, real):
    off = torch.randn(real.shape, generator=generator("off"))
    distances = [float(fgd(features, real, real + size * off)[0]) for size in (0.005, 0.02, 0.08)]
    assert distances == sorted(distances)


def test_too_few_or_equal_clips_are_refused(real):
    with pytest.raises(ValueError, match="found 1"):
        fit(real[:1])
    with pytest.raises(ValueError, match="all alike"):
        fit(real[:1].expand(5, -1, -1, -1))
