"""How large the package may grow: lines of code, without blanks, comments and docstrings."""

import ast
import functools
import io
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gannb"

CORE = ("config", "control", "losses", "networks", "data", "training")
LIMITS = {"core": 4965, "general": 12676, "experiments": 8308}
"""What the package may not exceed: lower them as it shrinks (goal before captured turns, sampling, export, statistics,
classes, transparency and sizes of any proportions came in: 3300, 8000, 6500)."""
FILE, FUNCTION = 350, 50

NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip


def docstring_lines(tree: ast.AST) -> set[int]:
    """The lines of all docstrings."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    first = [node.body[0] for node in ast.walk(tree) if isinstance(node, owners) and node.body]
    strings = [n for n in first if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    return {line for n in strings if isinstance(n.value.value, str) for line in range(n.lineno, n.end_lineno + 1)}


@functools.cache
def lines_with_code(source: str) -> set[int]:
    """Their numbers."""
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in NO_CODE]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    return lines - docstring_lines(ast.parse(source))


def code_lines(source: str, first: int = 1, last: int = 10**9) -> int:
    """Lines of code of a source, or of its lines from `first` to `last`."""
    return sum(first <= line <= last for line in lines_with_code(source))


def long_functions(source: str) -> list[str]:
    """Functions with more lines of code than allowed."""
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    sizes = {f.name: code_lines(source, f.lineno, f.end_lineno) for f in functions}
    return [f"{name}: {size}" for name, size in sizes.items() if size > FUNCTION]


def folders() -> dict[str, int]:
    """Lines of code by first folder (or module) of the package."""
    sizes: dict[str, int] = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        sizes[name] = sizes.get(name, 0) + code_lines(path.read_text(encoding="utf-8"))
    return sizes


def test_the_package_stays_small() -> None:
    sizes = folders()
    found = {
        "core": sum(sizes[name] for name in CORE),
        "general": sum(size for name, size in sizes.items() if name != "experiments"),
        "experiments": sizes["experiments"],
    }
    assert {name: size for name, size in found.items() if size > LIMITS[name]} == {}, sizes


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= FILE, "lines of the file, all of them counted"
    assert long_functions(source) == []


def test_lines_are_counted_right() -> None:
    source = '"""Doc."""\n\n# note\ndef f():\n    """One\n\n    two."""\n    return (\n        1\n    )\n\n\n'
    source += 'x = """a\nb"""\n'
    assert code_lines(source) == 1 + 3 + 2
    assert long_functions("def f():\n" + "    x = 1\n" * FUNCTION) == [f"f: {FUNCTION + 1}"]
    assert long_functions("def f():\n" + "    x = 1\n" * (FUNCTION - 1)) == []
