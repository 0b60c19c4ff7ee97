"""The laboratory's parameters name what data and losses know."""

import pytest

from gannb.config.faults import ParameterError
from gannb.data.toys import TOYS as KNOWN_TOYS
from gannb.experiments.motion_wgan_gp.params import DEFECTS, TOYS, Laboratory, MotionWganGp
from gannb.experiments.motion_wgan_gp.penalties import DEFECTS as KNOWN_DEFECTS


def test_toys_and_defects_are_those_that_there_are() -> None:
    assert set(TOYS) == set(KNOWN_TOYS)
    assert set(DEFECTS) == set(KNOWN_DEFECTS)


def test_what_the_notebook_allows_the_laboratory_takes() -> None:
    """A number beyond the laboratory's range would end the notebook after the first toys were trained."""
    called = {"toy_batch": "batch_size", "toy_latent": "latent_dim", "lambdas": "gp_weight"}
    called |= {"defect_steps": "steps", "lambda_steps": "steps"}
    taken, allowed = Laboratory.declarations(), MotionWganGp.declarations()
    names = {name: called.get(name, name[4:]) for name in allowed if name in called or name.startswith("toy_")}
    assert len(names) == 13
    for name, theirs in names.items():
        assert taken[theirs].low <= allowed[name].low <= allowed[name].high <= taken[theirs].high, name


def test_the_sliders_of_the_laboratory() -> None:
    names = {number.name for number in Laboratory().dynamic()}
    assert names == {"gp_weight", "one_sided", "drift", "n_critic", "lr_d", "lr_g", "lr_scale"}


@pytest.mark.parametrize("told", [{"loss": "non_saturating", "defect": "one_mix"}, {"toy": "9 Gaussians"}])
def test_what_cannot_be_is_said(told: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        Laboratory(**told)
