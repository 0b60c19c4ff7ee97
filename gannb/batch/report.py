"""A report of runs as plain HTML files: an overview with the ledger of all claims, a page per run, comparisons, sweeps.

It opens from disk and needs no network. One plotly.js beside the pages draws all figures.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from markupsafe import Markup

from gannb import __version__
from gannb.batch import comparison
from gannb.batch.comparison import page_name
from gannb.batch.first_look import Sample, curves_of, samples
from gannb.batch.html_export import Aside, figure
from gannb.batch.papermill import EXECUTED
from gannb.config.yaml_files import read_yaml
from gannb.metrics.long_names import long_name
from gannb.runs import verdicts
from gannb.runs.claims import NOT_TESTED, expected
from gannb.runs.files import WriteError, read_lines, write_bytes, write_text
from gannb.runs.history import History
from gannb.runs.verdicts import read_claims

SITE = Path(__file__).parent / "site"
TEMPLATES = jinja2.Environment(loader=jinja2.FileSystemLoader(SITE), autoescape=True)
TEMPLATES.filters |= {"long_name": long_name, "expected": expected}
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

    @property
    def title(self) -> str:
        """The folder's name, readable whatever its bytes are."""
        return self.folder.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    @classmethod
    def read(cls, folder: Path) -> RunPage:
        """Read a run folder; it raises nothing, because what is missing or damaged becomes the fault."""
        run = cls(folder, folder.parent.name, page_name(f"{folder.parent.name}-{folder.name}"))
        try:
            run.params = read_yaml(folder / "params.yaml")
            run.name = str(run.params.pop("experiment", run.name))
            run.environment = _json(folder / "environment.json")
            run.summary = _json(folder / "summary.json")
            _check_scores(run.summary)
            run.claims = read_claims(folder)
            History(folder / "metrics.jsonl").names()
            if not all({"kind", "step"} <= event.keys() for event in read_lines(folder / "events.jsonl")):
                raise ValueError("events.jsonl (an event without kind or step)")
        except (OSError, ValueError, RecursionError) as error:
            run.fault = f"damaged: {_in_words(error)}"
        if not run.summary and not run.fault:
            run.fault = "unfinished: no summary.json"
        return run

    @property
    def whole(self) -> bool:
        """Whether nothing in the folder is damaged."""
        return not self.fault.startswith("damaged")


def write(folders: Sequence[Path], out: Path) -> Path:
    """Write the report of these run folders.

    Args:
        folders: run folders, oldest first; the overview shows the newest first.
        out: where the pages go; pages of the same names are overwritten.

    Returns:
        The overview page.
    """
    runs = [RunPage.read(folder) for folder in folders][::-1]
    out.mkdir(parents=True, exist_ok=True)
    _write_assets(out)
    looks = {}
    for run in runs:
        shown = _write_run(run, out)
        if shown and run.name not in looks:
            looks[run.name] = run, shown
    compared = list(comparison.comparisons([run.folder for run in runs[::-1] if run.whole], out))
    for each in compared:
        _page(out / each.page, "comparison.html", comparison=each)
    lists = [runs[start : start + RUNS_A_PAGE] for start in range(0, len(runs), RUNS_A_PAGE)] or [[]]
    pages = [f"runs-{number}.html" for number in range(2, len(lists) + 1)]
    for number, listed in enumerate(lists[1:], 2):
        _page(out / f"runs-{number}.html", "runs.html", runs=listed, number=number)
    return _page(out / "index.html", "overview.html", runs=lists[0], count=len(runs), pages=pages, compared=compared,
                 looks=looks.values(), found=_findings(out),
                 **_ledger(folders, {run.folder: run.page for run in runs}), version=__version__,
                 written=time.strftime("%Y-%m-%d %H:%M"))  # fmt: skip


def _write_run(run: RunPage, out: Path) -> list[Sample]:
    """Write the page of a run, and return its samples; what anything in the folder raises becomes its fault."""
    try:
        rows = [(run.page, claim) for claim in run.claims]
        aside = Aside(out, f"looks/{run.page.removesuffix('.html')}")
        shown, curves = samples(run.folder, aside), curves_of(run.folder, aside) if run.whole else ""
        notebook = _notebook(run, out)
        _page(out / run.page, "run.html", run=run, rows=rows, notebook=notebook, samples=shown, curves=curves)
        return shown
    except WriteError:  # the report's own
        raise
    except Exception as error:  # a folder may hold anything, and the others are to be shown
        run.fault = f"damaged: {_in_words(error)}"
        plain = RunPage(run.folder, run.name, run.page, fault=run.fault)
        _page(out / run.page, "run.html", run=plain, rows=[], notebook="")
        return []


def _in_words(error: Exception) -> str:
    """What an error says, without a number of the system's."""
    if isinstance(error, OSError) and error.strerror:
        return f"{Path(os.fsdecode(error.filename or '')).name} ({error.strerror.lower()})"
    return str(error) or type(error).__name__


def _findings(out: Path) -> list[tuple[Any, Markup]]:
    """What each experiment found, with its figure."""
    from gannb.figures.findings import findings

    aside = Aside(out, "findings")
    return [(each, Markup(figure(json.loads(each.figure().to_json()), aside))) for each in findings()]


def _page(path: Path, template: str, **values: Any) -> Path:
    """Write one page from a template, and return where it is."""
    html = TEMPLATES.get_template(template).render(**values)
    return write_bytes(path, html.encode("utf-8", "replace"), sync=False)


def _ledger(folders: Sequence[Path], pages: dict[Path, str]) -> dict[str, Any]:
    """All claims by document, each with the page of the run that settled it; and how many measured ones stand how."""
    standing = verdicts.standings(folders)
    grouped: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for one in standing:
        page = pages.get(one.folder, "") if one.folder else ""
        grouped.setdefault(one.claim["document"], []).append((page, one.claim))
    for rows in grouped.values():  # what has a verdict first, and what weighs most
        rows.sort(key=lambda row: (row[1]["verdict"] == NOT_TESTED, -_weight(row[1])))
    measured = [one.claim for one in standing if not verdicts.restated(one.claim)]
    return {"ledger": grouped, "verdicts": dict(Counter(claim["verdict"] for claim in measured)),
            "restated": len(standing) - len(measured), "claims": len(standing),
            "executable": sum(row[2] for row in verdicts.table(standing).rows)}  # fmt: skip


def _weight(claim: dict[str, Any]) -> int:
    weight = claim.get("weight", 1)
    return weight if isinstance(weight, int) else 1


def _json(path: Path) -> dict[str, Any]:
    """A file of names and values; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} (not UTF-8 text, at byte {error.start})") from error
    except ValueError as error:
        raise ValueError(f"{path.name} ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} (names and values expected)")
    return found


def _check_scores(summary: dict[str, Any]) -> None:
    metrics = summary.get("metrics") or {}
    if not isinstance(metrics, dict) or not all(isinstance(score, dict) for score in metrics.values()):
        raise ValueError("summary.json (its metrics are no scores)")


def _notebook(run: RunPage, out: Path) -> Markup:
    """The executed notebook as HTML. It is exported once: the export is kept beside the page, by content."""
    from gannb.batch import html_export

    path = run.folder / EXECUTED
    if not path.is_file():
        return Markup("")
    content = path.read_bytes()
    digest = hashlib.sha256(content + Path(html_export.__file__).read_bytes()).hexdigest()
    aside = html_export.Aside(out, run.page.removesuffix(".html"))
    kept = out / aside.name / f"{digest[:16]}.html"
    if not kept.is_file():
        shutil.rmtree(out / aside.name, ignore_errors=True)  # of an earlier report
        exported = html_export.body(nbformat.reads(content.decode("utf-8-sig"), as_version=4), aside)
        write_bytes(kept, exported.encode("utf-8", "replace"), sync=False)
    return Markup(kept.read_text(encoding="utf-8"))


def _write_assets(out: Path) -> None:
    from plotly.offline import get_plotlyjs

    for name in ("style.css", "figures.js", "filter.js"):
        shutil.copyfile(SITE / name, out / name)
    write_text(out / "plotly.min.js", get_plotlyjs())
