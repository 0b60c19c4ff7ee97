"""What a fresh machine relies on: the tested set, the conda environment, and files that name no machine."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from unicodedata import east_asian_width

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

# Names of machines and registries, in pieces so that this file does not hold them itself.
PRIVATE = re.compile(
    "|".join(["/" + r"work\b", "/" + r"root\b", "/" + r"home/\w", "files.python" + "hosted", "pypi" + r"\.org"])
)
# Written by a registry's client or by torch itself, never by us.
BINARY = {".png", ".jpg", ".npz", ".wav", ".ogg", ".safetensors", ".pth", ".gz"}


@pytest.fixture(scope="module")
def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pinned(root: Path) -> dict[str, str]:
    return dict(line.split("==") for line in (root / "constraints.txt").read_text().splitlines())


def requirements(project: dict) -> list[Requirement]:
    extras = project["optional-dependencies"].values()
    return [Requirement(text) for text in [*project["dependencies"], *(one for extra in extras for one in extra)]]


def test_constraints_hold_plain_pins_only(root: Path) -> None:
    lines = (root / "constraints.txt").read_text().splitlines()
    odd = [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)]
    assert odd == [], "a line is `name==version`, without local tags such as +cpu"
    assert lines == sorted(set(lines)), "sorted, each once"


def test_constraints_leave_the_accelerator_open(pinned: dict[str, str]) -> None:
    assert [name for name in pinned if name.startswith(("nvidia-", "cuda-", "triton"))] == []
    assert pinned["torch"] != "2.13.0"


def test_every_dependency_is_pinned_within_its_range(project: dict, pinned: dict[str, str]) -> None:
    for requirement in requirements(project):
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is missing in constraints.txt"
        assert pinned[name] in requirement.specifier, f"{name}=={pinned[name]} is outside {requirement}"


def test_conda_environment_is_the_same_project(root: Path, project: dict) -> None:
    environment = yaml.safe_load((root / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    python = next(Requirement(line) for line in conda if line.startswith("python"))
    assert environment["name"] == project["name"]
    assert python.specifier == SpecifierSet(project["requires-python"])
    assert {Requirement(line).name for line in conda} == {"python", "pip"}, "everything else comes from pyproject.toml"
    extras = ",".join(project["optional-dependencies"])
    assert pip == {"pip": ["-c constraints.txt", f"-e .[{extras}]"]}


def test_make_installs_what_conda_does(root: Path, project: dict) -> None:
    extras = ",".join(project["optional-dependencies"])
    assert (root / "Makefile").read_text().count(f"-e '.[{extras}]' -c constraints.txt") == 2


def test_version_is_said_once(root: Path, project: dict) -> None:
    from gannb import __version__

    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert project["version"] == __version__ == citation["version"]


def tracked(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


def test_no_file_names_a_machine_or_a_registry(root: Path) -> None:
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:80]}"
        for path in tracked(root)
        if path.suffix not in BINARY
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if PRIVATE.search(line)
    ]
    assert found == []


def test_the_machine_pattern_finds_what_it_should() -> None:
    assert PRIVATE.search("/" + "work/main/runs") and PRIVATE.search("https://" + "pypi" + ".org/simple")
    assert not PRIVATE.search("benchmarks/workload") and not PRIVATE.search("the home of pypi")


@pytest.mark.parametrize("target", ["setup", "run", "lab", "test", "gates", "lint", "bench", "docs", "refs", "clean"])
def test_make_knows_its_targets(root: Path, target: str) -> None:
    dry = subprocess.run(["make", "--dry-run", target], cwd=root, capture_output=True, text=True)
    assert dry.returncode == 0, dry.stderr


def test_make_says_when_there_is_no_python(root: Path, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((root / name).read_text())
    made = subprocess.run(["make", "setup", "PYTHON=no-such-python"], cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode != 0
    assert "No Python 3.11, 3.12 or 3.13 found (tried: no-such-python)" in made.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.fixture(scope="module")
def installed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what a wheel of this checkout installs."""
    built, site = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    done = subprocess.run(build, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = built.glob("*.whl")
    assert wheel.stat().st_size < 5e6
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def gannb(site: Path, where: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The installed command, in a folder outside the checkout."""
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("GANNB")} | {"PYTHONPATH": str(site)}
    code = "import sys, gannb.cli; sys.exit(gannb.cli.main())"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=where, env=surroundings, capture_output=True, text=True)


def test_a_wheel_carries_the_notebooks_and_runs_them(installed: Path, root: Path, tmp_path: Path) -> None:
    names = gannb(root, tmp_path, "list", "--names").stdout.split()
    assert gannb(installed, tmp_path, "list", "--names").stdout.split() == names != []
    done = gannb(installed, tmp_path, "run", "tour", "-p", "steps=20", "-p", "evaluate_every=10")
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = (tmp_path / "runs" / "tour").iterdir()
    assert (run / "notebook.ipynb").is_file() and not (installed / "gannb" / "shipped" / "runs").exists()


def test_a_wheel_opens_a_copy(installed: Path, tmp_path: Path) -> None:
    done = gannb(installed, tmp_path, "lab", "--no-open")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "gannb-notebooks" / "notebooks").glob("*.ipynb"))) == 7
    assert gannb(installed, tmp_path / "gannb-notebooks", "params", "tour").returncode == 0


def test_the_dockerfile_copies_what_a_wheel_is_built_from(root: Path) -> None:
    text = (root / "docker" / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", text, flags=re.MULTILINE) for name in line.split()}
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert copied == {*wheel["only-include"], "pyproject.toml", "constraints.txt", "README.md", "LICENSE"}
    assert [name for name in copied if not (root / name).exists()] == []
    (command,) = re.findall(r"^CMD (.+)$", text, flags=re.MULTILINE)
    from gannb.cli import _parser

    _, *arguments = json.loads(command)
    assert _parser(arguments).parse_args(arguments).jupyter == "--ip=0.0.0.0 --no-browser"


READMES = ("README.md", "README.zh.md")


@pytest.mark.parametrize("readme", READMES)
def test_the_readme_lists_the_notebooks_that_exist(root: Path, readme: str) -> None:
    listed = re.findall(r"\]\(notebooks/([^)]+)\)", (root / readme).read_text(encoding="utf-8"))
    assert listed == [path.name for path in sorted((root / "notebooks").glob("*.ipynb"))]


def test_the_readme_names_only_what_make_and_gannb_know(root: Path) -> None:
    from gannb.cli import _parser

    readme = (root / "README.md").read_text() + (root / "docs" / "adding_an_experiment.md").read_text()
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", readme, flags=re.MULTILINE)) <= targets
    usage = _parser([]).format_help()
    for command in re.findall(r"(?:`|^)gannb ([a-z]+)", readme, flags=re.MULTILINE):
        assert f"    {command} " in usage, f"README names `gannb {command}`"


@pytest.mark.parametrize("readme", READMES)
def test_every_link_in_the_readme_leads_somewhere(root: Path, readme: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (root / readme).read_text(encoding="utf-8"))
    assert links and [link for link in links if not (root / link).exists()] == []


@pytest.mark.parametrize("readme", READMES)
def test_no_line_of_code_in_the_readme_scrolls(root: Path, readme: str) -> None:
    blocks = re.findall(r"^```.*?^```", (root / readme).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    columns = {line: sum(1 + (east_asian_width(sign) in "WF") for sign in line) for line in lines}
    assert lines and [line for line, wide in columns.items() if wide > 95] == [], "GitHub shows about 95 columns"


def said(text: str) -> tuple[list[str], list[str]]:
    """What a translation must leave as it is: the commands, and every figure of the tables."""
    commands = re.findall(r"^(?:gannb|make|papermill|torchrun) [\w./ -]*[\w]", text, flags=re.MULTILINE)
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`](" not in line.split("|")[1]]
    return commands, [figure for row in rows for figure in re.findall(r"\d[\d.,e-]*\d|\d", row)]


def test_the_translation_says_the_same(root: Path) -> None:
    ours, theirs = ((root / readme).read_text(encoding="utf-8") for readme in READMES)
    (commands, figures), (translated, told) = said(ours), said(theirs)
    assert sorted(set(figures) - set(told)) == [], "figures that the translation lacks"
    assert [c.split()[:3] for c in commands] == [c.split()[:3] for c in translated]


def test_the_picture_is_small(root: Path) -> None:
    assert (root / "docs" / "live_view.png").stat().st_size <= 150_000


@pytest.mark.parametrize("readme", READMES)
def test_every_sweep_and_path_that_is_named_exists(root: Path, readme: str) -> None:
    text = (root / readme).read_text(encoding="utf-8")
    sweeps = set(re.findall(r"gannb sweep (\w+)(?=\s)", text)) - {"NAME"}
    assert sweeps and [name for name in sweeps if not (root / "params" / "sweeps" / f"{name}.yaml").is_file()] == []
    paths = re.findall(r"`((?:results|docs|params|tests|notebooks)/[\w./]+)`", text)
    assert paths and [path for path in paths if not (root / path).exists()] == []


def test_tests_see_no_card() -> None:
    """On a machine with a GPU too: they compare with numbers of a CPU (`pytest -m cuda` has those that need one)."""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
