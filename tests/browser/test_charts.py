"""The live view's charts in a page without a kernel: which there are, and the ranges of their y axes."""

from pathlib import Path

import pytest

import gannb.widgets

HERE = Path(gannb.widgets.__file__).parent
SHOWN = """sent => {
  const panel = chartPanel({ get: name => (name === "colours" ? ["#3d85c6"] : []) });
  const values = value => new DataView(Float32Array.of(value, value + 1).buffer);
  const lines = [{ name: "D", x: values(1), y: values(3), last: "4" }];
  document.body.append(panel.element);
  for (const titles of sent) {
    const charts = titles.map(title => ({ title, says: "", bounded: false, lines }));
    panel.update({ marks: [], paths: [], step: 2, charts });
  }
  return [...panel.element.querySelectorAll("figure b")].map(title => title.innerText);
}"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    for name in ("uplot/uPlot.iife.min.js", "panel.js"):
        source = (HERE / name).read_text(encoding="utf-8")
        page.add_script_tag(content=source.replace("export default", "globalThis.panel ="))
    yield page
    page.close()


def test_a_chart_that_gave_way_to_another_is_gone(page):
    assert page.evaluate(SHOWN, [["loss", "moved"], ["loss", "W_train"]]) == ["loss", "W_train"]


@pytest.mark.parametrize(("low", "high", "shown"), [
    (1.2e-7, 3e-7, [0, 1]), (-2e-7, 1e-7, [-1, 1]), (0, 0, [0, 1]),  # rounding of what should be 0
    (0.9, 0.9 + 1e-8, [0.81, 0.99]), (-50.00001, -50, [-55, -45]),  # rounding of what stays
    (0, 2e-5, [0, 2.1e-5]), (0.2, 0.6, [0.18, 0.62]), (-1, 1, [-1.1, 1.1]),  # what varies fills the axis
])  # fmt: skip
def test_rounding_does_not_fill_an_axis(page, low, high, shown):
    found = page.evaluate("([low, high]) => yRange(low, high, false, false)", [low, high])
    assert found == pytest.approx(shown, rel=1e-4, abs=1e-6)


def test_rounding_is_not_drawn_over_decades(page):
    decades = page.evaluate("[[1e-10, 3e-7], [1e-7, 0.1], [0.01, 0.5], [0, 1]].map(ends => spansDecades(...ends))")
    assert decades == [False, True, False, False]
