"""Curves: values arrive unchanged, bands span the seeds, long series keep their spikes."""

import numpy as np
import pytest

from gannb.figures.curves import curves


def test_a_line_holds_the_values_it_was_given():
    shown = curves({"D": [3.0, 2.0, 1.0], "G": ([10, 20], [5.0, 6.0])}, log_y=True, y_title="loss")
    assert [trace.name for trace in shown.data] == ["D", "G"]
    np.testing.assert_array_equal(shown.data[0].y, [3, 2, 1])
    np.testing.assert_array_equal(shown.data[1].x, [10, 20])
    assert shown.layout.yaxis.type == "log"
    assert shown.layout.yaxis.title.text == "loss"


def test_a_band_spans_the_seeds_around_their_mean():
    around, line = curves({"D": [[1.0, 1.0], [5.0, 5.0]]}).data
    np.testing.assert_allclose(line.y, [3, 3])
    np.testing.assert_allclose([min(around.y), max(around.y)], [1, 5], rtol=1e-6)
    assert around.name == "D, 2 seeds"


def test_thinning_keeps_the_spikes_and_the_size_small():
    values = np.sin(np.arange(50_000) / 500)
    values[31_234] = 40
    values[31_235] = -40
    shown = curves({"D": values})
    assert len(shown.data[0].x) <= 500
    assert (max(shown.data[0].y), min(shown.data[0].y)) == (40, -40)
    assert shown.data[0].x[np.argmax(shown.data[0].y)] == 31_234
    assert len(shown.to_json()) < 15_000


def test_levels_and_marks_are_drawn_where_they_were_asked_for():
    shown = curves({"D": [1.0, 2.0]}, levels={"floor": 0.325}, marks={"mixed precision": 1})
    assert {shape.y0 for shape in shown.layout.shapes} >= {0.325}
    assert {shape.x0 for shape in shown.layout.shapes} >= {1}
    assert {note.text for note in shown.layout.annotations} == {"floor", "mixed precision"}
    mark = next(note for note in shown.layout.annotations if note.text == "mixed precision")
    assert (mark.y, mark.yanchor) == (1, "bottom"), "above the plot, clear of its lines"
    titled = curves({"D": [1.0, 2.0]}, title="t", marks={"m": 1}).layout.annotations[0]
    assert titled.yanchor != "bottom", "the title stands there"


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="D: 2 steps, but 3 values"):
        curves({"D": ([1, 2], [1.0, 2.0, 3.0])})
    with pytest.raises(ValueError, match="D: values have 3 dimensions"):
        curves({"D": np.zeros((2, 2, 2))})


def test_a_series_on_the_right_has_an_axis_of_its_own():
    shown = curves({"W": [1.0, 2.0], "FGD": [300.0, 200.0]}, right=["FGD"])
    assert [trace.yaxis for trace in shown.data] == [None, "y2"]
    assert (shown.layout.yaxis2.side, shown.layout.yaxis2.title.text) == ("right", "FGD")
    with pytest.raises(ValueError, match="right: no series KID; there are: W, FGD"):
        curves({"W": [1.0], "FGD": [2.0]}, right=["KID"])


def test_the_name_of_a_level_stands_at_its_line_on_a_logarithmic_axis_too():
    shown = curves({"p": [1.0, 0.01]}, log_y=True, levels={"0.05": 0.05})
    assert shown.layout.shapes[0].y0 == 0.05 and shown.layout.annotations[0].y == pytest.approx(-1.301, abs=1e-3)


def place(shown, name):
    note = next(note for note in shown.layout.annotations if note.text == name)
    return {"bottom": "above", "top": "below"}[note.yanchor], note.xanchor


@pytest.mark.parametrize(("values", "expected"), [
    ([0.9, 0.1, 0.1], ("above", "right")),  # clear of it there
    ([0.1, 0.9, 0.53], ("above", "left")),  # it ends where the name would stand
    ([0.9, 0.53, 0.53, 0.53, 0.53, 0.54, 0.53], ("below", "right")),
    ([0.54, 0.56, 0.9, 0.1, 0.55, 0.45], ("below", "left")),
])  # fmt: skip
def test_the_name_of_a_level_stands_clear_of_the_lines(values, expected):
    around = {"lowest": [0.0] * len(values), "highest": [1.0] * len(values)}
    assert place(curves({"D": values} | around, levels={"chance": 0.5}), "chance") == expected


def test_the_name_of_a_level_stands_clear_of_lines_on_the_other_axis_and_of_other_levels():
    beside = {"D": [0.0, 0.1, 1.0, 1.0], "FGD": [100.0, 180.0, 143.0, 143.0]}
    assert place(curves(beside, levels={"half": 0.5}, right=["FGD"]), "half") != ("above", "right")
    close = curves({"D": [0.0, 1.0, 1.0]}, levels={"one": 0.5, "two": 0.54})
    assert (place(close, "one")[0], place(close, "two")[0]) == ("below", "above")


def test_rounding_does_not_fill_the_axis():
    assert curves({"physics": [1e-7, 3e-7]}).layout.yaxis.range == pytest.approx((-1, 1), abs=1e-3)
    assert curves({"physics": [1e-7, 3e-7]}, levels={"aim": 2.0}).layout.yaxis.range is None, "the level is seen too"
    assert curves({"physics": [1e-7, 3e-7]}, log_y=True).layout.yaxis.range is None
    right = curves({"loss": [1.0, 2.0], "physics": [0.0, 1e-7]}, right=["physics"]).layout
    assert right.yaxis.range is None and right.yaxis2.range == pytest.approx((-1, 1), abs=1e-3)


def test_a_long_title_of_an_upright_axis_is_wrapped():
    title = "Fréchet distance on autoencoder features of 60 against all real images"
    lines = curves({"a": [1.0, 2.0]}, y_title=title).layout.yaxis.title.text.split("<br>")
    assert " ".join(lines) == title and max(map(len, lines)) <= 36
