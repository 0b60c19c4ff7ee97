"""Which package may import which: general code in layers, experiments on top, no circles."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gannb"

# Lowest first. Packages of one layer do not import each other.
LAYERS = (
    ("random", "control", "distributed", "tables"),
    ("config",),
    ("data", "networks", "losses", "runs"),
    ("training", "metrics"),
    ("comparison",),
    ("figures",),
    ("widgets",),
    ("batch", "doctor"),
    ("cli",),
)
LAYER = {name: height for height, names in enumerate(LAYERS) for name in names}
GENERAL = set(LAYER) - {"batch", "doctor", "cli"}

# What an experiment may import beside general code and its own folder.
SHARED = {"motion_balance": {"motion"}, "motion_wgan_gp": {"motion"}}

# Importable without a single one of these: they cost seconds, and a run's parameters are checked before them.
LIGHT = ("gannb", "gannb.cli")
HEAVY = ("torch", "torchvision", "torch_geometric", "sklearn", "librosa", "plotly", "pandas", "scipy", "papermill")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


@cache
def module_names() -> frozenset[str]:
    """Every module and package of gannb, dotted."""
    paths = PACKAGE.rglob("*.py")
    return frozenset(
        ".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for p in paths
    )


def imports(source: str) -> set[str]:
    """The modules of gannb that a source imports, functions and type checking included; a relative import is "."."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            found.add(".")
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in module_names() else str(node.module) for name in names}
    return {name for name in found if name == "." or name.split(".")[0] == "gannb"}


def part(module: str) -> str:
    """`gannb.data.images` belongs to `data`, `gannb.experiments.identity.losses` to `experiments.identity`."""
    names = module.split(".")[1:]
    return ".".join(names[:2]) if names[:1] == ["experiments"] else (names or [""])[0]


def allowed(name: str) -> set[str]:
    """The parts that a part may import."""
    if name.startswith("experiments."):
        own = name.removeprefix("experiments.")
        return GENERAL | {name} | {f"experiments.{other}" for other in SHARED.get(own, ())}
    return {other for other, height in LAYER.items() if height < LAYER[name]} | {name}


def faults(name: str, source: str) -> list[str]:
    """What a module of part `name` imports that it may not."""
    parts = {"relative" if module == "." else part(module) for module in imports(source)}
    return sorted(parts - allowed(name) - {"", "__version__"})


MODULES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if path.parent not in (PACKAGE, PACKAGE / "experiments") or path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_imports_lower_layers_only(module: Path) -> None:
    name = part(dotted(module).removesuffix(".__init__"))
    assert name in LAYER or name.startswith("experiments."), f"{name} has no layer yet: give it one in LAYERS"
    assert faults(name, module.read_text()) == []


def test_a_planted_fault_is_found() -> None:
    assert faults("losses", "def f():\n    from gannb.training.trainer import Trainer") == ["training"]
    assert faults("metrics", "import gannb.figures.curves") == ["figures"]
    assert faults("data", "from gannb import networks, random") == ["networks"]
    assert faults("runs", "from .. import cli") == ["relative"]
    assert faults("cli", "from gannb import __version__, batch") == []
    assert faults("training", "from gannb.experiments.tour import params") == ["experiments.tour"]
    assert faults("experiments.tour", "from gannb.experiments.motion import skeleton") == ["experiments.motion"]
    assert faults("experiments.motion_balance", "from gannb.experiments.motion import skeleton") == []
    assert faults("experiments.motion", "from gannb.batch import report") == ["batch"]


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules that import each other, directly or by way of others."""
    reached = {}
    for start in graph:
        seen, ahead = set(), {start}
        while ahead:
            ahead = {to for name in ahead for to in graph.get(name, ())} - seen
            seen |= ahead
        reached[start] = seen
    groups = [{b for b in reached[a] if a in reached.get(b, ())} for a in graph if a in reached[a]]
    return [group for i, group in enumerate(groups) if group not in groups[:i]]


def test_no_modules_import_each_other() -> None:
    assert circles({dotted(path): imports(path.read_text()) for path in MODULES}) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [{"b", "c"}]


FILLED = {PACKAGE / "__init__.py", PACKAGE / "batch" / "__init__.py"}
"""The version; and what has to come before the first import of nbformat, wherever that is."""


def test_package_files_stay_empty() -> None:
    heavy = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("__init__.py")
        if path not in FILLED and any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)
    ]
    assert heavy == [], "a package's __init__ holds a docstring at most"


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    script = (
        f"import sys, time; before = time.process_time(); import {module}; took = time.process_time() - before;"
        f"print(took, *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    took, *heavy = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert heavy == []
    assert float(took) < 0.2
