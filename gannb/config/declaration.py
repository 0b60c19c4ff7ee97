"""One declaration a parameter: default, validity, slider, unit, meaning, group, and whether it may move.

Validation, YAML and papermill names, sliders, tooltips, tables and recorded trajectories all follow from it.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gannb.control.parameter import DynamicParameter
from gannb.tables import Table


@dataclass(frozen=True)
class Declaration:
    """Everything said once about a parameter; see `param` for the meaning of each part."""

    doc: str
    group: str = "run"
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    choices: tuple[str, ...] = ()
    slider: tuple[float, float] | None = None
    scale: str = "linear"
    unit: str = ""
    moves: bool = False
    grows: bool = False
    execution: bool = False

    def number(self, name: str, value: float, integer: bool) -> DynamicParameter:
        """The number that this declaration describes."""
        return DynamicParameter(
            name,
            value,
            self.low,
            self.high,
            self.open_low,
            integer,
            self.slider,
            self.scale,
            self.unit,
            self.group,
            self.doc,
        )

    @property
    def allowed(self) -> str:
        """What is allowed, in words; empty where anything of the type is."""
        if self.choices:
            return " | ".join(self.choices)
        if math.isinf(self.low) and math.isinf(self.high):
            return ""
        return self.number("", 0.0, False).allowed

    def fault(self, value: Any) -> bool:
        """Whether a value of the right type lies outside what is allowed."""
        if isinstance(value, list | tuple):
            return any(self.fault(v) for v in value)
        if self.choices:
            return value not in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.number("", value, False).fault(value) is not None


def param(
    default: Any,
    doc: str,
    *,
    group: str = "run",
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    choices: Iterable[str] = (),
    slider: tuple[float, float] | None = None,
    scale: str = "linear",
    unit: str = "",
    moves: bool = False,
    grows: bool = False,
) -> Any:
    """Declare a parameter of an experiment.

    Args:
        default: the quick preset's value.
        doc: what it means, in a line; says "(ours)" where the document gives no figure.
        group: where it stands in tables and panels.
        low, high, open_low: validity; inclusive, but for `low` where `open_low` is set.
        choices: the strings allowed.
        slider: a narrower range for the slider.
        scale: the slider's scale, "linear" or "log".
        unit: for tables and axes.
        moves: whether it may move while the network learns.
        grows: whether a resumed run may be given a larger value (more epochs), everything else being equal.
    """
    declared = Declaration(doc, group, low, high, open_low, tuple(choices), slider, scale, unit, moves, grows)
    return Field(default, json_schema_extra={"declaration": declared})


def execution(default: Any, doc: str, *, low: float = -math.inf, choices: Iterable[str] = ()) -> Any:
    """Declare how a run is carried out (device, folders); such fields do not count as "other parameters"."""
    declared = Declaration(doc, "execution", low=low, choices=tuple(choices), execution=True)
    return Field(default, json_schema_extra={"declaration": declared})


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field: what was given, what should be, and the nearest name for a typo."""

    field: str
    given: str
    wanted: str
    nearest: str = ""

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{self.field}: given {self.given}; {self.wanted}{hint}"


class ParameterError(ValueError):
    """All faults of a run's parameters at once."""

    def __init__(self, experiment: str, faults: list[Fault]) -> None:
        self.faults = faults
        lines = "\n".join(f"  {fault}" for fault in faults)
        super().__init__(f"{experiment}: {len(faults)} bad parameter{'s' * (len(faults) != 1)}\n{lines}")

    def _render_traceback_(self) -> list[str]:
        return [str(self)]  # in a notebook the faults say all; the way they were found would bury them


def rule(*fields: str, reads: tuple[str, ...] = (), moving: bool = True) -> Callable[[Callable], Callable]:
    """Mark a method as a check across fields; it gets all values and returns what is wrong, or None.

    It is checked when a run is set up and (unless `moving` is off: it is about where numbers start) again at every
    move of a number, and skipped while one of its fields has a fault of its own.

    Args:
        fields: what the check is about, named with their values where it fails.
        reads: further fields that it looks at; what it returns should name those that matter.
        moving: whether it holds for moves too.
    """

    def mark(check: Callable[[Any], str | None]) -> Callable:
        check.fields, check.reads, check.moving = fields, reads, moving
        return staticmethod(check)

    return mark


class Experiment(BaseModel):
    """The parameters of one notebook: frozen, checked, every fault named at once.

    A subclass declares its fields with `param` and sets `name`. The fields here say how a run is carried out.

    Attributes:
        name: of the experiment.
        filled: parameters that another one fills in where they are not given, as a strategy fills its column; the
            notebook's parameters cell leaves them out, or they would always be given.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    name: ClassVar[str]
    filled: ClassVar[tuple[str, ...]] = ()

    device: str = execution("auto", "auto | cpu | cuda | cuda:N")
    threads: int = execution(0, "CPU threads; 0 leaves them to torch", low=0)
    deterministic: bool = execution(False, "bit-equal on CUDA too, and slower; what cannot be so raises")
    runs: str = execution("", "where run folders go; empty: $GANNB_RUNS, else runs/ beside the notebooks")
    resume: str = execution("", "a run folder to go on with")
    replay: str = execution("", "an interventions.yaml whose moves are made again")
    branch: str = execution("", "a checkpoint of another run to start from")
    live: str = execution("auto", "sliders and live curves", choices=("auto", "on", "off"))
    preset: str = execution("", "the preset these values came from; a label")

    @rule("device")
    def _device_is_known(p: Any) -> str | None:
        return None if re.fullmatch(r"auto|cpu|cuda(:\d+)?", p.device) else "allowed: auto | cpu | cuda | cuda:N"

    def __init__(self, **given: Any) -> None:
        values = {name: _plain(value, self._kind(name)) for name, value in given.items()}
        faults = self._faults(values)
        if faults:
            raise ParameterError(self.name, faults)
        super().__init__(**values)

    @classmethod
    def of(cls, namespace: Mapping[str, Any]) -> Self:
        """Take the parameters from a notebook's globals: `p = ParticlesSagan.of(globals())`.

        Names assigned in the parameters cell and in papermill's injected cell that no field has are faults too:
        a misspelt name must not go unnoticed.
        """
        given = {name: namespace[name] for name in cls.model_fields if name in namespace}
        fields = set(cls.model_fields)
        stray = {name: namespace.get(name) for name in _assigned(namespace, fields) if name not in fields}
        return cls(**given, **stray)

    @classmethod
    def declarations(cls) -> dict[str, Declaration]:
        """Every field's declaration, in order; execution fields last."""
        declared = {n: f.json_schema_extra["declaration"] for n, f in cls.model_fields.items()}
        return dict(sorted(declared.items(), key=lambda item: item[1].execution))

    @classmethod
    def _kind(cls, name: str) -> type | None:
        return cls.model_fields[name].annotation if name in cls.model_fields else None

    @classmethod
    def _faults(cls, given: Mapping[str, Any]) -> list[Fault]:
        """Everything wrong with the values: unknown names, types, ranges, rules across fields."""
        declared = cls.declarations()
        faults = [_unknown(name, given[name], declared) for name in given if name not in declared]
        values = {n: f.default for n, f in cls.model_fields.items()} | {n: v for n, v in given.items() if n in declared}
        try:
            cls.__pydantic_validator__.validate_python(values, self_instance=cls.__new__(cls))
        except ValidationError as error:
            wrong = {str(e["loc"][0]) for e in error.errors()}
            faults += [Fault(n, repr(values[n]), f"allowed: {_type_name(cls._kind(n))}") for n in sorted(wrong)]
        else:
            wrong = set()
        for name, declaration in declared.items():
            if name not in wrong and declaration.fault(values[name]):
                near = difflib.get_close_matches(str(values[name]), declaration.choices, n=1)
                faults.append(
                    Fault(name, repr(values[name]), f"allowed: {declaration.allowed}", near[0] if near else "")
                )
        bad = {fault.field for fault in faults}
        for check in cls._rules():
            if bad.isdisjoint({*check.fields, *check.reads}) and (message := check(SimpleNamespace(**values))):
                several = len(check.fields) > 1
                shown = ", ".join(f"{n}={values[n]!r}" if several else repr(values[n]) for n in check.fields)
                faults.append(Fault(" + ".join(check.fields), shown, message))
        return faults

    @classmethod
    def _rules(cls) -> list[Callable]:
        found = [
            getattr(cls, n) for k in reversed(cls.__mro__) for n, v in vars(k).items() if isinstance(v, staticmethod)
        ]
        return [check for check in found if hasattr(check, "fields")]

    def fault_in(self, moved: Mapping[str, float]) -> str | None:
        """What is wrong, across fields, with these parameters and some numbers moved; None where nothing is."""
        values = SimpleNamespace(**(dict(self) | dict(moved)))
        return next((message for check in self._rules() if check.moving and (message := check(values))), None)

    def dynamic(self) -> list[DynamicParameter]:
        """The numbers that may move, each at its starting value."""
        return [
            declaration.number(name, getattr(self, name), self._kind(name) is int)
            for name, declaration in self.declarations().items()
            if declaration.moves
        ]

    def settings(self) -> dict[str, Any]:
        """What makes this run this run: all fields but how it is carried out."""
        return {n: getattr(self, n) for n, d in self.declarations().items() if not d.execution}

    @property
    def hash(self) -> str:
        """Twelve hex digits of the settings."""
        text = json.dumps({"experiment": self.name} | self.settings(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def table(self) -> Table:
        """Name, value, range, meaning, moves? — a row a parameter."""
        rows = [
            (n, repr(getattr(self, n)), d.unit, d.allowed, "yes" if d.moves else "", d.group, d.doc)
            for n, d in self.declarations().items()
            if not d.execution
        ]
        return Table(("name", "value", "unit", "allowed", "moves", "group", "meaning"), rows)

    def __repr__(self) -> str:
        return f"{self.name}, parameters {self.hash}\n{self.table()!r}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _plain(value: Any, kind: type | None) -> Any:
    """Read a number that papermill or YAML turned into a string ("1e-3"), and a whole float as an int."""
    if isinstance(value, str) and kind in (int, float):
        try:
            value = float(value) if kind is float or not value.strip().lstrip("+-").isdigit() else int(value)
        except ValueError:
            return value
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list) and kind in (list[float], list[int]):
        return [_plain(v, float if kind == list[float] else int) for v in value]
    return value


def _unknown(name: str, value: Any, declared: Mapping[str, Declaration]) -> Fault:
    near = difflib.get_close_matches(name, declared, n=1, cutoff=0.5)
    return Fault(name, repr(value), "no parameter of this name", near[0] if near else "")


def _type_name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    return names.get(kind, str(kind))


def _assigned(namespace: Mapping[str, Any], fields: set[str]) -> list[str]:
    """The names set in the last parameters cell run, and in the cells that papermill injected after it."""
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
        targets = (
            [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
        )
        if targets and isinstance(node.value, ast.Constant | ast.UnaryOp | ast.List):
            names += [t.id for t in targets if isinstance(t, ast.Name)]
    return names
