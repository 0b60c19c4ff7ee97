"""The identity of a trial: its parameters, the code that its notebook uses, and its data."""

from __future__ import annotations

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

import nbformat

import gannb
from gannb.config.experiment import Experiment

PACKAGE = Path(gannb.__file__).parent
IGNORED = ("widgets",)
"""Parts of gannb that a batch run does not show, so that a change there leaves a trial the same."""


def trial_id(params: Experiment, code: str) -> str:
    """Sixteen hex digits of a trial: equal parameters, code and data give equal ones.

    Args:
        params: the trial's parameters; data count by content, not by path.
        code: `code_digest` of its notebook.
    """
    settings = params.settings()
    for name, place in named_data(params).items():
        settings[name] = data_digest(place)
    text = json.dumps({"experiment": params.name, "settings": settings, "code": code}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def named_data(params: Experiment) -> dict[str, Path]:
    """Parameters of the group "data" whose value is a file or folder that is there."""
    declared = params.declarations()
    data = {name: value for name, value in params.settings().items() if declared[name].group == "data"}
    places = {name: Path(value).expanduser() for name, value in data.items() if isinstance(value, str) and value}
    return {name: place.resolve() for name, place in places.items() if place.exists()}


@cache
def data_digest(place: Path) -> str:
    """SHA-256 over the names and contents of a file, or of all files below a folder. Each place is read once."""
    whole = hashlib.sha256()
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    for path in files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(place)}\0{content}\n".encode())
    return whole.hexdigest()


def code_digest(notebook: Path) -> str:
    """SHA-256 of a notebook's code and of every module of gannb that it imports, directly or not.

    Comments, docstrings, prose, outputs, and the tagged cell of parameters do not count.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    sources = [
        cell.source for cell in cells if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", [])
    ]
    trees = [_parsed(source) for source in sources]
    modules = _reached({name for tree in trees for name in _imports(tree)})
    parts = [ast.dump(tree) for tree in trees] + [f"{name}\0{_bare(_file(name))}" for name in sorted(modules)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _reached(names: set[str]) -> set[str]:
    found: set[str] = set()
    while names:
        found |= names
        names = {other for name in names for other in _imports(_tree(_file(name)))} - found
    return found


def _parsed(source: str) -> ast.Module:
    """A cell without its magics."""
    plain = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    return ast.parse(plain)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _bare(path: Path) -> str:
    """A module without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:]
    return ast.dump(tree)


def _imports(tree: ast.Module) -> set[str]:
    """The modules of gannb that some code imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    ours = {name for name in names if name.startswith("gannb.") and name.split(".")[1] not in IGNORED}
    return {name for name in ours if _file(name) is not None}


def _file(name: str) -> Path | None:
    """The file of a module of gannb; None for a package (its `__init__` is empty) or a name within a module."""
    path = PACKAGE.joinpath(*name.split(".")[1:]).with_suffix(".py")
    return path if path.is_file() else None
