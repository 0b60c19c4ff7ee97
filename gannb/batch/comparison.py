"""What a report compares: the runs of an experiment variant by variant, and the trials of a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from gannb.batch.html_export import Aside, figure
from gannb.comparison.catalogue import Catalogue
from gannb.tables import Table

SCORES = 4
"""Scores that are tabled, at most."""
VARIANTS = 40
"""Variants that a page shows, at most: more make no table that anyone reads."""
CURVES = 12
"""Variants that are drawn over time, at most."""


@dataclass(frozen=True)
class ComparisonPage:
    """A page of a report that compares runs.

    Attributes:
        name: of the experiment, or of the sweep.
        kind: "experiment" or "sweep".
        doc: what a sweep asks.
        note: what the page leaves out.
        tables: heading → table.
        figures: heading → a figure, ready for the page.
    """

    name: str
    kind: str
    doc: str = ""
    note: str = ""
    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, Markup] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Its file."""
        return f"{self.kind}-{self.name}.html"


def comparisons(folders: Sequence[Path], out: Path) -> Iterator[ComparisonPage]:
    """A page for every experiment with at least two finished runs, and one for every sweep beside these runs.

    Args:
        folders: the run folders.
        out: where the pages go; large figures lie in files beside them.
    """
    by_experiment: dict[str, list[Path]] = {}
    for folder in folders:
        by_experiment.setdefault(folder.parent.name, []).append(folder)
    for name, own in by_experiment.items():
        runs = Catalogue.read(own)
        runs = runs.where("state == 'finished'")
        if len(runs) > 1:
            yield of_runs(name, "experiment", runs, out)
    for path in sorted({file for folder in folders for file in folder.parents[1].glob("sweeps/*.json")}):
        told = json.loads(path.read_text(encoding="utf-8"))
        records = _records(path, told)
        base = path.parents[1] / told["notebook"]
        runs = Catalogue.read(base / record["folder"] for record in records if record["state"] == "done")
        page = of_runs(told["name"], "sweep", runs, out, told.get("doc", ""), told["better"], told["score"])
        if failed := [record for record in records if record["state"] == "failed"]:
            page.tables["Failed trials"] = _failed(failed)
        yield page


def of_runs(
    name: str, kind: str, runs: Catalogue, out: Path, doc: str = "", better: str = "", score: str = ""
) -> ComparisonPage:
    """Variants with their scores over seeds, each beside the first; and what was measured over time.

    Args:
        name: of the experiment or the sweep.
        kind: "experiment" or "sweep".
        runs: what is compared.
        out: where large figures go, in files beside the page.
        doc: what a sweep asks.
        better: whether "low" or "high" scores are better; "" if that is not known.
        score: the deciding one; "": the first few that all finished runs have.
    """
    from gannb.figures.curves import curves

    variants = runs.variants()
    kept = runs
    if len(variants) > VARIANTS:
        shown = [run for alike in list(variants.values())[:VARIANTS] for run in alike.frame["run"]]
        kept = runs.pick(shown)
    note = f"the first {VARIANTS} of {len(variants)} variants" if len(variants) > VARIANTS else ""
    page = ComparisonPage(name, kind, doc, note)
    scores = [score] if score in kept.scored else kept.common_scores()[:SCORES]
    for each in scores:
        page.tables[each] = kept.comparison(each, better).tested()
    page.tables["Runs"] = kept.table(most=100)
    if len(branches := kept.branches()):
        page.tables["Branches"] = branches
    for measured in _drawn(kept):
        series = dict(list(kept.series(measured, points=100).items())[:CURVES])
        drawn = json.loads(curves(series, y_title=measured).to_json())
        page.figures[measured] = Markup(figure(drawn, Aside(out, page.page.removesuffix(".html"), len(page.figures))))
    return page


def _drawn(runs: Catalogue) -> list[str]:
    """Scores over time, and the players' losses."""
    names = runs.measured()
    return [name for name in names if "/" not in name][:2] + [name for name in names if name.endswith("/loss")][:2]


def _records(path: Path, told: dict) -> list[dict]:
    """How the trials of a sweep stand, as far as they were begun."""
    records = [path.parent / "trials" / f"{trial['id']}.json" for trial in told["trials"]]
    return [json.loads(record.read_text(encoding="utf-8")) for record in records if record.is_file()]


def _failed(records: Sequence[dict]) -> Table:
    """Each with its error and the cell where it arose."""
    rows = [(r.get("variant"), r.get("seed"), r.get("cell") or None, r.get("error")) for r in records]
    return Table(("arm", "seed", "code cell", "error"), rows)
