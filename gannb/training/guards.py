"""What a loss can reach besides its turn: closures, globals, attributes. A change is noticed before a replay.

A graph holds what Python computed when it was captured. So every plain value and every reference that the loss, the
networks and the player's own update reach by the names in their code is remembered, and compared before a replay.
"""

from __future__ import annotations

import dis
import functools
import operator
import sys
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from torch import nn

IMPURE = ("time", "datetime", "random", "secrets", "uuid", "os", "io", "numpy.random")
"""Modules whose answers change although nothing of the loss does."""
FOREIGN = {"torch", "torchvision", "torch_geometric", "numpy", "scipy", "pydantic", "tqdm", *sys.stdlib_module_names}
"""Packages whose own code is not looked through."""
TRUSTED = {"gannb.distributed", "gannb.random", "gannb.training.turn"}
"""Modules of ours that are not looked through either: they keep nothing that a turn's result depends on."""
PLAIN = (bool, int, float, complex, str, bytes, frozenset, type(None))
HOLDERS = (dict, OrderedDict, list, deque, types.MappingProxyType)
"""Containers that an entry can be read from without a side effect."""
LARGEST = 1000
"""Entries up to which a container is compared."""


class Place(NamedTuple):
    """Something that was read, and where to read it again."""

    name: str
    value: Any
    read: Callable[..., Any]
    argument: Any

    def differs(self) -> bool:
        """Whether something else is there now."""
        now, value = self.read(self.argument), self.value
        return now is not value and not (isinstance(value, PLAIN) and type(now) is type(value) and now == value)


class Guards:
    """Remembers what functions and objects can reach, and tells what has changed.

    Args:
        *roots: where to begin.

    Attributes:
        fault: something reached that no comparison can answer for, such as a clock; "" where there is nothing.
    """

    def __init__(self, *roots: Any) -> None:
        self.fault = ""
        self._names: set[str] = set()
        count = -1
        while count != len(self._names):  # more names of attributes may be met on the way
            count = len(self._names)
            self._places: list[Place] = []
            self._met: dict[int, Any] = {}
            for root in roots:
                self._visit(root)
        self._group()

    def changed(self) -> str:
        """The name of something that is not as it was, or ""."""
        if self._all_identical():
            return ""
        name = next((place.name for place in self._places if place.differs()), "")
        if not name:
            self._group()  # other objects of the same values are identical next time
        return name

    def _group(self) -> None:
        """Group the places by what holds them: the entries of one dictionary or list are read at once."""
        entries: dict[int, tuple[Any, dict[Any, Any]]] = {}
        self._sized: list[Any] = []
        self._rest: list[Place] = []
        for place in self._places:
            holder = getattr(place.read, "__self__", None)
            if place.read is len:
                self._sized.append(place.argument)
            elif type(holder) in HOLDERS:
                entries.setdefault(id(holder), (holder, {}))[1][place.argument] = place.read(place.argument)
            else:
                self._rest.append(place)
        self._sizes = list(map(len, self._sized))
        self._holders = [holder for holder, _ in entries.values()]
        keys = [[*held, next(iter(held))] for _, held in entries.values()]  # of one key, a getter gives no tuple
        self._getters = [operator.itemgetter(*some) for some in keys]
        self._values = [held[key] for some, (_, held) in zip(keys, entries.values()) for key in some]

    def _all_identical(self) -> bool:
        try:
            now = chain.from_iterable(map(operator.call, self._getters, self._holders))
            identical = all(map(operator.is_, now, self._values)) and list(map(len, self._sized)) == self._sizes
        except LookupError:
            return False
        return identical and not any(place.differs() for place in self._rest)

    def _keep(self, name: str, read: Callable[..., Any], argument: Any) -> None:
        """Remember a place, and look at what it holds."""
        self._places.append(Place(name, value := read(argument), read, argument))
        self._visit(value)

    def _visit(self, value: Any) -> None:
        if isinstance(value, PLAIN) or id(value) in self._met:
            return
        self._met[id(value)] = value
        match value:
            case types.FunctionType():
                self._function(value)
            case types.MethodType():
                self._visit(value.__func__)
                self._visit(value.__self__)
            case functools.partial():
                for part in (value.func, value.args, value.keywords):
                    self._visit(part)
            case types.ModuleType():
                self._module(value)
            case dict() | list() | tuple() | deque():
                self._container(value)
            case set():
                self._keep("a set", frozenset, value)
            case np.ndarray() if value.size <= LARGEST:
                self._keep("an array", np.ndarray.tobytes, value)
            case np.ndarray():
                self.fault = f"it can reach an array of {value.size} numbers of the host"
            case nn.Module():
                self._network(value)
            case type():
                self._class(value)
            case Iterator():
                self.fault = f"it can reach an iterator ({type(value).__name__}), which goes on at every turn"
            case _:
                self._object(value)

    def _function(self, function: types.FunctionType) -> None:
        self._impure(function.__module__, function.__name__)
        if _foreign(function.__module__):
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self._keep(name, _content, cell)
        for part in (getattr(function, "__wrapped__", None), function.__defaults__, function.__kwdefaults__):
            self._visit(part)
        names, attributes, imported = _names(function.__code__)
        self._names |= attributes
        for name in sorted(names & function.__globals__.keys()):
            self._keep(name, function.__globals__.get, name)
        for name in imported:
            self._visit(sys.modules.get(name))

    def _module(self, module: types.ModuleType) -> None:
        self._impure(module.__name__, module.__name__)
        foreign = _foreign(module.__name__)
        for name in sorted(self._names & vars(module).keys()):
            if not foreign:
                self._keep(name, vars(module).get, name)
            elif isinstance(inner := vars(module)[name], types.ModuleType):
                self._impure(inner.__name__, inner.__name__)

    def _container(self, values: Any) -> None:
        if isinstance(values, tuple):  # what it holds stays
            for value in values:
                self._visit(value)
            return
        self._places.append(Place("the size of a container", len(values), len, values))
        if len(values) > LARGEST:
            self.fault = f"it can reach a {type(values).__name__} of {len(values)} entries"
            return
        read = values.get if isinstance(values, dict) else values.__getitem__
        for key in list(values) if isinstance(values, dict) else range(len(values)):
            self._keep(f"an entry ({key!r})"[:60], read, key)

    def _network(self, network: nn.Module) -> None:
        for parts in (network._parameters, network._buffers, network._modules):
            self._container(parts)
        for hooks in (network._forward_hooks, network._forward_pre_hooks):
            self._container(hooks)
        for name, value in vars(network).items():
            if isinstance(value, PLAIN) and not name.startswith("_"):
                self._keep(name, vars(network).get, name)
        self._object(network)

    def _object(self, value: Any) -> None:
        kind = type(value)
        owner = type(getattr(value, "__self__", None))  # of a built-in method, such as random.random
        for module in (kind.__module__, owner.__module__, str(getattr(value, "__module__", ""))):
            self._impure(module, str(getattr(value, "__name__", kind.__name__)))
        self._visit(getattr(value, "__wrapped__", None))
        if not _foreign(kind.__module__):
            self._class(kind)
        if not _foreign(kind.__module__) or kind.__module__ == "types":
            for name in sorted(self._names & getattr(value, "__dict__", {}).keys()):
                self._keep(name, value.__dict__.get, name)

    def _class(self, kind: type) -> None:
        for one in kind.__mro__:
            if not _foreign(one.__module__):
                own = vars(one)
                for name in sorted((self._names | {"forward", "__call__", "__init__"}) & own.keys()):
                    self._keep(name, own.get, name)
                    for inside in ("fget", "func", "__func__"):  # of a property, a class method, a static method
                        self._visit(getattr(own[name], inside, None))

    def _impure(self, module: str | None, name: str) -> None:
        if module in IMPURE:
            self.fault = f"it can reach {name}, whose answer changes from turn to turn"


def _foreign(module: str | None) -> bool:
    """Whether a module is not looked through; a run's data are constants of it, so their modules are not either."""
    package, *rest = (module or "torch").split(".")
    return module in TRUSTED or package in FOREIGN or (package == "gannb" and "data" in rest)


@functools.cache
def _names(code: types.CodeType) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Names of globals, of attributes and of modules imported in a function's code, those of inner functions too."""
    found: dict[str, set[str]] = {"GLOBAL": set(), "ATTR": set(), "IMPORT": set()}
    for one in dis.get_instructions(code):
        kind = one.opname.replace("METHOD", "ATTR").replace("LOAD_NAME", "LOAD_GLOBAL")
        for part, names in found.items():
            if part in kind and isinstance(one.argval, str) and not kind.startswith("STORE"):
                names.add(one.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            for names, inner in zip(found.values(), _names(constant)):
                names |= inner
        elif isinstance(constant, str) and constant.isidentifier():
            found["ATTR"].add(constant)  # it may be read by getattr
    return frozenset(found["GLOBAL"]), frozenset(found["ATTR"]), frozenset(found["IMPORT"])


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return None
