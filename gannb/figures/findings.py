"""What an experiment found: an answer in words, a figure, and a table of comparisons, from files of `results/`."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from gannb.comparison.intervals import ENOUGH, power_text
from gannb.comparison.results import result
from gannb.comparison.trials import Comparison
from gannb.config.yaml_files import read_yaml
from gannb.figures.template import INK, Figure, colours_of, figure
from gannb.metrics.score import Score
from gannb.runs.locations import EXPERIMENTS
from gannb.tables import Table


@dataclass(frozen=True)
class Finding:
    """The finding of an experiment, as its `finding.yaml` declares it.

    Attributes:
        name: of the experiment.
        question: what was asked, in one line.
        answer: what was found, in a sentence or two without measured numbers.
        result: the file in `results/`, without its ending.
        beside: another such file, of the same data and scores, whose variants are compared with those of the first.
        axis: the score in words, with its unit and which values are better.
        variants: variant → what the figure calls it, from top to bottom.
        compare: pairs of variants; the table gives the first less the second.
        score: which score; "": the one that decides in the file.
        better: "low" or "high"; "": as the file says.
        note: what limits the finding, without numbers that were measured.
        at: under which condition, such as "at as much processor time".
        also: what another file, score or condition says on the question: `result`, `axis`, `variants`, `compare`, …
        parts: the finding itself and those; the figure draws the ones that share its axis.
    """

    name: str
    question: str
    result: str
    axis: str
    variants: dict[str, str]
    compare: list[list[str]]
    answer: str = ""
    beside: str = ""
    score: str = ""
    better: str = ""
    note: str = ""
    at: str = ""
    also: list[dict[str, Any]] = field(default_factory=list)
    parts: tuple[Finding, ...] = field(init=False, repr=False, compare=False)
    measured: Comparison = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "measured", self._measured())
        object.__setattr__(self, "parts", (self, *(Finding(self.name, self.question, **each) for each in self.also)))
        names = {*self.variants, *(name for pair in self.compare for name in pair)}
        if (missing := sorted(n for n in names if not self.measured.values(n, self.score))) and len(self.measured):
            what = f"{self.score or self.measured.metric} of {', '.join(missing)}"
            raise ValueError(f"{self.name}/finding.yaml: results/{self.result}.json has no {what}")

    def _measured(self) -> Comparison:
        first, second = result(self.result), result(self.beside) if self.beside else Comparison()
        trials = [*first, *second] if len(first) and (len(second) or not self.beside) else []
        return Comparison(trials, first.metric, first.better, **first.head)

    def differences(self) -> list[Score]:
        """The first variant less the second, seed by seed, of each pair."""
        return [self.measured.difference(one, other, self.score) for one, other in self.compare]

    def comparisons(self) -> list[tuple[Finding, list[str], Score]]:
        """Every comparison of every part: the part, the pair of variants, and their difference."""
        return [(part, *row) for part in self.parts for row in zip(part.compare, part.differences())]

    def table(self) -> Table:
        """A row per comparison: its difference with the interval over seeds, and what that shows."""
        rows = []
        for part, pair, found in self.comparisons():
            difference = found.ranged(signed=True) if found.available else None
            rows.append((part.compared(pair), part.axis.partition(" (")[0], difference, part.conclusion(pair, found)))
        return Table(("compared", "score", "difference [95 %]", "what it shows"), rows, note=self.note)

    def compared(self, pair: list[str]) -> str:
        """A pair of variants in words."""
        ours, theirs = (self.variants.get(name, name) for name in pair)
        return ", ".join([f"{ours[:1].upper()}{ours[1:]} against {theirs}", *filter(None, [self.at])])

    def conclusion(self, pair: list[str], found: Score) -> str:
        """What the difference of a pair allows to conclude.

        Args:
            pair: of variants.
            found: the first less the second.
        """
        if not found.available:
            return f"undecided, {found.reason}"
        low, high = found.interval or (float(found),) * 2
        sign = -1 if (self.better or self.measured.better) == "high" else 1
        if found.protocol["seeds"] < ENOUGH:
            return f"too few seeds to decide ({ENOUGH} would)"
        if low <= 0 <= high:
            return f"no difference is shown; {power_text(found)}"
        ours, theirs = (self.variants.get(name, name) for name in pair)
        return f"in favour of {ours if sign * float(found) < 0 else theirs}"

    def figure(self, *, answered: bool = False) -> Figure:
        """One row per variant: a dot per seed, the mean, and its 95 % interval over seeds.

        Args:
            answered: whether the answer stands below the question.
        """
        traces: list[go.Scatter] = []
        parts = [part for part in self.parts if part.axis == self.axis and len(part.measured)]
        called: dict[str, str] = {}
        for variant, label in [pair for part in parts for pair in part.variants.items()]:
            called.setdefault(label, variant)
        colour_of = dict(zip(called, colours_of([*called.values()])))
        rows = [
            (part, variant, "<br>".join([label, *textwrap.wrap(part.at, 40)]), colour_of[label])
            for part in parts
            for variant, label in part.variants.items()
        ]
        for part, variant, label, colour in rows:
            values = list(part.measured.values(variant, part.score).values())
            dots = {"color": colour, "size": 8, "opacity": 0.4}
            traces.append(go.Scatter(x=values, y=[label] * len(values), mode="markers", name="one seed", marker=dots))
            reach = {"color": colour, "thickness": 3, "width": 9, "type": "data", "symmetric": False}
            mean = sum(values) / len(values)
            low, high = part.measured.over_seeds(variant, part.score).interval or (mean, mean)
            reach |= {"array": [high - mean], "arrayminus": [mean - low]}
            point = {"color": colour, "size": 15, "symbol": "diamond"}
            traces.append(go.Scatter(x=[mean], y=[label], mode="markers", name=label, marker=point, error_x=reach))
        drawn = figure(traces, xaxis_title=f"{self.axis}<br>diamond: mean, bar: 95 % over seeds, dots: single seeds")
        question, answer = textwrap.wrap(self.question, 80), textwrap.wrap(self.answer, 105) if answered else []
        needed = {name for part in self.parts if part.axis == self.axis for name in (part.result, part.beside) if name}
        answer += [f"Not drawn: there is no results/{name}.json" for name in sorted(needed) if not len(result(name))]
        title = f"{'<br>'.join(question)}<br><span style='font-size:14px'>{'<br>'.join(answer)}</span>"
        top = 44 + 24 * (len(question) + len(answer))  # lines are as far apart as those of the larger type
        place = {"yref": "container", "yanchor": "top", "y": 0.98, "pad": {"t": 14}, "font": {"size": 18}}
        drawn.update_layout(title={"text": title} | place, margin={"t": top, "b": 80})
        drawn.update_layout(height=130 + top + 52 * len(rows), font_size=15, showlegend=False, xaxis_title_font_size=14)
        drawn.update_yaxes(autorange="reversed", tickfont={"size": 15, "color": INK})
        return drawn

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return self.figure(answered=True)._repr_mimebundle_() | {"text/plain": f"{self.question} {self.answer}"}


def finding(name: str) -> Finding:
    """The finding of an experiment.

    Raises:
        LookupError: it declares none.
    """
    path = EXPERIMENTS / name / "finding.yaml"
    if not path.is_file():
        others = ", ".join(sorted(path.parent.name for path in EXPERIMENTS.glob("*/finding.yaml")))
        raise LookupError(f"{name} declares no finding; these do: {others}")
    return Finding(name, **read_yaml(path))


def findings() -> list[Finding]:
    """The findings of all experiments that declare one, by name; those whose results are not here are left out."""
    declared = [finding(path.parent.name) for path in sorted(EXPERIMENTS.glob("*/finding.yaml"))]
    return [each for each in declared if all(len(part.measured) for part in each.parts)]
