"""The mathematics of every Markdown cell renders: closed delimiters, single backslashes, known commands."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from latex2mathml import exceptions
from latex2mathml.converter import convert

from gannb.batch.html_export import markdown

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
ERRORS = tuple(error for error in vars(exceptions).values() if isinstance(error, type) and issubclass(error, Exception))
FORMULA = re.compile(r"(?<!\\)\$\$(.+?)(?<!\\)\$\$|(?<!\\)\$(.+?)(?<!\\)\$", re.DOTALL)


def formulas(text: str) -> tuple[list[str], str]:
    """The formulas of a text, and what is left of it without them and without code."""
    plain = CODE.sub("", text)
    return [display or inline for display, inline in FORMULA.findall(plain)], FORMULA.sub("", plain)


def faults(text: str) -> list[str]:
    """Everything that keeps the mathematics of a text from being rendered, in words."""
    found, rest = formulas(text)
    bad = [f"a single $ in {line.strip()!r}" for line in rest.splitlines() if re.search(r"(?<!\\)\$", line)]
    bad += [f"a command outside of $…$: {command}" for command in re.findall(r"\\[a-zA-Z]+", rest)]
    for formula in found:
        if doubled := re.findall(r"\\\\[a-zA-Z]+", formula):
            bad.append(f"doubled backslash: {', '.join(doubled)} in {formula!r}")
        elif fault := _rendering_fault(formula):
            bad.append(f"{fault} in {formula!r}")
    return bad


def _rendering_fault(formula: str) -> str:
    bare = re.sub(r"\\[{}]", "", formula)
    if bare.count("{") != bare.count("}"):
        return "unbalanced braces"
    try:
        text = re.sub(r"<[^>]*>", "", convert(formula))
    except ERRORS as error:
        return type(error).__name__
    return f"unknown command {text[text.index(chr(92)) :][:20]!r}" if "\\" in text else ""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_mathematics_of_a_notebook_renders(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    assert {cell.id: bad for cell in cells if (bad := faults(cell.source))} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_report_renders_every_formula(path: Path) -> None:
    for cell in [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]:
        html = markdown(cell.source)
        assert html.count("<math") == len(formulas(cell.source)[0]) and 'class="equation"' not in html, cell.id


def test_there_is_mathematics_to_render() -> None:
    counts = {path.stem: sum(len(formulas(c.source)[0]) for c in nbformat.read(path, 4).cells) for path in NOTEBOOKS}
    assert counts["04_particles_sagan"] >= 3 and counts["03_schedules"] >= 3 and counts["05_identity"] >= 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (r"$y = x + \\gamma\\,\\mathrm{softmax}(QK^\\top)V$", "doubled backslash"),
        (r"a loss of $x", "a single \\$"),
        (r"with \gamma learned", "outside"),
        (r"$\frac{1}{2$", "unbalanced"),
        (r"$x_$", "MissingSuperScriptOrSubscriptError"),
        (r"$\nosuchcommand{x}$", "unknown command"),
    ],
)
def test_a_planted_fault_is_found(text: str, says: str) -> None:
    (fault, *_) = faults(text)
    assert re.search(says, fault)


def test_sound_mathematics_and_code_pass() -> None:
    assert faults(r"$$y = x + \gamma\,\mathrm{softmax}(QK^\top)V$$ and $x_1$, in `$GANNB_RUNS`, for \$5") == []
