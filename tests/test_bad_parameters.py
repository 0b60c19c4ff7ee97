"""Bad parameters end before anything starts: with exit code 2, in one line that names what is wrong.

`pytest -m gate tests/test_bad_parameters.py` writes the table to `results/bad_parameters.json`.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gannb.comparison.results import hardware, keep, numbers
from gannb.config import presets
from gannb.config.faults import ParameterError
from gannb.control.echo import shown

COMMAND, SECONDS = "pytest -m gate tests/test_bad_parameters.py", 4.0


@pytest.fixture(scope="module")
def found(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """How some thousand bad calls ended."""
    command = [sys.executable, "-m", "tests.bad_parameters", str(tmp_path_factory.mktemp("bad"))]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_bad_parameter_is_named_in_one_line(found: dict) -> None:
    assert found["wrong"] == []
    counts = [cases for cases, _ in found["cases"].values()]
    assert sum(counts) > 4000 and min(counts) >= 10
    assert not found["torch"], "it takes seconds to load"
    assert "exit code 1" in found["a good one"], "and a good one is told apart"


@pytest.mark.gate
def test_the_table_of_bad_parameters(found: dict) -> None:
    trials = [numbers(kind, wrong=wrong, cases=cases) for kind, (cases, wrong) in found["cases"].items()]
    question = "How many bad parameters do not end with code 2, in one line that names them, before torch is loaded?"
    head = {"question": question, "command": COMMAND, "hardware": hardware(), "wrong": found["wrong"]}
    keep("bad_parameters", trials, metric="wrong", better="low", **head)
    assert found["wrong"] == []


@pytest.mark.parametrize(
    "argv",
    [
        ["run", "particles_sagan", "-p", "data=/nope"],
        ["run", "schedules", "-p", "device=cuda:7000"],
        ["run", "tour", "--branch", "/nope"],
        ["run", "compare_runs", "-p", "compare=/nope"],
        ["score", "/nope", "/nope"],
        ["diagnose", "/nope.npz"],
        ["sweep", "/nope"],
    ],
    ids=" ".join,
)
def test_a_process_of_its_own_ends_in_four_seconds(argv: list[str], root: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", "gannb.cli", *argv], cwd=root, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1, done
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SECONDS, "of the processor"


DECLARED = [(name, field) for name in presets.experiments() for field in presets.declaration(name).declarations()]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just(10**4000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(DECLARED), anything)
def test_any_value_of_any_field_is_taken_or_named(where: tuple[str, str], value: object) -> None:
    experiment, field = where
    try:
        params = presets.declaration(experiment)(**{field: value})
    except ParameterError as error:
        assert any(field in fault.field for fault in error.faults), str(error)
        assert len(str(error)) < 5000
    else:
        assert len(params.hash) == 12 and repr(params)


@settings(max_examples=300, deadline=None)
@given(anything)
def test_whatever_is_shown_is_short(value: object) -> None:
    assert len(shown(value)) <= 200 and "\n" not in shown(value)


def test_nested_and_repeated_values_are_shown_short() -> None:
    deep: list = []
    for _ in range(10_000):
        deep = [deep] * 9
    assert len(shown(deep)) <= 200 and len(shown({"x" * 10**6: "y" * 10**6})) <= 200
    assert shown(10**5000) == "a whole number of 16610 bits"
