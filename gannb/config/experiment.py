"""The parameters of an experiment: frozen, checked, every fault named at once, before anything heavy is loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from gannb.config.faults import Fault, ParameterError
from gannb.config.fields import Declaration, execution, param
from gannb.config.parameter_cells import assigned
from gannb.config.registered import registered
from gannb.config.rules import Rule, rule
from gannb.config.sources import Source, cuda_devices
from gannb.control.echo import nearest, shown
from gannb.control.parameter import DynamicParameter, Quantity
from gannb.tables import Table

_optional = partial(param, group="optimiser", optional=True)


class Experiment(BaseModel):
    """The parameters of one notebook.

    A subclass declares its fields with `param` and sets `name`. The fields here say how a run is carried out.

    Attributes:
        name: of the experiment.
        measures: the experiment's own measured names (without the player) → what they are, with the unit.
        filled: parameters that another one fills in where they are not given, as a strategy fills its column; the
            notebook's parameters cell leaves them out, or they would always be given.
        generates: what its network is for: "images", "points", "gestures" or "features", as the experiment's
            `inference.network` gives it; empty where there is no such network.

    Raises:
        ParameterError: everything that is wrong with the parameters given.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")
    name: ClassVar[str]
    filled: ClassVar[tuple[str, ...]] = ()
    generates: ClassVar[str] = ""
    measures: ClassVar[dict[str, str]] = {}

    init_from: str = _optional(
        "", "weights to start from: a run folder, a .safetensors file, or a torch state dict", group="data",
        source=Source(("",), (".safetensors", ".pt", ".pth", ".bin", ".ckpt"), "a run"),
    )  # fmt: skip
    freeze_d: int = _optional(0, "first layers of D that do not learn (FreezeD, Mo et al. 2020)", low=0, high=1000)
    layer_rates: dict[str, Any] = _optional(
        {}, "factors of the learning rate by player and layer, such as {G.mapping: 0.1}; 0 freezes the layer"
    )

    device: str = execution("auto", "auto | cpu | cuda | cuda:N")
    threads: int = execution(0, "CPU threads; 0 leaves them to torch", low=0)
    deterministic: bool = execution(False, "bit-equal on CUDA too, and slower; what cannot be so raises")
    capture: str = execution("auto", "turns as CUDA graphs; auto: on CUDA", choices=("auto", "on", "off"))
    runs: str = execution("", "where run folders go; empty: $GANNB_RUNS, else runs/ beside the notebooks")
    resume: str = execution("", "a run folder to go on with")
    replay: str = execution("", "an interventions.yaml whose moves are made again")
    branch: str = execution("", "a checkpoint of another run to start from")
    live: str = execution("auto", "sliders and live curves", choices=("auto", "on", "off"))
    track: list[str] = execution([], "follow the run live with", choices=registered("gannb.runs.trackers", "TRACKERS"))
    preset: str = execution("", "the preset these values came from; a label")

    @rule("device")
    def _device_is_known(p: Any) -> str | None:
        return None if re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", p.device) else "allowed: auto | cpu | cuda | cuda:N"

    @rule("layer_rates", moving=False)
    def _rates_are_factors(p: Any) -> str | None:
        numbers = all(type(rate) in (int, float) and 0 <= rate <= 1000 for rate in p.layer_rates.values())
        named = all("." in name for name in p.layer_rates)
        return None if numbers and named else "allowed: PLAYER.LAYER: a factor from 0 to 1000"

    @rule("init_from", "branch", moving=False)
    def _one_start(p: Any) -> str | None:
        return "a branch brings its own weights: give one of the two" if p.init_from and p.branch else None

    def __init__(self, /, **given: Any) -> None:
        values = {name: plain(value, self._kind(name)) for name, value in given.items()}
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
        fields = set(cls.model_fields)
        given = {name: namespace[name] for name in cls.model_fields if name in namespace}
        stray = {name: namespace.get(name) for name in assigned(namespace, fields) if name not in fields}
        return cls(**given, **stray).on_this_machine()

    @classmethod
    @cache
    def declarations(cls) -> Mapping[str, Declaration]:
        """Every field's declaration, in order; execution fields last."""
        extras: dict[str, Any] = {name: field.json_schema_extra for name, field in cls.model_fields.items()}
        declared: dict[str, Declaration] = {name: extra["declaration"] for name, extra in extras.items()}
        return dict(sorted(declared.items(), key=lambda item: item[1].execution))

    @classmethod
    def _kind(cls, name: str) -> Any:
        return cls.model_fields[name].annotation if name in cls.model_fields else None

    @classmethod
    @cache
    def _rules(cls, *moved: str) -> tuple[Rule, ...]:
        """All rules, or those that a move of some numbers concerns."""
        methods = {n: m for one in reversed(cls.__mro__) for n, m in vars(one).items() if isinstance(m, staticmethod)}
        rules = [method.__func__ for method in methods.values() if isinstance(method.__func__, Rule)]
        return tuple(one for one in rules if not moved or (one.moving and not one.reads.isdisjoint(moved)))

    @classmethod
    def _faults(cls, given: Mapping[str, Any]) -> list[Fault]:
        """Everything wrong with the values: unknown names, types, ranges, rules across fields."""
        declared = cls.declarations()
        values = {name: field.default for name, field in cls.model_fields.items()}
        values |= {name: value for name, value in given.items() if name in declared}
        faults = [
            Fault(name, shown(value), "no parameter of this name", nearest(name, declared, 0.5))
            for name, value in given.items()
            if name not in declared
        ]
        faults += cls._wrong_types(values)
        typed = {name: value for name, value in values.items() if name not in {fault.field for fault in faults}}
        for name, declaration in declared.items():
            if name in typed and (why := declaration.fault(typed[name])):
                wanted = f"allowed: {declaration.allowed}" if declaration.allowed else why
                faults.append(Fault(name, shown(typed[name]), wanted, nearest(typed[name], declaration.choices)))
        bad = {fault.field for fault in faults}
        for check in cls._rules():
            if check.reads.isdisjoint(bad) and (message := check(values)):
                several = len(check.fields) > 1
                given_here = ", ".join(f"{n}={shown(values[n])}" if several else shown(values[n]) for n in check.fields)
                faults.append(Fault(" + ".join(check.fields), given_here, message))
        return faults

    @classmethod
    def _wrong_types(cls, values: Mapping[str, Any]) -> list[Fault]:
        try:
            cls.__pydantic_validator__.validate_python(values, self_instance=cls.__new__(cls))
        except ValidationError as error:
            wrong = sorted({str(one["loc"][0]) for one in error.errors()})
            return [Fault(name, shown(values[name]), f"allowed: {_TYPES[cls._kind(name)]}") for name in wrong]
        return []

    def on_this_machine(self) -> Self:
        """These parameters, once all that they name is found here: data, weights, logs, the CUDA device.

        Raises:
            ParameterError: everything that is not.
        """
        faults = []
        for name, declared in self.declarations().items():
            value, source = getattr(self, name), declared.source
            started = name == "init_from" and self.resume  # what it started from is not needed any more
            if source and not started and (why := source.fault(value)):
                faults.append(
                    Fault(name, shown(value), f"{why}; allowed: {source.allowed}", nearest(value, source.words))
                )
        lacking = [name for name in self.track if find_spec(name) is None]
        faults += [Fault("track", shown(name), f"the package is not installed: pip install {name}") for name in lacking]
        devices = cuda_devices() if self.device.startswith("cuda") else None
        if devices is not None and int(self.device.partition(":")[2] or 0) >= devices:
            here = " | ".join(["auto", "cpu", *(f"cuda:{number}" for number in range(devices))])
            faults.append(Fault("device", shown(self.device), f"allowed here: {here}"))
        if faults:
            raise ParameterError(self.name, faults)
        return self

    def varied(self, name: str, known: Mapping[str, Mapping[str, Any]], **own: Any) -> Self:
        """These parameters as a named variant, which never resumes, replays or branches this run.

        Args:
            name: of the variant, and the label of its run.
            known: name → the parameters by which a variant differs.
            **own: further parameters that differ, such as its seed and where its run folder goes.

        Raises:
            ValueError: an unknown variant.
        """
        if name not in known:
            raise ValueError(f"no variant is called {name!r}; there are: {', '.join(known)}")
        alone = {"resume": "", "replay": "", "branch": "", "track": [], "preset": name}
        return type(self)(**{**dict(self), **alone, **known[name], **own})

    def fault_in(self, values: Mapping[str, float], *moved: str) -> str | None:
        """What is wrong, across fields, after some numbers moved; None where nothing is.

        Args:
            values: all numbers as they are after the move.
            *moved: the names of those that moved, by default all; only rules that read one of them are checked.
        """
        rules = self._rules(*(moved or values))
        if not rules:
            return None
        merged = {**self.__dict__, **values}
        return next((message for check in rules if (message := check(merged))), None)

    def dynamic(self) -> list[DynamicParameter]:
        """The numbers that may move, each at its starting value."""
        moving = {name: declared for name, declared in self.declarations().items() if declared.moves}
        return [
            DynamicParameter(name, getattr(self, name), **_quantity(declared) | {"integer": self._kind(name) is int})
            for name, declared in moving.items()
        ]

    def inactive(self) -> set[str]:
        """The names of the parameters that have no effect under this configuration."""
        declared = self.declarations().items()
        return {name for name, field in declared if field.acts_when and not field.acts_when(self)}

    def settings(self) -> dict[str, Any]:
        """What makes this run this run: all fields but how it is carried out, and optional ones at their default."""
        values = {name: getattr(self, name) for name, declared in self.declarations().items() if not declared.execution}
        fields, declared = type(self).model_fields, self.declarations()
        return {n: value for n, value in values.items() if not declared[n].optional or value != fields[n].default}

    @property
    def hash(self) -> str:
        """Twelve hex digits of the settings."""
        text = json.dumps({"experiment": self.name} | self.settings(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def table(self, every: bool = False) -> Table:
        """Name, value, range, moves?, meaning; a parameter without effect here is marked.

        Args:
            every: optional ones at their default too.
        """
        inactive, settings = self.inactive(), self.settings()
        rows = [
            (n, repr(getattr(self, n)), d.unit, d.allowed, _moves(d, n in inactive), d.group, d.doc)
            for n, d in self.declarations().items()
            if n in settings or (every and d.optional)
        ]
        return Table(("name", "value", "unit", "allowed", "moves", "group", "meaning"), rows)

    def __repr__(self) -> str:
        return f"{self.name}, parameters {self.hash}\n{self.table()!r}"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def _moves(declared: Declaration, inactive: bool) -> str:
    return "no effect in this run" if inactive else "yes" if declared.moves else ""


_TYPES = {
    int: "a whole number",
    float: "a number",
    str: "a string",
    bool: "true or false",
    list[str]: "a list of strings",
    list[int]: "a list of whole numbers",
    list[float]: "a list of numbers",
    dict[str, Any]: "a mapping of names to values",
}
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def plain(value: Any, kind: Any) -> Any:
    """Read what papermill, YAML or a command line left as text ("1e-3", "yes"), and a whole float as an int.

    What is not of its kind stays as it is.
    """
    if isinstance(value, str) and kind is bool:
        return _TRUTH.get(value.lower(), value)
    if isinstance(value, str) and kind in (int, float):
        try:
            value = float(value) if kind is float or not value.strip().lstrip("+-").isdecimal() else int(value)
        except ValueError:
            return value
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 1000:
        return float(value)
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list) and kind in (list[float], list[int]):
        return [plain(one, float if kind == list[float] else int) for one in value]
    return value


def _quantity(declared: Declaration) -> dict[str, Any]:
    return {part.name: getattr(declared, part.name) for part in dataclasses.fields(Quantity)}
