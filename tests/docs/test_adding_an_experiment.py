"""Follow `docs/adding_an_experiment.md` to its end, in a copy of the project: what it says is enough, and it works."""

import json
import subprocess
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.docs.pages import Block, blocks, copied, python, written
from tests.notebooks.test_lint import faults
from tests.test_sizes import code_lines

NAME = "two_moons"
LINES = 120


@pytest.fixture(scope="module")
def page(root: Path) -> list[Block]:
    text = (root / "docs" / "adding_an_experiment.md").read_text(encoding="utf-8")
    return [block for block in blocks(text) if block.language != "sh"]


@pytest.fixture(scope="module")
def project(root: Path, page: list[Block], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the experiment added, word by word."""
    home = copied(root, tmp_path_factory.mktemp("project"))
    cells = [new_markdown_cell("# Two moons")]
    for block in page:
        if block.file:
            written(home, block.file, block.code)
            continue
        tags = {} if len(cells) > 1 else {"tags": ["parameters"]}
        cells += [new_markdown_cell(block.before), new_code_cell(block.code, metadata=tags)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}, "language_info": {"name": "python"}}
    (home / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells, metadata=kernel), home / "notebooks" / f"07_{NAME}.ipynb")
    return home


def gannb(project: Path, *argv: str) -> subprocess.CompletedProcess:
    return python(project, "-m", "gannb.cli", *argv)


@pytest.fixture(scope="module")
def run(project: Path) -> Path:
    """The folder of its first run."""
    done = gannb(project, "run", NAME)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1].removeprefix("run: "))


def test_it_is_one_folder_one_notebook_and_presets_in_few_lines(page: list[Block]) -> None:
    files = [block.file for block in page if block.file]
    home = f"gannb/experiments/{NAME}"
    assert files == [f"{home}/params.py", f"{home}/losses.py", f"params/{NAME}/quick.yaml", f"{home}/claims.yaml"]
    code = sum(code_lines(block.code + "\n") for block in page if block.language == "python")
    rows = sum(len(block.code.splitlines()) for block in page if block.language == "yaml")
    assert code + rows <= LINES, (code, rows)


def test_the_notebook_keeps_the_conventions(project: Path) -> None:
    assert faults(nbformat.read(project / "notebooks" / f"07_{NAME}.ipynb", as_version=4)) == []


def test_it_is_listed_and_its_parameters_are_checked(project: Path) -> None:
    assert f"{NAME}  quick" in gannb(project, "list").stdout
    refused = gannb(project, "run", NAME, "-p", "lt=1")
    assert refused.returncode == 2 and "did you mean 'lr'?" in refused.stderr


def test_the_quick_preset_is_the_defaults_and_torch_is_not_needed(project: Path) -> None:
    code = (
        f"import sys; from gannb.config import presets; declared = presets.declaration({NAME!r}); "
        f"assert declared(**presets.preset({NAME!r}, 'quick')).settings() == declared().settings(); "
        "assert 'torch' not in sys.modules"
    )
    done = python(project, "-c", code)
    assert done.returncode == 0, done.stderr


def test_it_runs_and_its_claims_are_reproduced(project: Path, run: Path) -> None:
    assert run.parent == project / "runs" / NAME
    verdicts = {claim["id"]: claim["verdict"] for claim in json.loads((run / "claims.json").read_text())}
    assert verdicts == {"M1.moons": "reproduced", "M1.near": "reproduced"}
    assert yaml.safe_load((run / "params.yaml").read_text())["epochs"] == 150
    summary = json.loads((run / "summary.json").read_text())
    assert summary["steps"] == 150 * 8 and set(summary["metrics"]) == {"upper", "lower"}


def test_recorder_and_monitor_need_no_discriminator(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    names = {name for row in rows for name in row}
    assert {"model/loss", "model/grad_norm", "upper", "lower"} <= names
    assert not [name for name in names if name.startswith(("D/", "G/"))]


def test_live_view_catalogue_and_report_need_no_discriminator(project: Path, run: Path) -> None:
    """A second seed with the live view on; then both runs side by side."""
    watched = gannb(project, "run", NAME, "-p", "seed=1", "-p", "live=on")
    assert watched.returncode == 0, watched.stderr
    code = (
        "from gannb.comparison.catalogue import Catalogue; "
        f"runs = Catalogue.find({NAME!r}); assert len(runs) == 2; "
        "assert {'model/loss', 'upper', 'lower'} <= set(runs.measured()), runs.measured(); print(runs)"
    )
    compared = python(project, "-c", code)
    assert compared.returncode == 0, compared.stderr
    reported = gannb(project, "report")
    assert reported.returncode == 0, reported.stderr
    pages = [path.read_text() for path in (project / "report").rglob("*.html")]
    assert any("model/loss" in page for page in pages) and any("cover both" in page for page in pages)
