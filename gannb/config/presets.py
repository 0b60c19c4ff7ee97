"""Which experiments there are, and their presets (`params/<name>/<preset>.yaml`).

An experiment is a folder `gannb/experiments/<name>/` with a `params.py`, and a notebook
`notebooks/<number>_<name>.ipynb`; nothing else lists it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gannb.config.experiment import Experiment
from gannb.config.faults import NotFound
from gannb.config.yaml_files import read_yaml
from gannb.control.echo import hint, shown

SHIPPED = Path(__file__).resolve().parents[1] / "shipped"
"""The copies of `notebooks/`, `params/`, `results/` and `docs/` that a wheel carries."""


def find_home(repository: Path, working: Path, shipped: Path = SHIPPED) -> Path:
    """The folder that holds `notebooks/` and `params/`.

    Args:
        repository: where gannb's own folder lies; the checkout, where it is installed editable.
        working: the working folder, which may lie within a folder that `gannb lab` has filled.
        shipped: what is left.
    """
    for folder in (repository, working, *working.parents):
        if (folder / "notebooks").is_dir() and any((folder / "params").glob("*/quick.yaml")):
            return folder
    return shipped


HOME = find_home(Path(__file__).resolve().parents[2], Path.cwd())
"""The folder that holds `notebooks/` and `params/`: a checkout, a folder of `gannb lab`, or the wheel's copies."""


def experiments() -> list[str]:
    """The plain names of all experiments, in the order of their notebooks."""
    return list(_notebooks())


def _notebooks() -> dict[str, Path]:
    files = {re.sub(r"^\d+_", "", path.stem): path for path in sorted((HOME / "notebooks").glob("[0-9]*.ipynb"))}
    roots = importlib.import_module("gannb.experiments").__path__
    declared = {path.parent.name for root in roots for path in Path(root).glob("*/params.py")}
    return {name: path for name, path in files.items() if name in declared}


def notebook(name: str) -> Path:
    """The notebook of an experiment by its plain name.

    Raises:
        NotFound: no experiment has this name; the message says the nearest.
    """
    found = _notebooks()
    if name not in found:
        raise NotFound(_unknown("no experiment is called", name, list(found)))
    return found[name]


def declaration(name: str) -> type[Experiment]:
    """The parameter class of an experiment, from `gannb/experiments/<name>/params.py`.

    Raises:
        LookupError: no experiment has this name, or its module declares no parameters under it.
    """
    notebook(name)
    module = importlib.import_module(f"gannb.experiments.{name}.params")
    for found in vars(module).values():
        if isinstance(found, type) and issubclass(found, Experiment) and getattr(found, "name", None) == name:
            return found
    raise LookupError(f"{module.__name__} declares no experiment whose name is {name!r}")


def presets(name: str) -> list[str]:
    """The names of an experiment's presets."""
    return sorted(path.stem for path in (HOME / "params" / name).glob("*.yaml"))


def preset(name: str, which: str) -> dict[str, Any]:
    """The values of a preset; the parameters it leaves out stay at their defaults.

    Raises:
        NotFound: there is no preset of this name (a name, never a path).
    """
    notebook(name)
    if which not in presets(name):
        raise NotFound(_unknown(f"{name} has no preset", which, presets(name)))
    return read_yaml(HOME / "params" / name / f"{which}.yaml")


def _unknown(complaint: str, name: str, known: Sequence[str]) -> str:
    return f"{complaint} {shown(name)}{hint(name, known) or ';'} there are: {', '.join(known) or 'none'}"
