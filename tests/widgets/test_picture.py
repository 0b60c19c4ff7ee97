"""What a live view shows of a generator: images, pages, lines; and the step that a file of samples is of."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gannb.widgets.picture import Profile, packed, step_of


@pytest.mark.parametrize(
    ("name", "label"),
    [("000125", "step 125"), ("fake_samples_epoch_020", "step 300"), ("epoch3", "step 45"), ("grid", "grid")],
)
def test_the_step_of_a_file_is_read_from_its_name(name, label):
    assert step_of(Path(f"{name}.png"), 15) == label


def test_images_pages_and_lines():
    class Page:
        def _repr_html_(self):
            return "<p>moving</p>"

    assert packed(Page(), "step 3") == {"label": "step 3", "html": "<p>moving</p>"}
    assert packed(torch.zeros(3, 1, 4, 4), "step 3")["image"].startswith(b"\x89PNG")
    assert packed(b"png", "a")["image"] == b"png"
    lines = Profile("cosine", "yaw", [0, 30], {"before": [0.5, float("nan")]})
    shown = packed(lines, "step 3")["profile"]
    assert (shown["title"], shown["x_title"], shown["lines"][0]["name"]) == ("cosine", "yaw", "before")
    assert np.isnan(np.frombuffer(shown["lines"][0]["y"], np.float32)).tolist() == [False, True]
