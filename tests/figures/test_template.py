"""The plotly template: small, readable on light and dark, the same bytes every time."""

import plotly.graph_objects as go
import pytest
from IPython.core.formatters import DisplayFormatter

from gannb.figures.template import COLOURS, INK, MEANING, TEMPLATE, colours_of, figure, fingerprint, range_of


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_text_and_lines_read_on_light_and_dark_pages(page):
    assert contrast(INK, page) > 4.2
    assert min(contrast(colour, page) for colour in COLOURS) > 3


def test_the_buttons_over_a_figure_are_no_grey_box():
    assert TEMPLATE.layout.modebar.bgcolor == "rgba(0,0,0,0)"  # plotly's own is half of the paper's colour: black here
    assert TEMPLATE.layout.modebar.color == INK


def test_the_template_stays_small():
    assert len(TEMPLATE.to_plotly_json().__repr__()) < 680
    assert len(figure([go.Scatter(x=[0, 1], y=[0, 1], name="a")]).to_json()) < 980


def test_uids_and_bytes_are_the_same_every_time():
    def make():
        return figure([go.Scatter(y=[1, 2], name="D/loss, lr=1e-3"), go.Bar(y=[1])], title="t")

    assert make().to_json() == make().to_json()
    assert [trace.uid for trace in make().data] == ["0-D-loss-lr-1e-3", "1-bar"]


def test_fingerprint_tells_figures_apart_but_forgives_rounding():
    def made(y, name="D"):
        return fingerprint(figure([go.Scatter(x=[0, 1, 2], y=y, name=name)]))

    assert made([1, 2, 3]) == "scatter D: 3 points, x 0 … 2, y 1 … 3"
    assert made([1, 2, 3.0001]) == made([1, 2, 3])
    assert made([1, 2, 3.1]) != made([1, 2, 3])
    assert made([1, 2, 3], "G") != made([1, 2, 3])
    assert fingerprint(figure([go.Bar(x=["a", "b"], y=[float("nan")] * 2)])) == (
        "bar (unnamed): 2 points, x a … b, y nothing finite"
    )


def test_fingerprint_without_ranges_for_what_was_trained():
    shown = figure([go.Scatter(y=[1, 2], name="D")])
    assert fingerprint(shown, digits=None) == "scatter D: 2 points"


def test_a_figure_in_a_notebook_carries_its_fingerprint_as_text():
    shown = figure([go.Scatter(y=[1, 2], name="D")])
    data, metadata = DisplayFormatter().format(shown)
    assert set(data) == {"application/vnd.plotly.v1+json", "text/plain"} and metadata == {}
    assert data["text/plain"] == "scatter D: 2 points"
    assert data["application/vnd.plotly.v1+json"]["data"][0]["name"] == "D"


def test_what_means_the_same_has_one_colour_wherever_it_stands():
    assert colours_of(["D/real"]) == colours_of(["a", "b", "real"])[2:] == [COLOURS[0]]
    assert colours_of(["D/real", "something", "D/fake"]) == [COLOURS[0], COLOURS[3], COLOURS[1]]
    assert min(contrast(colour, page) for colour in MEANING.values() for page in ("#ffffff", "#111111")) > 3


@pytest.mark.parametrize("names", [["any", "other", "adaptive", "document", "learned", "fixed"], list("abcdef")])
def test_no_two_series_of_a_figure_share_a_colour(names):
    assert len({*colours_of(names)}) == len(names)
    assert len(colours_of(list("abcdefgh"))) == 8, "more than there are colours"


@pytest.mark.parametrize(("values", "shown"), [
    ([1.2e-7, 3e-7, 0.0], [-1, 1]), ([0.5, 0.5 + 1e-7], [-0.5, 1.5]), ([262.0, 262.00002], [261, 263]),
    ([1e-5, 0.0], None), ([0.5, 0.501], None), ([-300.0, -300.01], None), ([float("nan")], [-1, 1]), ([], [-1, 1]),
])  # fmt: skip
def test_rounding_does_not_fill_an_axis(values, shown):
    assert range_of(values) == (shown and pytest.approx(shown, abs=1e-3))
