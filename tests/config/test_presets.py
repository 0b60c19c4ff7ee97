"""YAML as a person writes it."""

from __future__ import annotations

import pytest

from gannb.config.faults import ParameterError
from gannb.config.presets import declaration, experiments, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("1e5", 1e5), ("-2E+3", -2e3), ("1.e-05", 1e-5), ("2.5e-7", 2.5e-7), ("3", 3), ("0.5", 0.5),
     ('"1e-3"', "1e-3"), ("1e", "1e"), ("x1e3", "x1e3"), ("true", True)],
)  # fmt: skip
def test_numbers_without_a_point_are_numbers(text, value):
    read = parse_yaml(f"x: {text}")["x"]
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize("name", experiments())
def test_whatever_a_field_is_given_the_error_names_it(name):
    """No rule across fields, and nothing that fills one in, may stumble over another field's bad value first."""
    told = declaration(name)
    for field in told.declarations():
        for bad in ({0: "no name"}, object()):
            with pytest.raises(ParameterError, match=rf"(?m)^  {field}: given"):
                told(**{field: bad})


def test_nothing_but_plain_data_is_made():
    import yaml

    with pytest.raises(yaml.YAMLError):
        parse_yaml("x: !!python/object/apply:os.system ['true']")


def test_a_file_must_hold_names_and_values(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("- 1\n- 2\n")
    with pytest.raises(ValueError, match=r"p\.yaml: expected `name: value` lines, found a list"):
        read_yaml(path)
    path.write_text("")
    assert read_yaml(path) == {}
