"""The report: what it says of whole, unfinished and damaged runs, and that a browser shows it offline."""

import json
import shutil
from pathlib import Path

import nbformat
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gannb.batch.executed import PLOTLY
from gannb.batch.report import RunPage, newest_claims, write
from gannb.figures.template import figure


def claim(name: str, verdict: str, measured: str = "") -> dict:
    """A row as the ledger writes it."""
    return {
        "id": name, "document": "particles_sagan", "section": "2", "says": "falls below 50", "expect": {"below": 50},
        "weight": 1, "trained": True, "note": "", "verdict": verdict, "measured": measured, "value": None,
        "reason": "" if measured else "needs a GPU",
    }  # fmt: skip


SCORES = {
    "faed": {"value": 1.23456, "error": 0.1, "floor": 0.5, "protocol": {"n_real": 60, "split": "held out"}},
    "fid": {"value": None, "error": None, "floor": None, "protocol": {}, "reason": "no Inception weights"},
}


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two whole runs, the newer with its notebook."""
    made = []
    for day, verdict in ((1, "reproduced"), (2, "contradicted")):
        folder = tmp_path / "runs" / "toy" / f"2026010{day}-000000-aaaaaa"
        folder.mkdir(parents=True)
        (folder / "params.yaml").write_text("experiment: toy\nseed: 3\ndata: <rendered>\n")
        (folder / "environment.json").write_text('{"torch": "2.15"}')
        summary = {"notebook": "toy", "preset": "quick", "seed": 3, "steps": 100, "seconds": 2.5, "metrics": SCORES}
        (folder / "summary.json").write_text(json.dumps(summary))
        (folder / "claims.json").write_text(json.dumps([claim("P1", verdict, "33"), claim("P2", "not reached here")]))
        made.append(folder)
    shown = figure([go.Scatter(x=[1, 2, 3], y=[1, 4, 9], name="loss")], title="A curve")
    cells = [
        new_markdown_cell("# Toy\n\n$$E = mc^2$$"),
        new_code_cell("fig", outputs=[new_output("display_data", {PLOTLY: json.loads(shown.to_json())})]),
    ]
    nbformat.write(new_notebook(cells=cells), made[1] / "notebook.ipynb")
    return made


def test_the_overview_lists_runs_newest_first_with_scores_and_ledger(runs: list[Path], tmp_path: Path) -> None:
    index = write(runs, tmp_path / "report")
    html = index.read_text()
    assert "Report of 2 runs" in html and html.index("20260102") < html.index("20260101")
    assert "faed 1.235" in html and "fid" not in html.split("Ledger")[0], "a score without a value is not listed"
    assert "1 contradicted" in html and "1 not reached here" in html and "reproduced" not in html
    assert "below 50" in html and "needs a GPU" in html


def test_a_page_shows_scores_with_protocol_or_reason_parameters_and_notebook(runs: list[Path], tmp_path: Path) -> None:
    write(runs, tmp_path / "report")
    html = (tmp_path / "report" / f"toy-{runs[1].name}.html").read_text()
    assert "n_real 60, split held out" in html and "no Inception weights" in html
    assert "&lt;rendered&gt;" in html and "<math" in html and "plotly.min.js" in html
    without = (tmp_path / "report" / f"toy-{runs[0].name}.html").read_text()
    assert "No executed notebook" in without and "plotly.min.js" not in without


def test_one_plotly_for_all_pages(runs: list[Path], tmp_path: Path) -> None:
    out = write(runs, tmp_path / "report").parent
    pages = {path.name: path.stat().st_size for path in out.glob("*.html")}
    assert len(pages) == 3 and max(pages.values()) < 20_000
    assert [path.name for path in out.glob("*.js")] and (out / "plotly.min.js").stat().st_size > 1_000_000


def test_a_settled_verdict_is_not_hidden_by_a_newer_run_that_did_not_reach_it(runs: list[Path]) -> None:
    (runs[1] / "claims.json").write_text(json.dumps([claim("P1", "not reached here")]))
    pages = [RunPage.read(folder) for folder in reversed(runs)]
    settled = {row["id"]: (run.folder, row["verdict"]) for run, row in newest_claims(pages)}
    assert settled["P1"] == (runs[0], "reproduced")


def test_unfinished_and_damaged_runs_are_said_to_be_so(runs: list[Path], tmp_path: Path) -> None:
    (runs[0] / "summary.json").unlink()
    (runs[1] / "summary.json").write_text('{"steps": 1')
    html = write(runs, tmp_path / "report").read_text()
    assert "unfinished: no summary.json" in html and "damaged: summary.json" in html


@pytest.mark.browser
def test_a_browser_shows_it_from_disk_without_a_network(runs: list[Path], tmp_path: Path) -> None:
    browsers = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for name in browsers if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no browser on this machine")
    from playwright.sync_api import sync_playwright

    index = write(runs, tmp_path / "report")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        backgrounds = set()
        for scheme in ("light", "dark"):
            page = browser.new_context(color_scheme=scheme, offline=True).new_page()
            complaints: list[str] = []
            page.on("console", lambda message, to=complaints: to.append(message.text))
            page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
            page.goto(index.as_uri())
            page.click("table.runs a")
            page.wait_for_selector(".figure .main-svg")
            assert page.locator(".figure .scatterlayer .trace").count() == 1
            backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            assert complaints == []
        assert len(backgrounds) == 2, "light and dark differ"
        browser.close()
