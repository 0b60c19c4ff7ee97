"""The names that a notebook's parameters cell, and the cells that papermill injects after it, assign."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any


def assigned(namespace: Mapping[str, Any], fields: set[str]) -> list[str]:
    """The names assigned in the last parameters cell that ran and in the cells injected after it.

    Args:
        namespace: a notebook's globals; `In` holds the cells that ran.
        fields: the parameters' names. A cell that assigns three of them is a parameters cell.
    """
    sources = [source for source in namespace.get("In", ()) if source]
    cells = [_targets(source) for source in sources]
    parameters = max((i for i, names in enumerate(cells) if len(fields & set(names)) >= 3), default=-1)
    if parameters < 0:
        return []
    injected = [i for i in range(len(cells)) if sources[i].lstrip().startswith("# Parameters")]
    wanted = [parameters, *(i for i in injected if i > parameters)]
    if parameters in injected:  # papermill injected many: the tagged cell stands before it
        wanted += [parameters - 1] if parameters else []
    return [name for i in wanted for name in cells[i]]


def _targets(source: str) -> list[str]:
    """Names that a cell assigns literals to at its top level."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a cell magic
        return []
    names = []
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(
            node.value, ast.Constant | ast.UnaryOp | ast.List | ast.Dict
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names
