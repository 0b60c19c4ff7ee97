"""The laboratory's parameters name what data and losses know."""

import pytest

from gannb.config.faults import ParameterError
from gannb.data.toys import TOYS as KNOWN_TOYS
from gannb.experiments.motion_wgan_gp.params import DEFECTS, TOYS, Laboratory
from gannb.experiments.motion_wgan_gp.penalties import DEFECTS as KNOWN_DEFECTS


def test_toys_and_defects_are_those_that_there_are() -> None:
    assert set(TOYS) == set(KNOWN_TOYS)
    assert set(DEFECTS) == set(KNOWN_DEFECTS)


def test_the_sliders_of_the_laboratory() -> None:
    names = {number.name for number in Laboratory().dynamic()}
    assert names == {"gp_weight", "one_sided", "drift", "n_critic", "lr_d", "lr_g", "lr_scale"}


@pytest.mark.parametrize("told", [{"loss": "non_saturating", "defect": "one_mix"}, {"toy": "9 Gaussians"}])
def test_what_cannot_be_is_said(told: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        Laboratory(**told)
