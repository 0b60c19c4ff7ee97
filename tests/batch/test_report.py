"""The report: what it says of whole, unfinished and damaged runs, and that a browser shows it offline."""

import html
import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import plotly.graph_objects as go
import pytest
from markupsafe import escape
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from gannb.batch import html_export, report
from gannb.batch.html_export import PLOTLY
from gannb.batch.report import write
from gannb.figures.findings import finding, findings
from gannb.figures.template import figure
from gannb.runs import verdicts
from gannb.runs.claims import claims


def claim(name: str, verdict: str, measured: str = "") -> dict:
    """A row as the ledger writes it."""
    return {
        "id": name, "document": "toy", "section": "2", "says": "falls below 50", "expect": {"below": 50},
        "weight": 1, "trained": True, "note": "", "verdict": verdict, "measured": measured, "value": None,
        "reason": "" if measured else "needs a GPU",
    }  # fmt: skip


SCORES = {
    "faed": {"value": 1.23456, "error": 0.1, "floor": 0.5, "protocol": {"n_real": 60, "split": "held out"}},
    "fid": {"value": None, "error": None, "floor": None, "protocol": {}, "reason": "no Inception weights"},
}


def _framed(page: str) -> str:
    return f'<iframe srcdoc="{html.escape(page)}" title="player"></iframe>'


ONE = finding("tour")


@pytest.fixture(autouse=True)
def one_finding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws one finding, as all of them take a second, but where a test is about what the whole page holds."""
    if not any(word in request.node.name for word in ("finding", "browser", "limit")):
        monkeypatch.setattr("gannb.figures.findings.findings", lambda: [ONE])


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
        (folder / "claims.json").write_text(json.dumps([claim("P1", verdict, "33"), claim("P2", "not tested here")]))
        made.append(folder)
    shown = figure([go.Scatter(x=[1, 2, 3], y=[1, 4, 9], name="loss")], title="A curve")
    many = figure([go.Scatter(x=list(range(3000)), y=list(range(3000)), name="long")])
    player = (
        '<!doctype html><meta charset="utf-8"><p id="p"></p><script>p.textContent = "plays"</script>' + " " * 20_000
    )
    cells = [
        new_markdown_cell("# Toy\n\n$$E = mc^2$$"),
        new_code_cell("fig", outputs=[new_output("display_data", {PLOTLY: json.loads(shown.to_json())})]),
        new_code_cell("many", outputs=[new_output("display_data", {PLOTLY: json.loads(many.to_json())})]),
        new_code_cell("player", outputs=[new_output("display_data", {"text/html": _framed(player)})]),
    ]
    nbformat.write(new_notebook(cells=cells), made[1] / "notebook.ipynb")
    return made


def test_the_overview_lists_runs_newest_first_with_scores_and_ledger(runs: list[Path], tmp_path: Path) -> None:
    index = write(runs, tmp_path / "report")
    shown = index.read_text()
    assert "Report of 2 runs" in shown and shown.index("20260102") < shown.index("20260101")
    table = shown.split('id="runs-table"')[1].split("</table>")[0]
    assert '<abbr title="faed">Fréchet distance on autoencoder features</abbr> 1.235' in table
    assert ">fid<" not in table, "a score without a value is not listed"
    assert "1 contradicted" in shown and "reproduced" not in shown, "the newer run settled it"
    assert "below 50" in shown and "needs a GPU" in shown


def test_the_ledger_holds_every_claim_of_every_document(runs: list[Path], tmp_path: Path) -> None:
    shown = write(runs, tmp_path / "report").read_text()
    ids = [name for document in verdicts.documents() for name in claims(document)]
    assert ids and [name for name in ids if f">{name}<" not in shown] == []
    assert f"{len(ids) + 2} claims of {len(verdicts.documents()) + 1} documents" in shown


def test_a_page_shows_scores_with_protocol_or_reason_parameters_and_notebook(runs: list[Path], tmp_path: Path) -> None:
    write(runs, tmp_path / "report")
    shown = (tmp_path / "report" / f"toy-{runs[1].name}.html").read_text()
    assert "Fréchet distance on autoencoder features" in shown and "Fréchet inception distance" in shown
    assert "real 60, split held out" in shown and "no Inception weights" in shown
    assert "&lt;rendered&gt;" in shown and "<math" in shown and "plotly.min.js" in shown
    without = (tmp_path / "report" / f"toy-{runs[0].name}.html").read_text()
    assert "no executed notebook" in without and "plotly.min.js" not in without


def test_a_page_opens_with_samples_and_curves_and_the_overview_with_those_of_the_newest(
    runs: list[Path], tmp_path: Path
) -> None:
    for run in runs:
        lines = [{"step": step, "D/loss": 1 / step, "kid": step} for step in range(1, 9)]
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (run / "samples").mkdir()
        for step in (5, 40, 300, 2000):
            Image.new("L", (600, 30), step % 256).save(run / "samples" / f"step_{step}.png")
    (runs[1] / "samples" / "<b>_9000.png").write_bytes(b"no picture")
    index = write(runs, tmp_path / "report")
    page = (index.parent / f"toy-{runs[1].name}.html").read_text()
    pictures = re.findall(r'<img src="(looks/[^"]+)"', page)
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert captions == ["step 5", "step 300"], "over time, by number; what is no picture is left out"
    assert Image.open(index.parent / pictures[0]).size == (240, 30), "the left part of what is wider than high"
    assert page.index("samples") < page.index("Scores")
    assert page.index('<h2 id="curves">') < page.index("Summary") and page.count('<div class="figure"') >= 2
    overview = index.read_text()
    assert re.findall(r'<img src="(looks/[^"]+)"', overview) == pictures, "those of the newest run"
    assert overview.index("looks/") < overview.index('id="findings"') < overview.index('id="runs"')


def test_the_overview_shows_a_figure_an_answer_and_all_comparisons_per_finding(
    runs: list[Path], tmp_path: Path
) -> None:
    shown = write(runs, tmp_path / "report").read_text().split('id="findings"')[1].split('id="runs"')[0]
    for each in findings():
        assert str(escape(each.answer)) in shown and each.table()._repr_html_() in shown
    assert shown.count('<div class="figure"') == len(findings())


def test_claims_are_folded_by_document_with_verdicts_and_weight_first(runs: list[Path], tmp_path: Path) -> None:
    rows = [claim("P9.light", "reproduced", "1"), claim("P8.open", "not tested here") | {"weight": 3}]
    rows += [claim("P9.heavy", "contradicted", "2") | {"weight": 3}, claim("P7.odd", "partly", "3") | {"weight": "x"}]
    (runs[1] / "claims.json").write_text(json.dumps(rows))
    shown = write(runs, tmp_path / "report").read_text()
    folded = shown.split('<details class="document" id="document-toy">')[1].split("</details>")[0]
    order = re.findall(r"(P\d\.\w+)</a>", folded)
    assert order.index("P9.heavy") < order.index("P9.light") < order.index("P8.open")
    assert folded.count('id="P9"') == 1 and "2 reproduced" in folded.split("</summary>")[0]


def test_one_plotly_for_all_pages(runs: list[Path], tmp_path: Path) -> None:
    out = write(runs, tmp_path / "report").parent
    pages = {path.name: path.stat().st_size for path in out.glob("*.html")}
    assert len(pages) == 4, "two runs, their comparison, and the overview"
    assert max(size for name, size in pages.items() if name != "index.html") < 20_000
    assert [path.name for path in out.glob("*.js")] and (out / "plotly.min.js").stat().st_size > 1_000_000


def test_unfinished_and_damaged_runs_are_said_to_be_so(runs: list[Path], tmp_path: Path) -> None:
    (runs[0] / "summary.json").unlink()
    (runs[1] / "summary.json").write_text('{"steps": 1')
    shown = write(runs, tmp_path / "report").read_text()
    assert "unfinished: no summary.json" in shown and "damaged: summary.json" in shown


def test_runs_are_compared_and_a_sweep_has_a_page(runs: list[Path], tmp_path: Path) -> None:
    for folder, lr in zip(runs, (0.1, 0.2)):
        (folder / "params.yaml").write_text(f"experiment: toy\nseed: 3\nlr: {lr}\n")
        lines = [{"step": step, "D/loss": lr * step} for step in range(1, 4)]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    trials = tmp_path / "runs" / "sweeps" / "trials"
    trials.mkdir(parents=True)
    for folder, state in zip(runs, ("done", "failed")):
        (trials / f"{folder.name}.json").write_text(
            json.dumps({"state": state, "folder": folder.name, "error": "no image", "cell": 4})
        )
    told = {"name": "rates", "notebook": "toy", "doc": "Which rate?", "score": "faed", "better": "low"}
    told |= {"trials": [{"id": folder.name} for folder in runs] + [{"id": "never begun"}]}
    (tmp_path / "runs" / "sweeps" / "rates.json").write_text(json.dumps(told))
    index = write(runs, tmp_path / "report").read_text()
    assert '<a href="experiment-toy.html">' in index and "(sweep)</span>: Which rate?" in index
    page = (tmp_path / "report" / "experiment-toy.html").read_text()
    assert "lr=0.1" in page and "lr=0.2" in page and "D/loss over time" in page and "better" not in page
    sweep = (tmp_path / "report" / "sweep-rates.html").read_text()
    assert "Failed trials" in sweep and "no image" in sweep
    assert "lower is better" in sweep and runs[0].name in sweep and runs[1].name not in sweep, "one trial is done"


def test_many_runs_stay_below_the_limit_of_a_page(runs: list[Path], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(report, "_notebook", lambda run, out: "")
    for number in range(600):
        shutil.copytree(runs[0], runs[0].parent / f"20260103-{number:06d}-bbbbbb")
    folders = sorted(runs[0].parent.iterdir())
    out = write(folders, tmp_path / "report").parent
    sizes = {path.name: path.stat().st_size for path in out.glob("*.html")}
    assert len(sizes) >= 605 and max(sizes.values()) <= 400_000, max(sizes, key=sizes.get)
    index, second = (out / "index.html").read_text(), (out / "runs-2.html").read_text()
    assert "Report of 602 runs" in index and 'href="runs-3.html"' in index
    assert "20260103-000599" in index and "20260103-000300" in second


DAMAGES = {
    "empty": b"",
    "cut short": b'{"a": [1, {',
    "other bytes": bytes(range(128, 256)),
    "UTF-16": '{"metrics": {}}'.encode("utf-16"),
    "a list": b"[1, 2]",
    "a list of lists": b"[[1], [2]]",
    "a number": b"7",
    "null": b"null",
    "deep": b"[" * 100_000,
    "NUL": b'{"a": "\0"}\n',
    "other values": b'{"metrics": [1], "cells": 3, "preset": [2]}\n',
    "other scores": b'{"metrics": {"faed": 3}}\n',
    "half surrogates": b'{"metrics": {"faed": {"value": 1.0, "protocol": {"a": "\\ud800"}}}}\n',
}
FILES = (
    "params.yaml", "environment.json", "summary.json", "claims.json", "metrics.jsonl", "events.jsonl", "notebook.ipynb",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [*DAMAGES, "a folder"])
def test_a_damaged_run_is_a_line_and_the_others_are_shown(
    runs: list[Path], tmp_path: Path, name: str, damage: str
) -> None:
    for run in runs:
        (run / "metrics.jsonl").write_text('{"step": 1, "D/loss": 0.5}\n')
        (run / "events.jsonl").write_text('{"seq": 1, "step": 0, "kind": "opened"}\n')
    damaged = runs[1] / name
    if damage == "a folder":
        damaged.unlink(missing_ok=True)
        damaged.mkdir()
    else:
        damaged.write_bytes(DAMAGES[damage])
    shown = write(runs, tmp_path / "report").read_text()
    assert "Report of 2 runs" in shown and "features</abbr> 1.235" in shown and runs[1].name in shown
    assert "Errno" not in shown


def test_a_claim_says_in_words_what_it_expects(runs: list[Path], tmp_path: Path) -> None:
    for expect, said in (({"between": [0.5, 0.8]}, "between 0.5 and 0.8"), ({"nearly": 1}, "claims.json is no ledger")):
        (runs[1] / "claims.json").write_text(json.dumps([claim("P1", "reproduced", "0.6") | {"expect": expect}]))
        assert said in write(runs, tmp_path / "report").read_text()


def test_a_damaged_sweep_is_a_line(runs: list[Path], tmp_path: Path) -> None:
    sweeps = tmp_path / "runs" / "sweeps"
    sweeps.mkdir()
    for name, content in DAMAGES.items():
        (sweeps / f"{name}.json").write_bytes(content)
    shown = write(runs, tmp_path / "report").read_text()
    assert shown.count("(sweep)") == len(DAMAGES) and "Report of 2 runs" in shown


def test_names_from_disk_are_names_and_never_paths(runs: list[Path], tmp_path: Path) -> None:
    """Nothing is written outside the report, and nothing outside the runs is read into it."""
    sweeps = tmp_path / "runs" / "sweeps"
    (sweeps / "trials").mkdir(parents=True)
    secret = tmp_path / "secret"
    shutil.copytree(runs[0], secret / "run")
    (secret / "run" / "params.yaml").write_text("experiment: toy\npassword: hunter2\n")
    sweep = {"name": "../../outside", "notebook": "../../secret", "score": "faed", "better": "low"}
    (sweeps / "a.json").write_text(json.dumps(sweep | {"trials": [{"id": "../../../evil"}, {"id": "x"}]}))
    (sweeps / "trials" / "x.json").write_text(json.dumps({"state": "done", "folder": "run"}))
    before = {path for path in tmp_path.rglob("*") if "report" not in path.parts}
    out = write(runs, tmp_path / "report").parent
    assert {path for path in tmp_path.rglob("*") if "report" not in path.parts} == before
    assert all("hunter2" not in page.read_text() for page in out.rglob("*.html"))


def test_folders_of_any_bytes_have_pages(runs: list[Path], tmp_path: Path) -> None:
    names = ["a b#c?d%20e", "ünï", "x" * 200, os.fsdecode(b"\xff\xfe"), 'q"<b>', "new\nline"]
    for name in names:
        shutil.copytree(runs[0], runs[0].parent / name)
    out = write([*runs, *(runs[0].parent / name for name in names)], tmp_path / "report").parent
    links = re.findall(r'<td><a href="([^"]+)">', (out / "index.html").read_text().split("Ledger")[0])
    assert len(set(links)) == len(runs) + len(names) and all((out / link).is_file() for link in links)
    assert all(re.fullmatch(r"[\w.-]+", link, re.ASCII) for link in links)


def test_a_notebook_is_exported_once(runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = write(runs, tmp_path / "report").parent / f"toy-{runs[1].name}.html"
    first, exports = page.read_text(), []
    body = html_export.body
    monkeypatch.setattr(html_export, "body", lambda *given: exports.append(1) or body(*given))
    write(runs, tmp_path / "report")
    assert page.read_text() == first and exports == []
    notebook = nbformat.read(runs[1] / "notebook.ipynb", as_version=4)
    notebook.cells[0].source = "# Another"
    nbformat.write(notebook, runs[1] / "notebook.ipynb")
    write(runs, tmp_path / "report")
    assert "Another" in page.read_text() and exports == [1]


def fits_on_paper(page) -> None:
    """Paper does not scroll: nothing is wider than it, and afterwards figures are as wide as the screen again."""
    widest = "Math.max(0, ...[...document.querySelectorAll('.figure .main-svg')].map(svg => svg.clientWidth))"
    size, on_screen = page.viewport_size, page.evaluate(widest)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.set_viewport_size({"width": 680, "height": 900})  # A4 within its margins
    assert page.evaluate("document.documentElement.scrollWidth") <= 680 and page.evaluate(widest) <= 680
    cut = (
        "[...document.querySelectorAll('.wide, .output_wrapper')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert page.evaluate(cut) == 0
    page.emulate_media(media="screen")
    page.set_viewport_size(size)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.wait_for_function(f"{widest} === {on_screen}")


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
            asked: list[str] = []
            page.on("request", lambda request, to=asked: to.append(request.url))
            page.on("console", lambda message, to=complaints: to.append(message.text))
            page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
            page.goto(index.as_uri())
            page.wait_for_function("document.querySelectorAll('.figure .main-svg').length > 4")
            page.fill("input.filter", f"toy -{runs[0].name}")
            assert page.locator("table.runs tbody tr:visible").count() == 1
            assert page.locator(".count").inner_text() == "1 of 2"
            page.fill("input.filter", "")
            page.click("table.runs a")
            page.wait_for_function("document.querySelectorAll('.figure .scatterlayer .trace').length == 2")
            assert page.locator(".figure").first.bounding_box()["height"] >= 300
            assert page.frame_locator("iframe").locator("#p").inner_text() == "plays"
            backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            fits_on_paper(page)
            page.goto(index.as_uri())
            fits_on_paper(page)
            page.click("a[href='experiment-toy.html']")
            assert page.locator("h1").inner_text().startswith("toy")
            assert complaints == [] and all(address.startswith("file:") for address in asked)
        assert len(backgrounds) == 2, "light and dark differ"
        browser.close()
