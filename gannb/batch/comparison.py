"""What a report compares: the runs of an experiment variant by variant, and the trials of a sweep."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from markupsafe import Markup

from gannb.batch.html_export import Aside, figure
from gannb.comparison.catalogue import Catalogue
from gannb.metrics.long_names import long_name
from gannb.runs.files import WriteError
from gannb.runs.locations import is_name
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
        fault: why there is nothing to show.
        tables: heading → table.
        figures: heading → a figure, ready for the page.
    """

    name: str
    kind: str
    doc: str = ""
    note: str = ""
    fault: str = ""
    tables: dict[str, Table] = field(default_factory=dict)
    figures: dict[str, Markup] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Its file."""
        return page_name(f"{self.kind}-{self.name}")


def page_name(name: str) -> str:
    """The file of a page: a name of any bytes, in letters that every file system and address takes."""
    plain = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)[:100]
    mark = "" if plain == name else f"-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
    return f"{plain}{mark}.html"


def comparisons(folders: Sequence[Path], out: Path) -> Iterator[ComparisonPage]:
    """A page for every experiment with at least two finished runs, and one for every sweep beside these runs.

    Args:
        folders: the run folders, none of them damaged.
        out: where the pages go; large figures are files beside them.
    """
    by_experiment: dict[str, list[Path]] = {}
    for folder in folders:
        by_experiment.setdefault(folder.parent.name, []).append(folder)
    for name, own in by_experiment.items():
        yield from _guarded(partial(_of_experiment, name, own, out), name, "experiment")
    for path in sorted({file for folder in folders for file in folder.parents[1].glob("sweeps/*.json")}):
        yield from _guarded(partial(_of_sweep, path, folders, out), path.stem, "sweep")


def _guarded(page: Callable[[], ComparisonPage | None], name: str, kind: str) -> Iterator[ComparisonPage]:
    """A page, if there is one; what anything in its folders raises becomes its fault, so that the others are shown."""
    try:
        found = page()
    except WriteError:  # the report's own
        raise
    except Exception as error:
        found = ComparisonPage(name, kind, fault=f"damaged: {type(error).__name__}: {error}")
    if found:
        yield found


def _of_experiment(name: str, folders: Sequence[Path], out: Path) -> ComparisonPage | None:
    runs = Catalogue.read(folders).where("state == 'finished'")
    return of_runs(name, "experiment", runs, out) if len(runs) > 1 else None


def _of_sweep(path: Path, folders: Sequence[Path], out: Path) -> ComparisonPage:
    """The page of a sweep, which is called after its file: what the file says are names, and no paths."""
    sweep = json.loads(path.read_text(encoding="utf-8"))
    records = _records(path, sweep)
    done = {record["folder"] for record in records if record["state"] == "done"}
    own = [folder for folder in folders if folder.parent == path.parents[1] / sweep["notebook"] and folder.name in done]
    page = of_runs(path.stem, "sweep", Catalogue.read(own), out, sweep.get("doc", ""), sweep["better"], sweep["score"])
    if failed := [record for record in records if record["state"] == "failed"]:
        page.tables["Failed trials"] = _failed(failed)
    return page


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
    for measured, every in kept.several_series(_drawn(kept), points=100).items():
        series = dict(list(every.items())[:CURVES])
        words = measured if "/" in measured else long_name(measured)
        drawn = json.loads(curves(series, y_title=words).to_json())
        page.figures[words] = Markup(figure(drawn, Aside(out, page.page.removesuffix(".html"), len(page.figures))))
    return page


def _drawn(runs: Catalogue) -> list[str]:
    """Scores over time, and the players' losses."""
    names = runs.measured()
    return [name for name in names if "/" not in name][:2] + [name for name in names if name.endswith("/loss")][:2]


def _records(path: Path, sweep: dict) -> list[dict]:
    """The records of a sweep's trials, as far as they were started."""
    ids = [trial["id"] for trial in sweep["trials"] if is_name(trial["id"])]
    records = [path.parent / "trials" / f"{name}.json" for name in ids]
    return [json.loads(record.read_text(encoding="utf-8")) for record in records if record.is_file()]


def _failed(records: Sequence[dict]) -> Table:
    """Each with its error and the cell where it arose."""
    rows = [(r.get("variant"), r.get("seed"), r.get("cell") or None, r.get("error")) for r in records]
    return Table(("variant", "seed", "code cell", "error"), rows)
