"""What a public docstring has to say: arguments where there are three or more, errors, shapes of tensors."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gannb"
MODULES = sorted(PACKAGE.rglob("*.py"))
SHAPE = re.compile(r"\[[^\]\n]*\]|scalar|any shape|same shape|0-d", re.IGNORECASE)
TENSOR = re.compile(r"\b(Tensor|ndarray)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public(tree: ast.Module) -> list[tuple[str, Function, str]]:
    """Public functions, and methods of public classes: their name, node, and docstring (a class's for `__init__`)."""
    found = []
    for node in tree.body:
        if isinstance(node, Function):
            found.append((node.name, node, ast.get_docstring(node) or ""))
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in [n for n in node.body if isinstance(n, Function)]:
                text = ast.get_docstring(node if method.name == "__init__" else method) or ""
                found.append((f"{node.name}.{method.name}", method, text))
    return [(name, node, text) for name, node, text in found if not re.search(r"(^|\.)_(?!_init__)", name)]


def parameters(function: Function) -> list[ast.arg]:
    """The arguments of a function, without `self` and `cls`."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [argument for argument in every if argument.arg not in ("self", "cls")]


def raises(function: Function) -> bool:
    """Whether a function itself raises a new error."""
    inner = {id(n) for f in ast.walk(function) if isinstance(f, Function) and f is not function for n in ast.walk(f)}
    return any(isinstance(n, ast.Raise) and n.exc is not None and id(n) not in inner for n in ast.walk(function))


def lacks(function: Function, text: str) -> list[str]:
    """What the docstring of a function lacks."""
    types = [ast.unparse(a.annotation) for a in parameters(function) if a.annotation]
    types += [ast.unparse(function.returns)] if function.returns else []
    wanted = {
        "Args": len(parameters(function)) >= 3 and "Args:" not in text,
        "Raises": raises(function) and "Raises:" not in text and "raises" not in text.lower(),
        "shapes": any(map(TENSOR.search, types)) and not SHAPE.search(text),
    }
    return [name for name, missing in wanted.items() if missing]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_docstrings_are_complete(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert {name: missing for name, node, text in public(tree) if (missing := lacks(node, text))} == {}


def test_what_is_missing_is_found() -> None:
    tree = ast.parse('def f(a: Tensor, b, c):\n    """Do."""\n    raise ValueError\n\n\ndef _g(a, b, c): ...\n')
    assert [(name, lacks(node, text)) for name, node, text in public(tree)] == [("f", ["Args", "Raises", "shapes"])]
    whole = '"""Do.\n\n    Args:\n        a: `[N, C]`.\n\n    Raises:\n        ValueError: always.\n    """'
    (found,) = public(ast.parse(f"def f(a: Tensor, b, c):\n    {whole}\n    raise ValueError\n"))
    assert lacks(found[1], found[2]) == []
