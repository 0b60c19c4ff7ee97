"""Who may lean on whom: a package imports only what stands to its left."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gannb"

# Ground floor first. What shares a floor does not import each other.
FLOORS = (
    ("draws", "dynamics", "ranks", "skeleton", "tables"),
    ("params",),
    ("data", "models", "losses", "runs"),
    ("training", "metrics"),
    ("figures",),
    ("widgets",),
    ("batch", "doctor"),
    ("cli",),
)
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}

# Importable without a single one of these: they cost seconds, and a run's parameters are checked before them.
LIGHT = ("gannb", "gannb.cli")
HEAVY = ("torch", "torchvision", "torch_geometric", "sklearn", "librosa", "plotly", "pandas", "scipy", "papermill")


def imported(source: str) -> set[str]:
    """The parts of gannb that a module imports, anywhere in it, functions included."""
    parts = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.level == 0 else ["relative"]
        else:
            continue
        parts |= {name.split(".")[1] for name in names if name.startswith("gannb.")}
        if "relative" in names:
            parts.add("relative")
    return parts


def part(module: Path) -> str:
    """`gannb/data/motion.py` belongs to `data`, `gannb/cli.py` to `cli`."""
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def faults(name: str, source: str) -> list[str]:
    """What a module of part `name` imports that it may not."""
    allowed = {other for other, height in FLOOR.items() if height < FLOOR[name]} | {name}
    return sorted(imported(source) - allowed - {"__version__"})


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_leans_on_lower_floors_only(module: Path) -> None:
    assert part(module) in FLOOR, f"{part(module)} has no floor yet: give it one in FLOORS"
    assert faults(part(module), module.read_text()) == []


def test_a_planted_fault_is_found() -> None:
    assert faults("losses", "def f():\n    from gannb.training.trainer import Trainer") == ["training"]
    assert faults("metrics", "import gannb.figures.curves") == ["figures"]
    assert faults("data", "from gannb import models, draws") == ["models"]
    assert faults("runs", "from .. import cli") == ["relative"]
    assert faults("cli", "from gannb import __version__, batch") == []


def test_package_files_stay_empty() -> None:
    heavy = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("__init__.py")
        if path != PACKAGE / "__init__.py"
        and any(not isinstance(node, ast.Expr) for node in ast.parse(path.read_text()).body)
    ]
    assert heavy == [], "a package's __init__ holds a docstring at most"


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_nothing_heavy(module: str) -> None:
    script = (
        f"import sys, time; before = time.perf_counter(); import {module}; took = time.perf_counter() - before;"
        f"print(took, *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    took, *heavy = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert heavy == []
    assert float(took) < 0.2
