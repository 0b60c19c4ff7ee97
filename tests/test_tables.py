"""The table that everything shows itself with."""

import numpy as np
import pytest
import torch

from gannb.tables import Folded, Table, cell_text


def test_text_is_aligned_with_numbers_to_the_right():
    table = Table(("name", "value"), [("a", 1.0), ("longer", 123.456789)], caption="scores", note="n = 2")
    assert repr(table).splitlines() == [
        "scores",
        "name    value",
        "──────  ─────",
        "a           1",
        "longer  123.5",
        "n = 2",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (False, "no"),
        (3, "3"),
        (0.1234567, "0.1235"),
        (13194.4, "13194"),
        (-10000.0, "-10000"),
        (2.5e7, "2.5e+07"),
        (np.float32(0.5), "0.5"),
        (torch.tensor(2), "2"),
        (float("nan"), "nan"),
        ("a < b", "a < b"),
    ],
)
def test_cells_read_as_a_person_writes_them(value, text):
    assert cell_text(value) == text


def test_html_escapes_what_it_is_given_and_holds_every_cell():
    shown = Table(("x<y",), [("<script>",), ("a & b",)], caption="1 < 2")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "x&lt;y" in shown
    assert "a &amp; b" in shown
    assert shown.count("<tr>") == 3


def test_markdown_holds_every_cell():
    table = Table(("a", "b"), [(1.23456, None), ("x", True)])
    assert table.markdown == "| a | b |\n|---|---|\n| 1.235 | – |\n| x | yes |"


def test_records_keep_the_order_of_first_appearance():
    table = Table.of([{"a": 1}, {"b": 2, "a": 3}])
    assert list(table.columns) == ["a", "b"]
    assert table.column("b") == [None, 2]
    assert len(table) == 2


def test_a_row_of_another_length_is_named():
    with pytest.raises(ValueError, match="row 1 has 1 values, the table has 2 columns"):
        Table(("a", "b"), [(1, 2), (3,)])


def test_an_unknown_column_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no column 'c'; there are a, b"):
        Table(("a", "b"), []).column("c")


def test_a_folded_table_unfolds_in_a_notebook_and_is_itself_as_text():
    table = Table(("a",), [(1,)])
    shown = Folded(table, "1 < 2 rows")
    assert repr(shown) == repr(table)
    assert shown._repr_html_() == f"<details><summary>1 &lt; 2 rows</summary>{table._repr_html_()}</details>"


def test_numbers_stay_on_one_line_of_a_page():
    shown = Table(("a", "b", "c"), [("3.6 ± 1.0", "15-30°", "-0.6 of five - or so")])._repr_html_()
    assert "3.6\xa0±\xa01.0" in shown and "15\N{NON-BREAKING HYPHEN}30°" in shown and "-0.6 of five - or so" in shown


def test_a_bar_in_a_cell_of_markdown_ends_no_cell():
    assert Table(("a",), [("mean |x|",)]).markdown.splitlines()[-1] == "| mean \\|x\\| |"
