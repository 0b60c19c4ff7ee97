"""Conditions by which a person chooses runs, `loss == "bce" and epochs > 3`: read, never evaluated as code."""

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


class Condition:
    """A condition on values by name.

    A name with other signs than letters, digits and _ stands in backticks. What a comparison cannot compare (a value
    that is missing, a text with a number) does not hold.

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
            self._tree = ast.parse(plain.strip(), mode="eval").body
        except SyntaxError as error:
            raise ValueError(f"it is not finished, or not one condition; allowed: {FORM}") from error
        self.names: set[str] = set()
        self._check(self._tree)

    def __call__(self, values: Mapping[str, Any]) -> bool:
        """Whether it holds.

        Raises:
            KeyError: a name without a value.
        """
        return bool(self._value(self._tree, values))

    def _check(self, node: ast.expr) -> None:
        match node:
            case ast.Constant():
                pass
            case ast.Name(id=name):
                self.names.add(self._quoted.get(name, name))
            case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
                for part in parts:
                    self._check(part)
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=part):
                self._check(part)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARISONS for op in ops):
                for part in (left, *others):
                    self._check(part)
            case _:
                raise ValueError(f"{ast.unparse(node)!r} cannot stand in a condition; allowed: {FORM}")

    def _value(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return values[self._quoted.get(name, name)]
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [self._value(part, values) for part in parts]
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return not self._value(part, values)
            case ast.UnaryOp(operand=part):
                return -self._value(part, values)
            case ast.BoolOp(op=ast.And(), values=parts):
                return all(self._value(part, values) for part in parts)
            case ast.BoolOp(values=parts):
                return any(self._value(part, values) for part in parts)
        assert isinstance(node, ast.Compare), "every other kind was refused on reading"
        sides = [self._value(part, values) for part in (node.left, *node.comparators)]
        return all(_compared(op, *pair) for op, *pair in zip(node.ops, sides, sides[1:]))


def _compared(op: ast.cmpop, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    try:
        return bool(COMPARISONS[type(op)](left, right))
    except TypeError:
        return False
