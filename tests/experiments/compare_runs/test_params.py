"""What the comparison of runs refuses, before it trains or reads anything."""

from pathlib import Path

import pytest

from gannb.comparison.catalogue import Catalogue
from gannb.config.faults import ParameterError
from gannb.data.toys import toy
from gannb.experiments.compare_runs.params import EXAMPLE_MEASURES, CompareRuns, _example
from gannb.experiments.tour.params import Tour
from gannb.experiments.tour.training import point_trainer
from gannb.metrics.score import Score, Scores
from gannb.runs.folder import Run


@pytest.mark.parametrize("given, said", [({"better": "lower"}, "better"), ({"most": 0}, "most")])
def test_values_out_of_range(given: dict, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        CompareRuns(**given)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"metric": "D/los"}, "did you mean 'D/loss'"),
        ({"score": "fid"}, "allowed: distance"),
        ({"score": "D/loss"}, "allowed: distance"),
        ({"where": "nois < 0.3"}, "no run has nois"),
        ({"sort": "nothing"}, "allowed: run"),
    ],
)
def test_names_that_the_example_does_not_have(given: dict, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        CompareRuns(**given).on_this_machine()


@pytest.mark.parametrize(
    "given", [{}, {"metric": "D/loss"}, {"score": "distance"}, {"where": "noise < 0.3", "sort": "seed"}]
)
def test_names_that_the_example_has(given: dict) -> None:
    assert CompareRuns(**given).on_this_machine()


def test_the_example_has_the_columns_and_measures_of_a_trained_tour(tmp_path: Path) -> None:
    params = Tour(steps=2, runs=str(tmp_path))
    trainer = point_trainer(params, Run.open(params), toy(params.toy, seed=0))
    trainer.every(steps=1, do=lambda trainer: {"distance": 0.0})
    trainer.fit(steps=2, quiet=True)
    trainer.finish(Scores([Score("distance", 0.0)]))
    trained = Catalogue.find("tour", str(tmp_path))
    assert list(trained.frame.columns) == list(_example().frame.columns)
    assert set(trained.measured()) == set(EXAMPLE_MEASURES)
    assert tuple(trained.common_scores()) == EXAMPLE_MEASURES[:1]
