"""An executed notebook as HTML that needs no network: figures as JSON, equations as MathML, no widget views."""

from __future__ import annotations

import json
from typing import Any

from latex2mathml.converter import convert
from markupsafe import escape
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbformat.v4 import new_output

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


def body(notebook: NotebookNode) -> str:
    """The cells of an executed notebook as HTML, to stand in a page that loads plotly.js and the report's style.

    The notebook is not changed. Widget views are left out: without a kernel they show nothing.
    """
    shown = notebook.copy()
    shown.cells = [_shown(cell) for cell in notebook.cells]
    exporter = HTMLExporter(template_name="basic", filters={"markdown2html": markdown})
    return exporter.from_notebook_node(shown)[0]


def figure(bundle: dict[str, Any]) -> str:
    """A plotly figure as JSON beside the place where the page's script draws it."""
    kept = {part: bundle[part] for part in ("data", "layout", "frames") if part in bundle}
    text = json.dumps(kept, separators=(",", ":")).replace("<", "\\u003c")  # no tag may end the script early
    return f'<div class="figure"><script type="application/json">{text}</script></div>'


def markdown(source: str) -> str:
    """Markdown as HTML, its equations as MathML."""
    return MarkdownWithMath(renderer=_MathML(escape=False)).render(source)


class _MathML(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return mathml(body, display="inline")

    def block_math(self, body: str) -> str:
        return mathml(body, display="block")


def mathml(latex: str, display: str) -> str:
    """One equation; shown as it was written where it cannot be converted."""
    try:
        return convert(latex.strip(), display=display)
    except Exception:  # the converter raises a dozen unrelated classes, and a report must not end on a formula
        return f'<code class="equation">{escape(latex.strip())}</code>'


def _shown(cell: NotebookNode) -> NotebookNode:
    if cell.cell_type != "code":
        return cell
    kept = cell.copy()
    kept.outputs = [_as_html(output) for output in cell.outputs if WIDGET not in output.get("data", {})]
    return kept


def _as_html(output: NotebookNode) -> NotebookNode:
    bundle = output.get("data", {}).get(PLOTLY)
    return new_output("display_data", {"text/html": figure(bundle)}) if bundle else output
