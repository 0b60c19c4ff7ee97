"""What the tour may be configured with."""

import pytest

from gannb.config.faults import ParameterError
from gannb.experiments.tour.params import Tour


def test_somebody_has_to_play() -> None:
    with pytest.raises(ParameterError, match="at least one turn per step"):
        Tour(d_steps=0, g_steps=0)
    with pytest.raises(ParameterError, match="d_steps=0, g_steps=1; allowed at first: 1 or more"):
        Tour(d_steps=0)
    assert {number.name for number in Tour().dynamic()} == {"lr_g", "lr_d", "d_steps", "g_steps", "real_label", "noise"}


@pytest.mark.parametrize("given, said", [({"toy": "8 gaussians"}, "did you mean '8 Gaussians'"), ({"lr_g": 0}, "lr_g")])
def test_what_the_tour_refuses(given: dict, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Tour(**given)
