"""The one reader of YAML: plain data in the scalars of YAML 1.2, bounded, and every fault with its file and line.

PyYAML follows YAML 1.1, which takes `1e-3` for text, `0123` for 83, `1:30` for 90 and `off` for false. Here a number is
a decimal number, only `true` and `false` are truth values, and everything else is text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from gannb.config.faults import BadInput
from gannb.control.echo import shown

DEEPEST, MOST_BYTES = 50, 1_000_000
"""Nested levels; size of a file of names and values."""

_TAG = "tag:yaml.org,2002:"
_BUILT = (None, *(_TAG + name for name in ("null", "str", "seq", "map")))
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with it: ten times faster


class YamlError(BadInput):
    """A text that is not YAML, or not of the kind read here; the message says where and why."""


def _refusal(says: str, where: Any) -> ConstructorError:
    return ConstructorError(None, None, says, where.start_mark)


class _Loader(_Base):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own layout
    yaml_constructors = {tag: yaml.SafeLoader.yaml_constructors[tag] for tag in _BUILT}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise _refusal(f"{shown(key.value)} is given twice", key)
            seen.add(str(key.value))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _or_text(convert: Callable[[str], Any]) -> Callable[[Any, Any], Any]:
    """A constructor of scalars; what does not convert stays text, so that the field it is for names it."""

    def construct(loader: Any, node: Any) -> Any:
        try:
            return convert(node.value)
        except (ValueError, KeyError):  # also thousands of digits, which Python does not read
            return node.value

    return construct


for _name, _pattern, _first in (
    ("null", r"~|null|", "~n"),
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?)|[-+]?\.inf|\.nan", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})$"), [*_first, ""])
_Loader.add_constructor(_TAG + "bool", _or_text({"true": True, "false": False}.__getitem__))
_Loader.add_constructor(_TAG + "int", _or_text(int))
_Loader.add_constructor(_TAG + "float", _or_text(lambda text: float(re.sub(r"\.(inf|nan)", r"\1", text))))


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1 or 1.2 would read as something else; repeats what stands twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver(_TAG + "float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), [*"-+0123456789"])


def parse_yaml(text: str) -> Any:
    """YAML to Python.

    Raises:
        YamlError: it is broken, nested too deeply, has aliases, or gives a name twice.
    """
    try:
        _check(yaml.parse(text, Loader=_Loader))
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        says = ", ".join(filter(None, (error.context, error.problem)))
        raise YamlError(f"line {mark.line + 1}: {says}" if mark else says) from error
    except (yaml.YAMLError, ValueError, UnicodeError) as error:
        raise YamlError(str(error).splitlines()[0]) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping of names to values from a YAML file.

    Raises:
        YamlError: it holds something else; the message names the file and the line.
        OSError: it cannot be read.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise YamlError(f"{path.name}: {size} bytes; names and values take at most {MOST_BYTES}")
    text = read_text(path)
    try:
        values = parse_yaml(text)
    except YamlError as error:
        raise YamlError(f"{path.name}: {error}") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise YamlError(f"{path.name}: expected `name: value` lines, found a {type(values).__name__}")
    if strange := [name for name in values if not isinstance(name, str)]:
        raise YamlError(f"{path.name}: {shown(strange[0])} is no name; expected `name: value` lines")
    return values


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        YamlError: it is not UTF-8.
        OSError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(f"{path.name}: not UTF-8 text, at byte {error.start}") from error


def dump_yaml(value: Any) -> str:
    """Python to YAML, keys in their order; `parse_yaml` gives it back."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    if re.search("[\x85\u2028\u2029]", text):  # line ends to YAML, and characters to Python: to be escaped
        text = yaml.dump(value, Dumper=_Dumper, sort_keys=False)
    return text


def _check(events: Iterable[Any]) -> None:
    """Go through a text without building anything: no aliases, which a few lines can make millions of values of."""
    nested = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise _refusal("aliases (*name) are not read; write the value out", event)
        nested += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if nested > DEEPEST:
            raise _refusal(f"nested more than {DEEPEST} levels deep", event)
