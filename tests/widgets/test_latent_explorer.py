"""The walk through a latent space: the arc's ends and length, the sheet, and how fast one image is drawn."""

import time

import pytest
import torch

from gannb.networks import sagan
from gannb.random import seeded
from gannb.widgets.latent_explorer import explore, interpolations, latent, slerp


@pytest.fixture(scope="module")
def G():
    with seeded(0, "G"):
        return sagan.Generator(32, 16, 32).eval()


def test_an_arc_keeps_its_ends_and_its_length():
    start, end = latent(64, 1), latent(64, 2)
    start, end = start / start.norm(), end / end.norm()
    torch.testing.assert_close(slerp(start, end, 0.0), start)
    torch.testing.assert_close(slerp(start, end, 1.0), end)
    assert slerp(start, end, 0.5).norm().item() == pytest.approx(1, abs=1e-5)
    assert ((start + end) / 2).norm().item() < 0.9, (
        "the straight line's middle lies inside: the test can tell them apart"
    )


def test_between_a_latent_and_itself_is_that_latent():
    start = latent(16, 3)
    assert torch.isfinite(slerp(start, start, 0.3)).all()
    torch.testing.assert_close(slerp(start, start, 0.3), start)


def test_a_seed_stands_for_one_latent():
    assert torch.equal(latent(8, 5), latent(8, 5))
    assert not torch.equal(latent(8, 5), latent(8, 6))


def test_interpolations_have_one_row_per_pair_of_seeds(G):
    sheet = interpolations(G, 32, rows=2, steps=4)
    assert sheet.pixels.shape == (8, 32, 32, 1)
    assert (sheet.pixels[3] == sheet.pixels[4]).mean() > 0.99, "a row ends where the next begins"


def test_without_a_person_there_is_a_sheet_and_with_one_there_are_sliders(G):
    assert explore(G, 32, live=False).columns == 6
    box = explore(G, 32, live=True)
    inputs, _, output = box.children
    before = output.outputs[0]["data"]["image/png"]
    inputs.values = inputs.values | {"position": 0.7}
    assert output.outputs[0]["data"]["image/png"] != before


def test_one_image_is_drawn_in_under_50_ms(G):
    box = explore(G, 32, live=True)
    inputs, took = box.children[0], []
    for step in range(1, 12):
        began = time.process_time()
        inputs.values = inputs.values | {"position": step / 20}
        took.append(time.process_time() - began)
    assert sorted(took)[len(took) // 2] < 0.05
