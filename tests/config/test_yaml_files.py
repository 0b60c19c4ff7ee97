"""YAML as a person writes it, and as damage leaves it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gannb.config.yaml_files import YamlError, dump_yaml, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("1e5", 1e5), ("-2E+3", -2e3), ("1.e-05", 1e-5), ("2.5e-7", 2.5e-7), ("3", 3), ("0.5", 0.5),
     ('"1e-3"', "1e-3"), ("1e", "1e"), ("x1e3", "x1e3"), ("true", True), ("off", "off"), ("yes", "yes"), ("~", None),
     ("0123", 123), ("1:30", "1:30"), ("1_000", "1_000"), ("0x1F", "0x1F"), ("1²", "1²"), ("2020-01-01", "2020-01-01"),
     ("-.inf", -math.inf), ("9" * 5000, "9" * 5000), ("!!bool maybe", "maybe"), ("!!float one", "one")],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    """PyYAML alone takes 1e-3 for text, 0123 for 83, 1:30 for 90, off for false, and stops at 5,000 digits."""
    read = parse_yaml(f"x: {text}")["x"]
    assert read == value and type(read) is type(value)


def test_nothing_but_plain_data_is_made() -> None:
    with pytest.raises(YamlError, match="line 1: could not determine a constructor"):
        parse_yaml("x: !!python/object/apply:os.system ['true']")


def bomb(levels: int) -> str:
    """A text in which each level repeats the one before nine times."""
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]" for n in range(levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nlr: [1,", "line 3: while parsing a flow node"),
        ("lr: 1\nseed: 2\nlr: 3", "line 3: 'lr' is given twice"),
        ("a: b: c", "line 1: mapping values are not allowed"),
        ("a: &a [*a]", "line 1: aliases (*name) are not read"),
        ("a: 1\n---\nb: 2", "line 2: expected a single document"),
        ("x: \x00", "control characters are not allowed"),
        ("[" * 100_000, "line 1: nested more than 50 levels deep"),
        ("- " * 100_000 + "1", "line 1: nested more than 50 levels deep"),
        (bomb(9), "line 2: aliases (*name) are not read"),
        ("x: &x " + "y" * 2_000_000 + "\na: [*x]", "line 2: aliases (*name)"),
        ("? [1]\n: 2", "line 1: while constructing a mapping, found unhashable key"),
    ],
)
def test_what_is_broken_or_too_much_is_said_with_its_line(text: str, says: str) -> None:
    with pytest.raises(YamlError) as refused:
        parse_yaml(text)
    assert says in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_an_alias_bomb_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(bomb(12))
    script = """
import resource, sys, pathlib
from gannb.config.yaml_files import YamlError, read_yaml
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_yaml(pathlib.Path(sys.argv[1]))
except YamlError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "params.yaml"], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 5_000, "kilobytes"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"- 1\n- 2\n", "p.yaml: expected `name: value` lines, found a list"),
        (b"1: 2\n", "p.yaml: 1 is no name; expected `name: value` lines"),
        ("seed: 3\n".encode("utf-16"), "p.yaml: not UTF-8 text, at byte 0"),
        (b"seed: \xe9\n", "p.yaml: not UTF-8 text, at byte 6"),
        (b"lr: 1\nseed: [1 2: 3]]", "p.yaml: line 2: "),
        (b"# " + b"x" * 1_000_000, "p.yaml: 1000002 bytes; names and values take at most 1000000"),
    ],
)
def test_a_file_must_hold_names_and_values(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "p.yaml").write_bytes(content)
    with pytest.raises(YamlError) as refused:
        read_yaml(tmp_path / "p.yaml")
    assert says in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xef\xbb\xbf", b"{}"])
def test_an_empty_file_gives_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.yaml").write_bytes(content)
    assert read_yaml(tmp_path / "p.yaml") == {}


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"\xef\xbb\xbfseed: 3\r\ndata: a\r\n")
    assert read_yaml(tmp_path / "p.yaml") == {"seed": 3, "data": "a"}


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_what_is_written_is_read_again(value: object) -> None:
    read = parse_yaml(dump_yaml({"x": value}))["x"]
    assert read == value and repr(read) == repr(value)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@#,?1.e \n\t", max_size=40))
def test_any_text_is_read_or_refused_in_a_line(text: str) -> None:
    try:
        parse_yaml(text)
    except YamlError as error:
        assert "\n" not in str(error)
