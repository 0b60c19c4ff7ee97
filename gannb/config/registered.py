"""The names in a registry of a module that loads torch, without loading it."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path


def registered(module: str, table: str) -> tuple[str, ...]:
    """The keys of a dictionary that a module writes out at its top level, read from its source.

    An experiment's parameters are checked before torch is loaded; this is how a choice takes its names from the one
    registry that has them: `choices=registered("gannb.losses.adversarial", "LOSSES")`.

    Raises:
        LookupError: no such module, or it writes out no such dictionary.
    """
    spec = importlib.util.find_spec(module)
    source = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == table and isinstance(node.value, ast.Dict):
            return tuple(ast.literal_eval(key) for key in node.value.keys if key is not None)
    raise LookupError(f"{module} writes out no dictionary {table}: name: type = {{…}}")
