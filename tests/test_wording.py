"""Standard terms: words that gannb once used, and what it says instead. A list that fails the build."""

import ast
import io
import json
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Words in prose: docstrings, comments, messages, help, documentation, notebooks.
PROSE = {
    r"\b(is|was|were|be|been|are) told\b|\btold\b": "configured, given",
    r"\bthe eyes\b|\beyes (that|for|of)\b": "feature extractor",
    r"\bby eye\b": "look at",
    r"\broads?\b": "extension, variant",
    r"\b(ungiven|unheard)\b": "pending",
    r"\bat the helm\b|\bhelm\b": "steering, session",
    r"\bbetters\b": "improves",
    r"\bgoes before\b": "takes precedence",
    r"\bnot had\b|\bcould not be had\b|\bbe had\b": "unavailable, available",
    r"\bwander(s|ing)?\b": "path length over net change",
    r"\bmade (images|samples|motions?|gestures|pictures|points)\b": "generated",
    r"\b(real and|and|of) made\b|\bfakes\b": "generated",
    r"\b(an|each|every|one|first|other|named|the) arms?\b(?! of the (body|speaker))": "variant",
    r"\brivals?\b": "baseline",
    r"\blessons?\b": "update",
    r"\bnot reached here\b": "not tested here",
    r"\ba (row|turn|line|page|process|trial|network|cell|figure|plot) an? \w+\b": "per",
    r"\b(it|they|networks?|D|G|C) (is|are) asked\b": "loss",
}

# Words in identifiers of the package.
NAMES = {
    "told": "configured", "eyes": "extractor", "road": "extension", "roads": "extensions", "helm": "session",
    "made": "generated", "unheard": "pending", "arm": "variant", "arms": "variants", "rival": "baseline",
    "lesson": "update", "lessons": "updates", "ears": "audio_encoder", "listening": "pretraining", "pace": "step_size",
    "betters": "improves", "wander": "path_length", "fakes": "generated", "ask": "loss", "asked": "requested",
    "hear": "update", "heard": "logged", "deaf": "unconditional",
}  # fmt: skip

LIMBS = {"hand_and_arm_speed", "_arm_positions"}
"""Where an arm is an arm."""

TEXTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("gannb/**/*.yaml"), *ROOT.glob("params/**/*.yaml")]
)
SOURCES = sorted([*ROOT.glob("gannb/**/*.py"), *ROOT.glob("benchmarks/*.py")])
PAGES = sorted([*ROOT.glob("gannb/**/*.html"), *ROOT.glob("gannb/**/*.js")])
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


def prose_of(source: str) -> str:
    """Comments and strings of a Python source."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    kinds = (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    return "\n".join(token.string for token in tokens if token.type in kinds)


def identifiers(source: str) -> set[str]:
    """The names that a Python source defines."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return found


def replaced(text: str) -> list[str]:
    """The replaced terms in a prose, each with its standard one."""
    plain = " ".join(text.split())
    hits = [(match[0], better) for word, better in PROSE.items() for match in re.finditer(word, plain, re.IGNORECASE)]
    return [f"{word!r}: say {better!r}" for word, better in hits]


def replaced_names(names: set[str]) -> list[str]:
    """The identifiers with a replaced word, each with the standard one."""
    words = {
        name: re.findall(r"[a-z]+", re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()) for name in sorted(names - LIMBS)
    }
    return [f"{name}: {NAMES[word]}" for name, parts in words.items() for word in parts if word in NAMES]


@pytest.mark.parametrize("path", [*TEXTS, *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_use_standard_terms(path: Path) -> None:
    assert replaced(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sources_use_standard_terms(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert replaced(prose_of(source)) == []
    assert replaced_names(identifiers(source)) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_use_standard_terms(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [hit for cell in cells if cell["cell_type"] == "markdown" for hit in replaced("".join(cell["source"]))] == []
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    plain = ["\n".join(line for line in cell.split("\n") if not line.lstrip().startswith(("%", "!"))) for cell in code]
    assert [name for cell in plain for name in replaced_names(identifiers(cell))] == []


def test_a_planted_word_is_found() -> None:
    assert replaced("What a run may be told, arm by arm; the arm of the body.")[0].startswith("'be told'")
    assert replaced("The configuration of a run; the arm of the speaker moves.") == []
    assert replaced("One figure per variant, generated images beside real ones.") == []
    assert replaced_names({"made_by", "RivalRuns", "arm", "armature", "farm"}) == [
        "RivalRuns: baseline", "arm: variant", "made_by: generated",
    ]  # fmt: skip
