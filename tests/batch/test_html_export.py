"""An executed notebook as HTML: nothing in it needs a network, and nothing breaks out of its place."""

import json
import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gannb.batch.html_export import LARGE, PLOTLY, WIDGET, Aside, body, figure, markdown, mathml
from gannb.figures.source import show_source


@pytest.fixture
def aside(tmp_path: Path) -> Aside:
    return Aside(tmp_path, "run")


def test_figures_are_json_that_no_text_can_leave(aside: Aside) -> None:
    bundle = {"data": [{"name": "</script><b>"}], "layout": {"title": "a < b"}, "config": {"plotlyServerURL": "x"}}
    html = figure(bundle, aside)
    assert html.count("</script>") == 1
    stored = json.loads(re.search(r'json">(.*)</script>', html).group(1))
    assert stored == {"data": bundle["data"], "layout": bundle["layout"]}


def test_equations_become_mathml() -> None:
    html = markdown(r"Let $x^2$ be, and $$\frac{a}{b}$$")
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline">' in html and "<mfrac>" in html
    assert "$" not in html


def test_aligned_equations_become_a_table() -> None:
    html = mathml(r"\begin{aligned} a &= b,\\ c &= d \end{aligned}", "block")
    assert html.count("<mtr>") == 2 and "<mi>&" not in html


def test_an_equation_that_cannot_be_converted_is_shown_as_written() -> None:
    assert mathml(r"a^2^3", "inline") == r'<code class="equation">a^2^3</code>'
    assert "&lt;b&gt;" in mathml(r"\left( <b>", "inline")


def test_cells_keep_their_order_and_widget_views_are_left_out(aside: Aside) -> None:
    outputs = [
        new_output("stream", text="printed\n"),
        new_output("display_data", {PLOTLY: {"data": [], "layout": {}}, "text/plain": "Figure()"}),
        new_output("display_data", {WIDGET: {"model_id": "1"}, "text/plain": "IntSlider()"}),
        new_output("execute_result", {"text/html": "<table></table>", "text/plain": "Table"}),
    ]
    notebook = new_notebook(cells=[new_markdown_cell("# Why"), new_code_cell("x = 1", outputs=outputs)])
    html = body(notebook, aside)
    places = [html.index(part) for part in ("Why", "printed", 'class="figure"', "<table>")]
    assert places == sorted(places)
    assert "IntSlider" not in html and "Figure()" not in html
    assert not re.search(r'(src|href)="(https?:)?//', html), "nothing is fetched"
    assert len(notebook.cells[1].outputs) == 4, "the notebook is not changed"


def test_the_source_of_a_hidden_cell_is_folded_above_its_output(aside: Aside) -> None:
    hidden = new_code_cell("y = 2", outputs=[new_output("stream", text="printed\n")])
    hidden.metadata.jupyter = {"source_hidden": True}
    html = body(new_notebook(cells=[new_code_cell("x = 1"), hidden]), aside)
    folded = re.findall(r"<details>.*?</details>", html, re.DOTALL)
    assert len(folded) == 1 and ">y<" in folded[0] and html.count(">y<") == 1
    assert html.index(">x<") < html.index("<details>") < html.index("printed")


def test_what_is_large_lies_beside_the_page(aside: Aside, tmp_path: Path) -> None:
    picture = "iVBORw0KGgo" + "A" * 3 * LARGE
    outputs = [
        new_output("display_data", {PLOTLY: {"data": [{"x": list(range(LARGE))}]}}),
        new_output("display_data", {"image/png": picture + "=" * (-len(picture) % 4), "text/plain": "a <grid>"}),
        new_output("display_data", {"text/html": f'<iframe srcdoc="&lt;b&gt;{"x" * LARGE}" title="player"></iframe>'}),
        new_output("display_data", {"text/html": "<script>1</script>" + "y" * LARGE}),
        new_output("display_data", {"text/html": "<table>" + "t" * 2 * LARGE + "</table>"}),
        new_output("stream", text="z" * 10 * LARGE),
    ]
    html = body(new_notebook(cells=[new_code_cell("1", outputs=outputs)]), aside)
    assert len(html) < 7 * LARGE and "<table>tt" in html and re.findall(r'(?:src|href)="(run/[^"]+)"', html) == [
        "run/1.js", "run/2.png", "run/3.html", "run/4.html", "run/5.txt",
    ]  # fmt: skip
    assert (tmp_path / "run" / "1.js").read_text().startswith("document.currentScript.parentNode.figure = {")
    assert (tmp_path / "run" / "3.html").read_text().startswith("<b>x"), "the player's page as it was"
    assert 'title="player"' in html and 'alt="a &lt;grid&gt;"' in html
    assert (tmp_path / "run" / "5.txt").stat().st_size == 10 * LARGE


def test_a_shown_source_brings_no_colours_of_its_own(aside: Aside) -> None:
    source = new_output("execute_result", {"text/html": show_source(body)._repr_html_(), "text/plain": "def"})
    html = body(new_notebook(cells=[new_code_cell("show_source(body)", outputs=[source])]), aside)
    assert 'class="highlight"' in html and "<style" not in html


def test_links_to_the_documentation_of_claims_lead_to_the_ledger_of_the_report() -> None:
    claims = "[P4](../docs/claims.md#P4), [all](../docs/claims.md)"
    html = markdown(f"{claims}, [page](../docs/documents/identity.md), [x](https://x.org)")
    links = ["index.html#P4", "index.html#ledger", "index.html#document-identity", "https://x.org"]
    assert re.findall('href="([^"]*)"', html) == links
