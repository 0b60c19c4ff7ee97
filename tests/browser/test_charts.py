"""How the live view chooses the range of a chart's y axis."""

from pathlib import Path

import pytest

import gannb.widgets

PANEL = Path(gannb.widgets.__file__).parent / "panel.js"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=PANEL.read_text(encoding="utf-8").replace("export default", "globalThis.panel ="))
    yield page
    page.close()


@pytest.mark.parametrize(("low", "high", "shown"), [
    (1.2e-7, 3e-7, [0, 1]), (-2e-7, 1e-7, [-1, 1]), (0, 0, [0, 1]),  # rounding of what should be 0
    (0.9, 0.9 + 1e-8, [0.81, 0.99]), (-50, -50.00001, [-55, -45]),  # rounding of what stays
    (0, 2e-5, [0, 2.1e-5]), (0.2, 0.6, [0.18, 0.62]), (-1, 1, [-1.1, 1.1]),  # what varies fills the axis
])  # fmt: skip
def test_rounding_does_not_fill_an_axis(page, low, high, shown):
    low, high = sorted((low, high))
    assert page.evaluate("([low, high]) => yRange(low, high, false, false)", [low, high]) == pytest.approx(
        shown, rel=1e-4, abs=1e-6
    )


def test_rounding_is_not_drawn_over_decades(page):
    decades = page.evaluate("[[1e-10, 3e-7], [1e-7, 0.1], [0.01, 0.5], [0, 1]].map(ends => spansDecades(...ends))")
    assert decades == [False, True, False, False]
