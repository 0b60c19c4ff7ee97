"""A report of runs as plain HTML files: an overview with the ledger of all claims, a page a run, comparisons, sweeps.

It opens from disk and asks nothing of a network. One plotly.js beside the pages draws all figures.
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from gannb import __version__
from gannb.batch import comparison
from gannb.batch.papermill import read_executed
from gannb.config.yaml_files import read_yaml
from gannb.runs import verdicts
from gannb.runs.files import write_bytes, write_text

SITE = Path(__file__).parent / "site"
RUNS_A_PAGE = 250
"""Runs that a page lists, so that it stays below 400 kB."""


@dataclass
class RunPage:
    """What the report shows of a run folder.

    Attributes:
        folder: the run folder.
        name: the experiment.
        page: the page's file name.
        params, environment, summary: as the folder holds them; empty where the file is missing.
        claims: the ledger's rows.
        fault: why the run is not whole; empty where it is.
    """

    folder: Path
    name: str
    page: str
    params: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    claims: list[dict[str, Any]] = field(default_factory=list)
    fault: str = ""

    @classmethod
    def read(cls, folder: Path) -> RunPage:
        """Read a run folder; what is missing or damaged is said on the page instead of ending the report."""
        run = cls(folder, folder.parent.name, f"{folder.parent.name}-{folder.name}.html")
        try:
            run.params = read_yaml(folder / "params.yaml")
            run.name = run.params.pop("experiment", run.name)
            run.environment = _json(folder / "environment.json", {})
            run.claims = _json(folder / "claims.json", [])
            run.summary = _json(folder / "summary.json", {})
        except ValueError as error:
            run.fault = f"damaged: {error}"
        if not run.summary and not run.fault:
            run.fault = "unfinished: no summary.json"
        return run


def write(folders: Sequence[Path], out: Path) -> Path:
    """Write the report of these run folders.

    Args:
        folders: run folders, oldest first; the overview shows the newest first.
        out: where the pages go; pages of the same names are written anew.

    Returns:
        The overview page.
    """
    runs = [RunPage.read(folder) for folder in folders][::-1]
    out.mkdir(parents=True, exist_ok=True)
    _write_assets(out)
    site = Site(out)
    for run in runs:
        rows = [(run.page, claim) for claim in run.claims]
        site.write(run.page, "run.html", run=run, rows=rows, notebook=_notebook(run, out))
    compared = list(comparison.comparisons(folders, out))
    for each in compared:
        site.write(each.page, "comparison.html", comparison=each)
    lists = [runs[start : start + RUNS_A_PAGE] for start in range(0, len(runs), RUNS_A_PAGE)] or [[]]
    pages = [f"runs-{number}.html" for number in range(2, len(lists) + 1)]
    for number, listed in enumerate(lists[1:], 2):
        site.write(f"runs-{number}.html", "runs.html", runs=listed, number=number)
    return site.write("index.html", "overview.html", runs=lists[0], count=len(runs), pages=pages, compared=compared,
                      **_ledger(folders, {run.folder: run.page for run in runs}), version=__version__,
                      written=time.strftime("%Y-%m-%d %H:%M"))  # fmt: skip


class Site:
    """The pages of a report, from templates.

    Args:
        out: the folder they go to.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.templates = jinja2.Environment(loader=jinja2.FileSystemLoader(SITE), autoescape=True)

    def write(self, name: str, template: str, **values: Any) -> Path:
        """Write one page, and return where it is."""
        html = self.templates.get_template(template).render(**values)
        return write_bytes(self.out / name, html.encode())


def _ledger(folders: Sequence[Path], pages: dict[Path, str]) -> dict[str, Any]:
    """All claims by document, each with the page of the run that settled it; and how many have which verdict."""
    standing = verdicts.standings(folders)
    grouped: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for one in standing:
        grouped.setdefault(one.claim["document"], []).append((pages.get(one.folder, ""), one.claim))
    return {"ledger": grouped, "verdicts": dict(Counter(one.claim["verdict"] for one in standing)),
            "executable": sum(row[2] for row in verdicts.table(standing).rows), "claims": len(standing)}  # fmt: skip


def _json(path: Path, absent: Any) -> Any:
    if not path.is_file():
        return absent
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} ({error})") from error


def _notebook(run: RunPage, out: Path) -> Markup:
    from gannb.batch.html_export import Aside, body

    executed = read_executed(run.folder)
    if executed is None:
        return Markup("")
    aside = Aside(out, run.page.removesuffix(".html"))
    shutil.rmtree(out / aside.name, ignore_errors=True)  # of an earlier report
    return Markup(body(executed, aside))


def _write_assets(out: Path) -> None:
    from plotly.offline import get_plotlyjs

    for name in ("style.css", "figures.js"):
        shutil.copyfile(SITE / name, out / name)
    write_text(out / "plotly.min.js", get_plotlyjs())
