"""Power spectra against what is known of them: white noise, one wave, a checkerboard."""

import math

import pytest
import torch

from gannb.metrics.spectrum import fine_detail, power_spectrum
from gannb.random import generator


@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_white_noise_has_its_variance_at_every_frequency(size):
    noise = torch.randn(400, 1, *size, generator=generator("noise")) * 4 / 127.5
    frequency, power = power_spectrum(noise + 0.25)
    assert 1 / max(size) == pytest.approx(frequency[0].item())
    assert frequency[-1] == pytest.approx(math.sqrt(0.5), abs=1 / max(size))
    assert power == pytest.approx(torch.full_like(power, 16), rel=0.3)
    assert fine_detail(noise) == pytest.approx(16, rel=0.05)


def test_a_wave_is_found_at_its_frequency():
    wave = torch.sin(2 * math.pi * 5 * torch.arange(32) / 32).expand(3, 3, 32, 32)
    frequency, power = power_spectrum(wave)
    assert frequency[power.argmax()] == pytest.approx(5 / 32)
    assert power[frequency != frequency[power.argmax()]].max() < 1e-9 * power.max()


def test_a_checkerboard_is_fine_detail_and_brightness_is_not():
    images = torch.zeros(2, 1, 32, 32)
    assert fine_detail(images + torch.tensor([0.1, 0.3]).view(2, 1, 1, 1)) == pytest.approx(0, abs=1e-12)
    board = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    assert fine_detail(images + board / 127.5) > 1


def test_transparency_is_looked_through():
    images = torch.rand(4, 4, 16, 16, generator=generator("clear"))
    images[:, 3] = -1  # wholly transparent
    assert fine_detail(images) == pytest.approx(0, abs=1e-12)
