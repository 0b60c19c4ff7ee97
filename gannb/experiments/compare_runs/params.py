"""Runs side by side: which to compare, and by what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from gannb.comparison.filter import Condition
from gannb.config import presets
from gannb.config.experiment import Experiment
from gannb.config.faults import Fault, ParameterError
from gannb.config.fields import execution, param
from gannb.config.rules import rule
from gannb.control.echo import nearest, shown
from gannb.runs import locations

if TYPE_CHECKING:
    from gannb.comparison.catalogue import Catalogue

EXAMPLE = "example"
"""Compare a few small runs of the tour that the notebook trains itself."""
EXAMPLE_MEASURES = ("distance", *(f"{player}/{name}" for player in "DG" for name in ("grad_norm", "loss", "moved")),
                    "D/real", "D/fake")  # fmt: skip
"""What they measure over time; the first is their score."""


class CompareRuns(Experiment):
    """Parameters of `06_compare_runs`; by default it trains its own runs, so that it works anywhere."""

    name: ClassVar[str] = "compare_runs"

    compare: str = param(
        EXAMPLE,
        '"example" (six small runs trained here), an experiment\'s name, or a folder of run folders',
        group="runs",
    )
    where: str = param("", "only runs for which this holds, such as: noise < 0.3 and seed in [0, 1]", group="runs")
    sort: str = param("run", "by which column", group="runs")
    most: int = param(200, "at most so many runs, after sorting", group="runs", low=1, high=100_000)
    metric: str = param("", "what is shown over time, such as D/loss; empty: the first that all have", group="shown")
    score: str = param("", "which score is compared at the end; empty: the first that all have", group="shown")
    better: str = param("low", "which of its values are better", group="shown", choices=("low", "high"))
    seed: int = param(0, "first seed of the example runs", low=0)
    steps: int = param(400, "steps of each example run", group="runs", low=8, high=100_000)

    threads: int = execution(1, "CPU threads; 0 leaves them to torch", low=0)

    @rule("where")
    def _condition(v: Any) -> str | None:
        try:
            Condition(v.where) if v.where.strip() else None
        except ValueError as error:
            return str(error)
        return None

    def on_this_machine(self) -> Self:
        """These parameters, once the runs to compare and the names among them are found here.

        Raises:
            ParameterError: they are not.
        """
        super().on_this_machine()
        if self.compare != EXAMPLE and not locations.among(self.compare, self.runs):
            why = f"no runs there; allowed: {EXAMPLE} | an experiment that has runs | a folder of run folders"
            raise ParameterError(self.name, [Fault("compare", shown(self.compare), why)])
        fields = {name: type(self).model_fields[name] for name in ("where", "sort", "metric", "score")}
        if all(getattr(self, name) == field.default for name, field in fields.items()):
            return self
        from gannb.comparison.catalogue import Catalogue, CatalogueError

        try:
            runs = _example() if self.compare == EXAMPLE else Catalogue.find(self.compare, self.runs)
            runs = runs.where(self.where).sort(self.sort)
        except CatalogueError as error:
            field, _, why = str(error).partition(": ")
            raise ParameterError(self.name, [Fault(field, shown(getattr(self, field)), why)]) from error
        measured = EXAMPLE_MEASURES if self.compare == EXAMPLE else runs.measured()
        scores = EXAMPLE_MEASURES[:1] if self.compare == EXAMPLE else runs.common_scores()
        for name, known in (("metric", measured), ("score", scores)):
            value = getattr(self, name)
            if value and value not in known:
                allowed = f"allowed: {' | '.join(known) or 'none is in all of these runs'}"
                raise ParameterError(self.name, [Fault(name, shown(value), allowed, nearest(value, known))])
        return self


def _example() -> Catalogue:
    """The example before it is trained: its columns without a row."""
    import pandas as pd

    from gannb.comparison.catalogue import HEAD, Catalogue

    parameters = tuple(presets.declaration("tour")().settings())
    columns = dict.fromkeys((*HEAD, *parameters, EXAMPLE_MEASURES[0], "folder"))
    return Catalogue(pd.DataFrame(columns=list(columns)), parameters, EXAMPLE_MEASURES[:1])
