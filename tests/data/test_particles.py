"""Rendered particles: seeded, near to real ones in what is measured; and poor images are found."""

import pytest
import torch
import torch.nn.functional as F

from gannb.data import particles
from gannb.data.images import Images
from gannb.experiments.particles_sagan.metrics import Detector


@pytest.fixture(scope="module")
def rendered() -> Images:
    return particles.load(count=60)


def test_images_follow_from_the_seed_and_not_from_their_number(rendered):
    assert rendered.pixels.shape == (60, 1, 64, 64)
    assert rendered.pixels.dtype == torch.float32
    assert rendered.pixels.abs().max() <= 1
    assert particles.load(count=3).hash == rendered[:3].hash
    assert particles.load(count=3, seed=1).hash != rendered[:3].hash
    assert particles.load(count=2, size=32).pixels.shape == (2, 1, 32, 32)


def test_there_are_particles_of_several_sizes_on_an_uneven_background(rendered):
    found = Detector.fitted(rendered.pixels)(rendered.pixels)
    assert 9 < found.number.mean() < 16
    assert 2 < found.of("radius").mean() < 4
    assert found.of("radius").std() > 0.4
    assert found.of("brightness").mean() < -50


def test_rendered_and_real_images_are_alike_in_what_is_measured(rendered, shared_data):
    real = particles.load(str(shared_data / "particles" / "crops_64"))
    assert len(real) == 300
    assert rendered.pixels.mean() == pytest.approx(real.pixels.mean().item(), abs=0.05)
    assert rendered.pixels.std() == pytest.approx(real.pixels.std().item(), rel=0.2)
    detector = Detector.fitted(real.pixels)
    a, b = detector(rendered.pixels), detector(real.pixels[::5])
    for what, within in (("number", 3), ("radius", 0.6), ("brightness", 15)):
        assert a.of(what).mean() == pytest.approx(b.of(what).mean(), abs=within)


def test_planted_poor_images_come_first(rendered):
    pixels = rendered.pixels.clone()
    pixels[7:8] = F.avg_pool2d(pixels[7:8], 7, 1, 3)  # blurred
    pixels[20] = pixels[20] * 0.1  # flat
    pixels[33, :, :16] = 1  # saturated
    ranking = particles.quality(Images(pixels, rendered.names))
    assert set(ranking.worst(3)) == {"rendered_007", "rendered_020", "rendered_033"}
    kept = rendered.without(ranking.worst(3))
    assert len(kept) == 57
    assert "rendered_007" not in kept.names
    assert repr(ranking).count("rendered_") == 10


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="size=8"):
        particles.render(1, 8)
    with pytest.raises(ValueError, match="count=0"):
        particles.render(0)
