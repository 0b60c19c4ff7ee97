"""Follow `docs/adding_an_experiment.md` to its end, in a copy of the project: what it says is enough, and it works."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.notebooks.test_lint import faults

NAME = "two_moons"


def blocks(text: str, language: str) -> list[tuple[str, str]]:
    """Each code block of a language, with the paragraph before it."""
    found = re.finditer(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [(text[: match.start()].strip().rpartition("\n\n")[2], match[1].strip("\n")) for match in found]


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the experiment added, word by word."""
    home = tmp_path_factory.mktemp("project")
    shutil.copytree(root / "gannb", home / "gannb", ignore=shutil.ignore_patterns("__pycache__"))
    text = (root / "docs" / "adding_an_experiment.md").read_text(encoding="utf-8")
    (_, declaration), *cells = blocks(text, "python")
    (_, preset), (_, claims) = blocks(text, "yaml")
    for path, content in {
        f"gannb/experiments/{NAME}/params.py": declaration,
        f"params/{NAME}/quick.yaml": preset,
        f"gannb/experiments/{NAME}/claims.yaml": claims,
    }.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(content + "\n", encoding="utf-8")
    made = [new_markdown_cell("# Two moons")]
    for number, (why, code) in enumerate(cells):
        tags = {"tags": ["parameters"]} if number == 0 else {}
        made += [new_markdown_cell(why), new_code_cell(code, metadata=tags)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "language_info": {"name": "python"}}
    (home / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=made, metadata=kernel), home / "notebooks" / f"07_{NAME}.ipynb")
    return home


def gannb(project: Path, *argv: str) -> subprocess.CompletedProcess:
    unwanted = {"GANNB_RUNS"}
    environment = {k: v for k, v in os.environ.items() if k not in unwanted} | {"PYTHONPATH": str(project)}
    command = [sys.executable, "-m", "gannb.cli", *argv]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)


def test_the_notebook_keeps_the_conventions(project: Path) -> None:
    assert faults(nbformat.read(project / "notebooks" / f"07_{NAME}.ipynb", as_version=4)) == []


def test_it_is_listed_and_its_parameters_are_checked(project: Path) -> None:
    assert f"{NAME}  quick" in gannb(project, "list").stdout
    refused = gannb(project, "run", NAME, "-p", "lr_q=1")
    assert refused.returncode == 2 and "did you mean 'lr_g'?" in refused.stderr


def test_it_runs_and_its_claim_is_settled(project: Path) -> None:
    done = gannb(project, "run", NAME)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip().splitlines()[-1].removeprefix("run: "))
    assert folder.parent == project / "runs" / NAME
    (claim,) = json.loads((folder / "claims.json").read_text())
    assert claim["id"] == "M1.moons" and claim["verdict"] == "reproduced", claim
    assert yaml.safe_load((folder / "params.yaml").read_text())["epochs"] == 60
    assert json.loads((folder / "summary.json").read_text())["steps"] == 60 * 16
