"""`docs/claims.md` is the key to every code, and no text cites a file that is not here."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

from gannb.runs.claims import document
from gannb.runs.locations import documents

INTERNAL = re.compile(r"\bcontradictions?(\.md)?,? [A-Z]\d|\b(core|notebooks|reading|writing|architecture)\.md\b")
"""Internal specifications, which nobody outside can read."""
CITED = re.compile(r"(?<![…\w./-])[\w./-]*\w\.md\b")
CODE = re.compile(r"\bclaims? ((?:[MWIPS]\d+(?:, | and | to |[–-])?)+)")
TEXT = {".py", ".md", ".yaml", ".ipynb", ".toml", ".js", ".css", ".html", ""}
THIS = "tests/docs/test_claims.py"


def texts(root: Path) -> list[Path]:
    """All texts that git tracks."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    paths = [root / name for name in names.split("\0") if name and name != THIS]
    return [path for path in paths if path.suffix in TEXT and path.is_file()]


def absent(text: str, path: Path, root: Path) -> list[str]:
    """What a text cites that is not in the repository."""
    places = (root, path.parent, root / "docs", root / "results")
    cited = {name for name in CITED.findall(text) if not any((place / name).is_file() for place in places)}
    return sorted(cited) + [match[0] for match in INTERNAL.finditer(text)]


def test_no_text_cites_a_file_that_is_not_here(root: Path) -> None:
    found = {str(p.relative_to(root)): absent(p.read_text(encoding="utf-8"), p, root) for p in texts(root)}
    assert {name: cited for name, cited in found.items() if cited} == {}


def test_such_a_citation_is_found(root: Path) -> None:
    planted = "As in contradictions P3 and core.md; see docs/promises.md, `promises.md` and schedules.md §3."
    assert absent(planted, root / "README.md", root) == ["core.md", "schedules.md", "contradictions P3", "core.md"]


def test_the_page_is_up_to_date(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("claims_page", root / "docs" / "claims.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run `python docs/claims.py`"


@pytest.mark.parametrize("name", documents())
def test_every_code_has_a_reading(name: str) -> None:
    source = document(name)
    codes = {claim.split(".")[0] for claim in source.claims}
    assert source.title and source.about and source.readings
    assert source.readings.keys() <= codes
    assert all(len(reading) > 20 for reading in source.readings.values())


def test_codes_that_are_cited_are_on_the_page(root: Path) -> None:
    known = {claim.split(".")[0] for name in documents() for claim in document(name).claims}
    cited = {
        code: str(path.relative_to(root))
        for path in texts(root)
        for match in CODE.finditer(path.read_text(encoding="utf-8"))
        for code in re.findall(r"[MWIPS]\d+", match[1])
    }
    assert cited and {code: path for code, path in cited.items() if code not in known} == {}
