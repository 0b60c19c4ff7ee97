"""The live view in a page without a kernel: which charts there are, the ranges of their axes, their colours."""

from pathlib import Path

import pytest

import gannb.widgets

HERE = Path(gannb.widgets.__file__).parent
GIVEN = """
const values = value => new DataView(Float32Array.of(value, value + 1).buffer);
const lines = [{ name: "D", x: values(1), y: values(3), last: "4" }];
const charts = titles => titles.map(title => ({ title, says: "", bounded: false, lines }));
const stopped = {
  state: "stopped", running: false, answered: true, notice: "", limit: 0, step: 2, target: 9, epoch: 1, seconds: 1,
  rate: 0, left: null, numbers: [], checkpoints: [], messages: [], refused: {}, marks: [], paths: [],
};
"""
SHOWN = """sent => {
  const panel = chartPanel({ get: name => (name === "colours" ? ["#3d85c6"] : []) });
  document.body.append(panel.element);
  for (const titles of sent) panel.update({ ...stopped, charts: charts(titles) });
  return [...panel.element.querySelectorAll("figure b")].map(title => title.innerText);
}"""
STANDING = """() => {
  const profile = { title: "by angle", x_title: "degrees", lines };
  const state = {
    numbers: [], colours: ["#3d85c6"],
    frame: { ...stopped, charts: charts(["loss"]) }, picture: { label: "step 2", profile },
  };
  const el = document.body.appendChild(document.createElement("div"));
  globalThis.panel.render({ model: { get: name => state[name], on() {}, off() {}, send() {} }, el });
}"""
TEXTS = """() => [...document.querySelectorAll(".gannb-live canvas")].map(canvas => {  // how light, 0 to 255
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const text = [];
  for (let i = 0; i < data.length; i += 4) {
    const [red, green, blue, alpha] = data.slice(i, i + 4);
    if (alpha > 100 && Math.max(red, green, blue) - Math.min(red, green, blue) < 16) text.push(green);
  }
  return text.sort((a, b) => a - b)[text.length >> 1];
})"""
THEMES = """
body { --jp-ui-font-color2: rgb(0, 0, 0); }
body[data-jp-theme-name="Dark"] { --jp-ui-font-color2: rgb(255, 255, 255); }
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    for name in ("uplot/uPlot.iife.min.js", "panel.js"):
        source = (HERE / name).read_text(encoding="utf-8")
        page.add_script_tag(content=source.replace("export default", "globalThis.panel ="))
    page.add_script_tag(content=GIVEN)
    page.add_style_tag(content=(HERE / "panel.css").read_text(encoding="utf-8") + THEMES)
    yield page
    page.close()


def test_what_stands_takes_the_colours_of_a_new_theme(page):
    """A run that trains no more sends nothing that would draw its charts and its picture again."""
    page.evaluate(STANDING)
    for theme, expected in (("Light", [0, 0]), ("Dark", [255, 255]), ("Light", [0, 0])):
        page.evaluate("theme => document.body.dataset.jpThemeName = theme", theme)
        page.wait_for_timeout(300)
        assert page.evaluate(TEXTS) == expected


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


def test_a_logarithmic_axis_begins_and_ends_at_a_tick(page):
    assert page.evaluate("yRange(0.19, 28, true, false)") == [0.1, 30]


def test_rounding_is_not_drawn_over_decades(page):
    decades = page.evaluate("[[1e-10, 3e-7], [1e-7, 0.1], [0.01, 0.5], [0, 1]].map(ends => spansDecades(...ends))")
    assert decades == [False, True, False, False]
