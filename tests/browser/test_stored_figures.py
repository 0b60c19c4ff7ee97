"""Every figure that a notebook stores, in JupyterLab and in the report: it is drawn, and nothing in the page fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from gannb.batch.report import write

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
OPENED = ("01_motion_balance", "06_compare_runs")
"""Opened in JupyterLab at every run of the tests, the others as a gate; the report shows them all."""
PLOTLY = "application/vnd.plotly.v1+json"
DRAWN = "document.querySelectorAll('.js-plotly-plot .main-svg').length > 0"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


def figures(notebook: Path) -> int:
    """How many plotly figures a notebook stores."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return sum(PLOTLY in output.get("data", {}) for cell in cells for output in cell.get("outputs", ()))


def watched(browser, **options: object):
    """A page, and the uncaught errors in it and in its frames."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}, **options).new_page()
    page.set_default_timeout(90_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Error" in message.text else None)
    return page, errors


def point_at_all(page) -> int:
    """Bring each figure into view and point at it, as a reader does; returns how many there are."""
    found = page.locator(".js-plotly-plot")
    for index in range(found.count()):
        found.nth(index).scroll_into_view_if_needed()
        area = found.nth(index).locator(".nsewdrag").first
        if area.count() and (box := area.bounding_box()):
            for share in (0.2, 0.5, 0.8):
                page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.5 * box["height"])
    return found.count()


def opened(lab, browser, notebook: Path) -> tuple[int, list[str]]:
    """Open a notebook in JupyterLab and point at all its figures; returns how many are drawn, and the errors."""
    shutil.copy(notebook, lab.folder / notebook.name)
    page, errors = watched(browser)
    page.goto(lab.address(f"lab/workspaces/{notebook.stem}/tree/{notebook.name}?token={lab.token}"))
    page.locator("#jp-main-statusbar").get_by_text("Idle").wait_for()
    cells = page.locator(".jp-Notebook .jp-Cell")
    for index in range(cells.count()):  # what is out of view may wait to be drawn
        if cells.nth(index).is_visible():
            cells.nth(index).scroll_into_view_if_needed()
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(500)
    drawn = point_at_all(page)
    page.context.close()
    return drawn, errors


@pytest.mark.parametrize(
    "notebook",
    [pytest.param(path, id=path.stem, marks=() if path.stem in OPENED else pytest.mark.gate) for path in NOTEBOOKS],
)
def test_figures_of_a_notebook_in_jupyterlab(lab, browser, notebook):
    assert opened(lab, browser, notebook) == (figures(notebook), [])


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report whose runs hold the notebooks as they are stored."""
    home, folders = tmp_path_factory.mktemp("report"), []
    for number, notebook in enumerate(NOTEBOOKS):
        name = notebook.stem.partition("_")[2]
        folder = home / "runs" / name / f"2026010{number + 1}-000000-abcdef"
        folder.mkdir(parents=True)
        (folder / "params.yaml").write_text(f"experiment: {name}\nseed: 0\n", encoding="utf-8")
        shutil.copy(notebook, folder / "notebook.ipynb")
        folders.append(folder)
    return write(folders, home / "report")


def test_an_error_in_the_script_of_an_output_is_noticed(browser, tmp_path):
    """What plotly.js made of a trace's name: an error that nothing catches, in a page that looks whole."""
    output = new_output("display_data", {"text/html": "<script>document.querySelector('.trace0-D/loss')</script>"})
    nbformat.write(new_notebook(cells=[new_code_cell("", outputs=[output])]), tmp_path / "planted.ipynb")
    folder = tmp_path / "runs" / "tour" / "20260101-000000-abcdef"
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text("experiment: tour\nseed: 0\n", encoding="utf-8")
    shutil.copy(tmp_path / "planted.ipynb", folder / "notebook.ipynb")
    index = write([folder], tmp_path / "report")
    page, errors = watched(browser, offline=True)
    for path in sorted(index.parent.glob("*.html")):
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")
    page.context.close()
    assert any("not a valid selector" in error for error in errors), errors


def test_figures_of_the_report(browser, report):
    page, errors = watched(browser, offline=True)
    page.goto(report.as_uri())
    assert page.locator("table.runs tbody tr").count() == len(NOTEBOOKS)
    drawn = 0
    pages = sorted(report.parent.glob("*.html"))
    for path in pages:
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")
        drawn += point_at_all(page)
    page.context.close()
    assert errors == []
    assert drawn >= sum(map(figures, NOTEBOOKS))
