"""The claims that need no training, against their closed forms, and their verdicts."""

import math

import pytest

from gannb.experiments.motion_wgan_gp.closed_forms import exact_claims, norm_ratio
from gannb.runs.claims import CONTRADICTED, REPRODUCED, claims, verdict


def test_closed_forms() -> None:
    found = exact_claims()
    assert found["W4.norm"] == pytest.approx(math.sqrt(156), rel=1e-5) == pytest.approx(12.49, abs=0.01)
    assert found["W6.sign"] == pytest.approx(-3.0, abs=1e-5)
    assert found["W7.offset"] == pytest.approx(1.0, abs=1e-5)
    assert found["W5.scaler"] < 1e-5 and found["W3.labels"] is True


def test_on_flattened_samples_the_documents_line_is_right() -> None:
    assert norm_ratio(frames=24, features=1) == pytest.approx(1.0, rel=1e-5)


def test_verdicts() -> None:
    there = claims("motion_wgan_gp")
    told = {name: verdict([value], there[name].expect) for name, value in exact_claims().items()}
    wrong = {"W4.norm", "W6.sign", "W7.offset"}
    assert {name for name, said in told.items() if said == CONTRADICTED} == wrong
    assert {name for name, said in told.items() if said == REPRODUCED} == told.keys() - wrong


def test_every_reading_has_a_claim() -> None:
    rows = {name.split(".")[0] for name in claims("motion_wgan_gp")}
    assert {f"W{i}" for i in range(1, 17)} <= rows
    assert sum(c.executable for c in claims("motion_wgan_gp").values()) >= 0.9 * len(claims("motion_wgan_gp"))
