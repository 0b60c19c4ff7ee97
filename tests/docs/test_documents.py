"""Each document has its page, links of all pages and notebooks lead somewhere, and the README's table is computed."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

from gannb.figures.findings import finding, findings
from gannb.runs.claims import document
from gannb.runs.locations import documents

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def text_of(path: Path) -> str:
    """A page, or the Markdown cells of a notebook."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")


def anchors(path: Path) -> set[str]:
    """What can be linked to within a page: its headings, and places that have an id."""
    text = path.read_text(encoding="utf-8")
    headings = (re.sub(r"[^\w -]", "", heading).lower() for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE))
    return {heading.replace(" ", "-") for heading in headings} | set(re.findall(r'id="([^"]+)"', text))


def lost(text: str, place: Path) -> list[str]:
    """The links of a text that lead nowhere, from the folder where it stands."""
    found = []
    for link in LINK.findall(text):
        target, _, anchor = link.partition("#")
        path = place / target if target else None
        if re.match("https?:", link) or path is None:
            continue
        if not path.exists() or (anchor and anchor not in anchors(path)):
            found.append(link)
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    assert lost(text_of(path), path.parent) == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    planted = "[a](claims.md#P4) [b](claims.md#Z99) [c](none.txt) [d](https://x.org/none) [e](claims.md#schedules)"
    assert lost(planted, ROOT / "docs") == ["claims.md#Z99", "none.txt"]


@pytest.mark.parametrize("name", documents())
def test_each_document_has_a_page_that_its_notebook_and_its_claims_cite(name: str) -> None:
    page = (ROOT / "docs" / "documents" / f"{name}.md").read_text(encoding="utf-8")
    assert document(name).title in page and f"claims.md#{name}" in page
    (notebook,) = ROOT.glob(f"notebooks/*_{name}.ipynb")
    assert f"notebooks/{notebook.name}" in page
    assert f"../docs/documents/{name}.md" in text_of(notebook)
    assert f"documents/{name}.md" in (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """`docs/results.py`."""
    spec = importlib.util.spec_from_file_location("results_page", ROOT / "docs" / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_of_single_trials_are_up_to_date(script: ModuleType) -> None:
    for path in script.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert text == script.document(text), f"{path.name}: run `python docs/results.py`"


def test_a_table_of_single_trials_says_where_nothing_was_measured(script: ModuleType) -> None:
    ask = "Before.\n<!-- trials {}: fgd, seconds -->\nold\n<!-- /trials -->\nAfter."
    assert "-->\nnot measured yet: there is no results/none.json\n<!--" in script.document(ask.format("none"))
    shown = script.document(ask.format("motion_regimes"))
    assert "| variant | seed | fgd | seconds |" in shown and "| WGAN-GP | 4 | 151.9 |" in shown
    assert "old" not in shown and shown.startswith("Before.") and shown.endswith("After.")


def test_the_table_of_the_readme_is_up_to_date(script: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    here, now = (re.sub(r"[-+]?\d[\d.]*", "#", each) for each in (text, script.readme(text)))
    assert "<!-- findings -->" in text and here == now, "run `python docs/results.py`"


def test_a_figure_of_each_finding_is_kept() -> None:
    declared = {path.parent.name for path in ROOT.glob("gannb/experiments/*/finding.yaml")}
    assert {path.stem for path in ROOT.glob("docs/findings/*.svg")} == declared, "run `python docs/figures.py`"


def test_the_chinese_table_says_the_same() -> None:
    """Its rows are translated by hand: experiments, differences and seeds are those of the findings."""
    text = (ROOT / "README.zh.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.partition("| 问题 |")[2].split("\n\n")[0].splitlines()[2:]]
    for one, (question, answer, compared) in zip(findings(), rows, strict=True):
        found = one.differences()[0]
        assert f"[{one.name}]" in question and answer
        shown = found.ranged(signed=True).replace("-", "−").replace(" ", "&nbsp;")
        assert compared.startswith(f"{shown}<br>") and f"{found.protocol['seeds']} 个种子" in compared, compared


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_finding_above_the_table_has_the_difference_of_the_table(name: str) -> None:
    above = re.split(r"<!-- findings -->|\| 问题 \|", (ROOT / name).read_text(encoding="utf-8"))[0]
    (shown,) = re.findall(r"[+−][\d.]+ \[.*?\]", above)
    assert shown == finding("schedules").differences()[0].ranged(signed=True).replace("-", "−")
