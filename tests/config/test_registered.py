"""Names of a registry, read without running the module that has it."""

import sys
import textwrap
from pathlib import Path

import pytest

from gannb.config.registered import registered


def test_it_reads_the_keys_and_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
        raise AssertionError("this must not run")
        OTHER = {"x": 1}
        TABLE: dict[str, int] = {"b": 2, "a": undefined}
    """
    (tmp_path / "written_out.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    assert registered("written_out", "TABLE") == ("b", "a")
    assert "written_out" not in sys.modules
    with pytest.raises(LookupError, match="written_out writes out no dictionary OTHER"):
        registered("written_out", "OTHER")


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(LookupError, match="no_such_module"):
        registered("no_such_module", "TABLE")
