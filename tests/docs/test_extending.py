"""Follow `docs/extending.md` in a copy of the project: its files are few, its tests pass, and names are offered."""

import re
import shutil
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks, copied, python, written

FILES = {"A loss": 2, "A network": 3, "A score": 2, "An image data set": 2}
COPIED = ("conftest.py", "tests/__init__.py", "tests/conftest.py")
RUN = (
    "tests/losses/test_adversarial.py",
    "tests/networks/test_registry.py",
    "tests/networks/test_mlp.py",
    "tests/metrics/test_spread.py",
)


def place(block: Block) -> tuple[str, str]:
    """Where a block goes: the file, and what stands before it: "" (a new file), "above NAME", "in NAME" or "below"."""
    found = re.search(r"(Above|In|Below)( the tests)? ?(?:`(\w+)`)? ?(?:in|of) `([\w/.]+)`:$", block.before)
    return (found[4], f"{found[1].lower()} {found[3] or ''}".strip()) if found else (block.file, "")


def extended(home: Path, block: Block) -> str:
    """Write a block where the page says; returns the file."""
    file, where = place(block)
    if not where:
        assert not (home / file).exists(), f"{file} is there already"
        return str(written(home, file, block.code).relative_to(home))
    text = (home / file).read_text(encoding="utf-8")
    way, _, name = where.partition(" ")
    if way == "below":
        text = f"{text}\n\n{block.code}\n"
    else:
        start = re.search(rf"^{name}: .*$", text, re.MULTILINE).start()
        at = start if way == "above" else text.index("\n}", start) + 1
        text = text[:at] + block.code + ("\n\n\n" if way == "above" else "\n") + text[at:]
    (home / file).write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def sections(root: Path) -> dict[str, list[Block]]:
    """The page's code blocks by section."""
    page = root / "docs" / "extending.md"
    titles = re.split(r"^## (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: dict[str, list[Block]] = {}
    for title, text in zip(titles[1::2], titles[2::2]):
        found[title] = [block for block in blocks(text) if block.language == "python"]
    return found


@pytest.fixture(scope="module")
def project(root: Path, sections: dict[str, list[Block]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, and of the tests that the page extends, with everything on the page."""
    home = copied(root, tmp_path_factory.mktemp("extended"))
    edited = {file for parts in sections.values() for block in parts if (file := place(block)[0]).startswith("tests/")}
    for file in {*COPIED, *RUN, *edited}:
        if (root / file).is_file():
            (home / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / file, home / file)
    for parts in sections.values():
        for block in parts:
            extended(home, block)
    return home


@pytest.mark.parametrize("section", FILES)
def test_each_extension_touches_as_few_files_as_it_says(sections: dict[str, list[Block]], section: str) -> None:
    assert len({place(block)[0] for block in sections[section]}) == FILES[section]


def test_the_pages_tests_pass(project: Path, sections: dict[str, list[Block]]) -> None:
    done = python(project, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout[-3000:]
    named = [
        name for parts in sections.values() for block in parts for name in re.findall(r"def (test_\w+)", block.code)
    ]
    named += ["test_every_pair_does_what_its_entry_says[relativistic_least_squares]", "every_size[mlp-256]"]
    assert len(named) == 6
    assert [name for name in named if not re.search(rf"{re.escape(name)} PASSED", done.stdout)] == []


def test_experiments_offer_the_new_names_without_torch(project: Path) -> None:
    code = """
import sys
from gannb.experiments.particles_sagan.params import ParticlesSagan
from gannb.experiments.schedules.params import Schedules
for declared in (ParticlesSagan, Schedules):
    p = declared(loss="relativistic_least_squares", network="mlp", network_options={"depth": 3})
    try:
        declared(network="mlp", network_options={"depth": 0})
    except ValueError as error:
        assert "depth 0; allowed: a whole number" in str(error)
    else:
        raise AssertionError("a depth of 0 was taken")
assert "torch" not in sys.modules
"""
    done = python(project, "-c", code)
    assert done.returncode == 0, done.stderr
