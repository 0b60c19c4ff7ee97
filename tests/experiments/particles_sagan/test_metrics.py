"""Particle statistics against planted spots of known number, size and brightness."""

import numpy as np
import pytest
import torch

from gannb.experiments.particles_sagan.metrics import Detector, particle_scores, texture_scores


def planted(
    n: int = 8, count: int = 5, sigma: float = 2.0, depth: float = -0.8, seed: int = 0, level: float = 0.3
) -> torch.Tensor:
    """Images with `count` Gaussian spots on a grid of cells, so that none overlap."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:64, :64]
    images = np.full((n, 64, 64), level)
    for image in images:
        for cell in rng.permutation(9)[:count]:
            row, column = 11 + 21 * np.array(divmod(cell, 3)) + rng.integers(-2, 3, 2)
            image += depth * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2))
    return torch.from_numpy(images)[:, None].float()


@pytest.mark.parametrize("depth", [-0.8, 0.6])
def test_number_radius_and_brightness_are_found_on_either_side_of_the_background(depth):
    images = planted(depth=depth)
    found = Detector.fitted(images)(images)
    assert found.number.tolist() == [5] * 8
    assert found.of("radius") == pytest.approx(2 * np.sqrt(2), abs=0.4)
    assert found.of("brightness") == pytest.approx(depth * 127.5, abs=1)
    assert "40 on 8 images" in repr(found)


def test_low_contrast_images_show_their_particles_too():
    images = planted(depth=-0.05)
    assert Detector.fitted(images)(images).number.tolist() == [5] * 8


def test_distances_are_those_of_the_planted_differences():
    real = planted(16)
    more = particle_scores(real, planted(8, count=8))
    assert more["particle_number"].value == pytest.approx(3)
    darker = particle_scores(real, planted(8, depth=-1.0))
    assert darker["particle_brightness"].value == pytest.approx(0.2 * 127.5, abs=1)
    assert darker["particle_number"].value == 0
    wider = particle_scores(real, planted(8, sigma=3.0))
    assert wider["particle_radius"].value == pytest.approx(np.sqrt(2), abs=0.4)


def test_same_images_stand_at_the_floor_and_other_ones_above_it():
    rng = np.random.default_rng(0)
    real = torch.cat([planted(1, int(count), seed=i) for i, count in enumerate(rng.integers(2, 8, 24))])
    same = particle_scores(real, real)
    assert same["particle_number"].value == 0
    assert same["particle_number"].floor > 0
    assert same["particle_number"].error > 0
    other = particle_scores(real, planted(12, 9))["particle_number"]
    assert other.value > other.floor + 2 * other.error


def test_the_protocol_names_images_detector_and_unit_and_repeats_itself():
    a, b = (particle_scores(planted(8), planted(6, seed=1)) for _ in range(2))
    assert a.as_dict() == b.as_dict()
    protocol = a["particle_radius"].protocol
    assert (protocol["n_real"], protocol["n_fake"], protocol["unit"]) == (8, 6, "pixels")
    assert "dark particles" in protocol["features"]


def test_without_particles_there_is_no_distance_but_a_reason():
    scores = particle_scores(planted(8), torch.full((4, 1, 64, 64), 0.3))
    assert scores["particle_number"].value == pytest.approx(5)
    assert scores["particle_radius"].reason == "no particle was found on the fake images"


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="3 real and 8 fake"):
        particle_scores(planted(3), planted(8))


def test_texture_finds_what_hardly_shows():
    rng = np.random.default_rng(0)
    real = planted(16)
    shifts = torch.from_numpy(rng.normal(0, 2 / 127.5, (16, 1, 1, 1))).float()
    noise = torch.from_numpy(rng.normal(0, 3 / 127.5, (16, 1, 64, 64))).float()
    same, shifted, noisy = (texture_scores(real, fake) for fake in (real, real + shifts, real + noise))
    assert same.brightness_spread.value == same.brightness_spread.floor
    assert same.fine_detail.value == same.fine_detail.floor
    assert float(shifted.brightness_spread) == pytest.approx(127.5 * shifts.std().item(), rel=0.1)
    assert float(shifted.fine_detail) == pytest.approx(float(same.fine_detail))
    assert float(noisy.fine_detail) == pytest.approx(9, rel=0.05)
    assert float(noisy.brightness_spread) == pytest.approx(float(same.brightness_spread), abs=0.1)
    assert noisy.fine_detail.protocol["unit"] == "squared grey levels"
