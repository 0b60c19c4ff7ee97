"""A report of runs as plain HTML files: an overview with the ledger, a page a run; opened from disk, no network.

Figures are JSON in their page and are drawn by one plotly.js beside the pages.
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
import yaml
from markupsafe import Markup

from gannb import __version__
from gannb.batch.papermill import read_executed

SITE = Path(__file__).parent / "site"


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
            run.params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
            run.name = run.params.pop("experiment", run.name)
            run.environment = _json(folder / "environment.json", {})
            run.claims = _json(folder / "claims.json", [])
            run.summary = _json(folder / "summary.json", {})
        except (ValueError, yaml.YAMLError) as error:
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
    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(SITE), autoescape=True)
    for run in runs:
        rows = [(run, claim) for claim in run.claims]
        html = pages.get_template("run.html").render(run=run, rows=rows, notebook=_notebook(run.folder))
        (out / run.page).write_text(html, encoding="utf-8")
    claims = newest_claims(runs)
    html = pages.get_template("overview.html").render(
        runs=runs,
        ledger=by_document(claims),
        verdicts=dict(Counter(claim["verdict"] for _, claim in claims)),
        version=__version__,
        written=time.strftime("%Y-%m-%d %H:%M"),
    )
    index = out / "index.html"
    index.write_text(html, encoding="utf-8")
    return index


def newest_claims(runs: Sequence[RunPage]) -> list[tuple[RunPage, dict[str, Any]]]:
    """Each claim once, by the first of `runs` (the newest) that settled it; by any where none did."""
    found: dict[tuple[str, str], tuple[RunPage, dict[str, Any]]] = {}
    for run in runs:
        for claim in run.claims:
            address = claim["document"], claim["id"]
            if address not in found or (_open(found[address][1]) and not _open(claim)):
                found[address] = run, claim
    return list(found.values())


def _open(claim: dict[str, Any]) -> bool:
    return claim["verdict"] == "not reached here"


def by_document(
    claims: Sequence[tuple[RunPage, dict[str, Any]]],
) -> dict[str, list[tuple[RunPage, dict[str, Any]]]]:
    """Claims grouped by the document they stand in."""
    grouped: dict[str, list[tuple[RunPage, dict[str, Any]]]] = {}
    for run, claim in sorted(claims, key=lambda pair: pair[1]["document"]):
        grouped.setdefault(claim["document"], []).append((run, claim))
    return grouped


def _json(path: Path, absent: Any) -> Any:
    if not path.is_file():
        return absent
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} ({error})") from error


def _notebook(folder: Path) -> Markup:
    from gannb.batch.executed import body

    executed = read_executed(folder)
    return Markup(body(executed)) if executed else Markup("")


def _write_assets(out: Path) -> None:
    from plotly.offline import get_plotlyjs

    for name in ("style.css", "figures.js"):
        shutil.copyfile(SITE / name, out / name)
    (out / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
