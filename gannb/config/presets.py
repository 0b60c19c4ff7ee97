"""Which experiments there are, and their presets (`params/<name>/<preset>.yaml`)."""

from __future__ import annotations

import difflib
import importlib
import re
from pathlib import Path
from typing import Any

import yaml

from gannb.config.experiment import Experiment

HOME = Path(__file__).resolve().parents[2]
"""The folder that holds `notebooks/` and `params/`: the repository, as gannb is installed editable."""


def experiments() -> list[str]:
    """The plain names of all experiments, in the order of their notebooks."""
    return [re.sub(r"^\d+_", "", path.stem) for path in sorted((HOME / "notebooks").glob("[0-9]*.ipynb"))]


def notebook(name: str) -> Path:
    """The notebook of an experiment by its plain name; an unknown name is an error that says the nearest."""
    for path in sorted((HOME / "notebooks").glob("[0-9]*.ipynb")):
        if re.sub(r"^\d+_", "", path.stem) == name:
            return path
    near = difflib.get_close_matches(name, experiments(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise LookupError(f"no experiment is called {name!r}{hint} There are: {', '.join(experiments())}")


def declaration(name: str) -> type[Experiment]:
    """The parameter class of an experiment, from `gannb/experiments/<name>/params.py`."""
    notebook(name)
    module = importlib.import_module(f"gannb.experiments.{name}.params")
    found = [
        c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Experiment) and c is not Experiment
    ]
    return next(c for c in found if getattr(c, "name", None) == name)


def presets(name: str) -> list[str]:
    """The names of an experiment's presets."""
    return sorted(path.stem for path in (HOME / "params" / name).glob("*.yaml"))


def preset(name: str, which: str) -> dict[str, Any]:
    """The values of a preset; the parameters it leaves out stay at their defaults."""
    path = HOME / "params" / name / f"{which}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(which, presets(name), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise LookupError(f"{name} has no preset {which!r}{hint} There are: {', '.join(presets(name))}")
    return read_yaml(path)


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping of parameter names to values from a YAML file."""
    values = parse_yaml(path.read_text(encoding="utf-8")) or {}
    if not isinstance(values, dict):
        raise ValueError(f"{path.name}: expected `name: value` lines, found a {type(values).__name__}")
    return values


def parse_yaml(text: str) -> Any:
    """YAML to Python, with `1e-3` read as the number it is: YAML 1.1 takes it for a string, for want of a point."""
    return yaml.load(text, Loader=_Loader)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Plain data only, as SafeLoader; in C where PyYAML was built with it, which is ten times faster."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)
