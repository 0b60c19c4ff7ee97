"""Conditions by which a person chooses runs, `loss == "bce" and epochs > 3`: read, never evaluated as code.

`pandas.DataFrame.query` would take the same texts, but it calls methods and reads `@` names of the program.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda value, among: value in among,
    ast.NotIn: lambda value, among: value not in among,
}
FORM = "names, numbers, texts and lists, compared by == != < <= > >= in, joined by and, or, not"
Read = Callable[[Mapping[str, Any]], Any]


class Condition:
    """A condition on values by name.

    A name with other characters than letters, digits and _ stands in backticks. A comparison that is impossible (with a
    value that is missing, or of a text with a number) does not hold.

    Attributes:
        names: that it reads.

    Raises:
        ValueError: a text that is no condition.
    """

    def __init__(self, text: str) -> None:
        pieces = text.split("`")
        self._quoted = {f"quoted_{i}": piece for i, piece in enumerate(pieces) if i % 2}
        plain = "".join(f"quoted_{i}" if i % 2 else piece for i, piece in enumerate(pieces))
        try:
            tree = ast.parse(plain.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"it is not finished, or not one condition; allowed: {FORM}") from error
        self.names: set[str] = set()
        self._read = self._reading(tree)

    def __call__(self, values: Mapping[str, Any]) -> bool:
        """Whether it holds.

        Raises:
            KeyError: a name without a value.
        """
        return bool(self._read(values))

    def _reading(self, node: ast.expr) -> Read:
        """How a part of the text is read."""
        match node:
            case ast.Constant(value=value):
                return lambda values: value
            case ast.Name(id=name):
                name = self._quoted.get(name, name)
                self.names.add(name)
                return operator.itemgetter(name)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                members = [self._reading(part) for part in parts]
                return lambda values: [read(values) for read in members]
            case ast.UnaryOp(op=ast.Not() | ast.USub() as sign, operand=part):
                read, turned = self._reading(part), operator.not_ if isinstance(sign, ast.Not) else operator.neg
                return lambda values: turned(read(values))
            case ast.BoolOp(op=joint, values=parts):
                every, terms = all if isinstance(joint, ast.And) else any, [self._reading(part) for part in parts]
                return lambda values: every(read(values) for read in terms)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARISONS for op in ops):
                sides = [self._reading(part) for part in (left, *others)]
                return lambda values: _holds(ops, [read(values) for read in sides])
        raise ValueError(f"{ast.unparse(node)!r} cannot stand in a condition; allowed: {FORM}")


def _holds(ops: list[ast.cmpop], sides: list[Any]) -> bool:
    """Whether a chain of comparisons holds."""
    if any(side is None for side in sides):
        return False
    try:
        return all(COMPARISONS[type(op)](*pair) for op, *pair in zip(ops, sides, sides[1:]))
    except TypeError:
        return False
