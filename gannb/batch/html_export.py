"""An executed notebook as HTML that needs no network: figures as JSON, equations as MathML, no widget views.

Large outputs (pictures, figures with many points, players) are files beside the page, so that the page stays small.
"""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from markupsafe import escape
from nbconvert import HTMLExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML, clean_html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_output

from gannb.runs.files import write_bytes

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"


LARGE = 10_000
"""Characters from which an output is a file of its own."""
LONG_TABLE = 60_000
"""Characters of HTML without a script, such as a ledger, that stay in the page."""
CACHED = 500
"""Cells whose conversion is kept for further notebooks."""
_PYGMENTS = re.compile(r"^<style>pre \{ line-height.*?</style>", re.DOTALL)
"""Colours that a shown source brings along, for every output of the page and for light pages only."""
LONG_TEXT = 20_000
"""Characters of plain text that a page shows; the rest is in a file."""


@dataclass
class Aside:
    """Where a page's large outputs go.

    Args:
        folder: of the page.
        name: of the page's own folder in it.
    """

    folder: Path
    name: str
    count: int = 0

    def put(self, content: bytes, ending: str) -> str:
        """Write a file, and return its address relative to the page."""
        self.count += 1
        path = self.folder / self.name / f"{self.count}.{ending}"
        write_bytes(path, content)
        return f"{self.name}/{path.name}"


def body(notebook: NotebookNode, aside: Aside) -> str:
    """The cells of an executed notebook as HTML, to stand in a page that loads plotly.js and the report's style.

    The notebook is not changed. Widget views, which show nothing without a kernel, are left out.
    """
    shown = notebook.copy()
    shown.cells = [_shown(cell, aside) for cell in notebook.cells]
    return _exporter().from_notebook_node(shown)[0]


class _Exporter(HTMLExporter):
    """nbconvert's exporter without its last pass over the whole page, which adds alternative texts: ours have some."""

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **options: Any) -> Any:
        kinds = WidgetsDataTypeFilter(notebook_metadata=self._nb_metadata, parent=self, resources=resources)
        self.register_filter("filter_data_type", kinds)
        return TemplateExporter.from_notebook_node(self, nb, resources, **options)


_highlighted = lru_cache(CACHED)(Highlight2HTML(pygments_lexer="python").__call__)


@cache
def _exporter() -> _Exporter:
    """One exporter for all notebooks; what cells of many runs have in common is converted once."""
    filters = {
        "markdown2html": lru_cache(CACHED)(markdown),
        "highlight_code": lambda source, metadata=None: _highlighted(source),
        "clean_html": lru_cache(CACHED)(clean_html),
    }
    return _Exporter(template_name="basic", filters=filters, default_preprocessors=[])


def figure(bundle: dict[str, Any], aside: Aside) -> str:
    """A plotly figure as JSON, which the page's script draws; a large one as a script of its own.

    A page opened from disk may not read a JSON file, but it may load a script.
    """
    kept = {part: bundle[part] for part in ("data", "layout", "frames") if part in bundle}
    text = json.dumps(kept, separators=(",", ":")).replace("<", "\\u003c")  # no tag may end the script early
    if len(text) < LARGE:
        return f'<div class="figure"><script type="application/json">{text}</script></div>'
    address = aside.put(f"document.currentScript.parentNode.figure = {text};".encode(), "js")
    return f'<div class="figure"><script src="{address}"></script></div>'


def page(content: str, aside: Aside) -> str:
    """HTML of a cell; large HTML, such as a player, in a frame of its own."""
    if len(content) < LARGE:
        return content
    framed = re.sub(
        rf'srcdoc="([^"]{{{LARGE},}})"',
        lambda found: f'src="{aside.put(html.unescape(found[1]).encode(), "html")}"',
        content,
    )
    if len(framed) < (LARGE if "<script" in framed else LONG_TABLE):
        return framed
    whole = f'<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">{framed}'
    return f'<iframe class="large" src="{aside.put(whole.encode(), "html")}" title="output"></iframe>'


def markdown(source: str) -> str:
    """Markdown as HTML, its equations as MathML; links to the documentation of claims lead to the report's ledger."""
    shown = MarkdownWithMath(renderer=_MathML(escape=False)).render(source)
    shown = re.sub(r'href="\.\./docs/documents/(\w+)\.md"', r'href="index.html#document-\1"', shown)
    return re.sub(r'href="\.\./docs/claims\.md(#\w+)?"', lambda to: f'href="index.html{to[1] or "#ledger"}"', shown)


class _MathML(IPythonRenderer):
    def inline_math(self, body: str) -> str:
        return mathml(body, display="inline")

    def block_math(self, body: str) -> str:
        return mathml(body, display="block")


def mathml(latex: str, display: str) -> str:
    """One equation as MathML; as it was written where it cannot be converted."""
    try:
        return convert(latex.strip().replace("{aligned}", "{align*}"), display=display)  # the name that it knows
    except Exception:  # the converter raises a dozen unrelated classes, and a report must not end on a formula
        return f'<code class="equation">{escape(latex.strip())}</code>'


def _shown(cell: NotebookNode, aside: Aside) -> NotebookNode:
    if cell.cell_type != "code":
        return cell
    kept = cell.copy()
    kept.outputs = [_lighter(output, aside) for output in cell.outputs if WIDGET not in output.get("data", {})]
    if cell.metadata.get("jupyter", {}).get("source_hidden"):  # folded in JupyterLab, so folded here
        kept.metadata = from_dict(cell.metadata | {"transient": {"remove_source": True}})
        first, _, _ = cell.source.partition("\n")
        says = f"code: {escape(first.removeprefix('# '))}" if first.startswith("# ") else "code"
        folded = f"<details><summary>{says}</summary>{_highlighted(cell.source)}</details>"
        kept.outputs = [_as_html(folded), *kept.outputs]
    return kept


def _lighter(output: NotebookNode, aside: Aside) -> NotebookNode:
    data = output.get("data", {})
    if PLOTLY in data:
        return _as_html(figure(data[PLOTLY], aside))
    if "text/html" in data:
        return _as_html(page(_PYGMENTS.sub("", "".join(data["text/html"])), aside))
    for kind, ending in (("image/png", "png"), ("image/jpeg", "jpg")):
        if kind in data:
            size = output.metadata.get(kind, {})
            alternative = html.escape(str(size.get("alt", data.get("text/plain", ""))))
            width = f' width="{int(size["width"])}"' if "width" in size else ""
            encoded = "".join(data[kind].split())
            large = len(encoded) > LARGE
            address = aside.put(base64.b64decode(encoded), ending) if large else f"data:{kind};base64,{encoded}"
            return _as_html(f'<img src="{address}" alt="{alternative}"{width} loading="lazy">')
    if "image/svg+xml" in data and len(data["image/svg+xml"]) > LARGE:
        return _as_html(f'<img src="{aside.put(data["image/svg+xml"].encode(), "svg")}" alt="drawing">')
    if len(output.get("text", "")) > LONG_TEXT:
        address = aside.put(output.text.encode(), "txt")
        start = html.escape(output.text[:LONG_TEXT])
        return _as_html(f'<pre>{start}</pre><p><a href="{address}">all of it ({len(output.text):,} characters)</a></p>')
    return output


def _as_html(content: str) -> NotebookNode:
    return new_output("display_data", {"text/html": content})
