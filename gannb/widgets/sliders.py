"""Anything that follows from a few values, under sliders: drawn again as they move, and once where nobody watches."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gannb.widgets import presence

if TYPE_CHECKING:
    import ipywidgets

# Native controls: they have a name for screen readers and work by keyboard.
ESM = """
export default { render({ model, el }) {
  const box = document.createElement("div");
  box.style.cssText = "display:flex;flex-wrap:wrap;gap:0.4em 1.6em;align-items:center";
  for (const c of model.get("controls")) {
    const label = document.createElement("label"), shown = document.createElement("output");
    const input = document.createElement(c.choices ? "select" : "input");
    if (c.choices) c.choices.forEach(name => input.add(new Option(name, name)));
    else Object.assign(input, { type: "range", min: c.low, max: c.high, step: c.step });
    input.setAttribute("aria-label", c.name);
    input.dataset.lmSuppressShortcuts = "true"; // arrow keys are for the slider, not for the notebook
    const show = () => { input.value = model.get("values")[c.name]; shown.value = c.choices ? "" : input.value; };
    input.addEventListener("change", () => {
      model.set("values", { ...model.get("values"), [c.name]: c.choices ? input.value : Number(input.value) });
      model.save_changes();
    });
    input.addEventListener("input", () => { shown.value = c.choices ? "" : input.value; });
    model.on("change:values", show);
    show();
    label.style.cssText = "display:inline-flex;gap:0.5em;align-items:center";
    label.append(c.name, input, shown);
    box.append(label);
  }
  el.append(box);
} };
"""


@dataclass(frozen=True)
class Slider:
    """A number from `low` to `high` in steps, beginning at `start`."""

    low: float
    high: float
    step: float
    start: float


@dataclass(frozen=True)
class Choice:
    """One of several names, beginning at `start`."""

    names: Sequence[str]
    start: str


def under_sliders(draw: Callable[..., Any], controls: Mapping[str, Slider | Choice], live: str = "auto") -> Any:
    """Show what `draw` makes of some values, with a control for each where a person watches.

    Args:
        draw: gets the values by name; gives a plotly figure, or anything with an HTML form. What it refuses
            (a ValueError) is shown in words and the last picture stays.
        controls: name → slider or choice.
        live: as the run's parameter; see `gannb.widgets.presence`.

    Returns:
        What is drawn at the start, where nobody watches; else a box of the controls above it.
    """
    start = {name: control.start for name, control in controls.items()}
    if not presence.watched(live):
        return draw(**start)
    return UnderSliders(draw, controls).box


class UnderSliders:
    """The controls of `under_sliders` and what is drawn below them.

    Attributes:
        inputs: the widget of the controls; its `values` are what is drawn.
        output: what shows the drawing.
    """

    def __init__(self, draw: Callable[..., Any], controls: Mapping[str, Slider | Choice]) -> None:
        import anywidget
        import ipywidgets
        import traitlets

        class Inputs(anywidget.AnyWidget):
            _esm = ESM
            controls = traitlets.List().tag(sync=True)
            values = traitlets.Dict().tag(sync=True)

        values = {name: control.start for name, control in controls.items()}
        self.draw = draw
        self.inputs = Inputs(controls=[_described(name, control) for name, control in controls.items()], values=values)
        self.output, self.refusal = ipywidgets.Output(), ipywidgets.HTML()
        self.inputs.observe(self.show, names=["values"])
        self.show()

    @property
    def box(self) -> ipywidgets.VBox:
        """Controls, refusal and drawing, one below the other."""
        import ipywidgets

        return ipywidgets.VBox([self.inputs, self.refusal, self.output])

    def show(self, _change: object = None) -> None:
        """Draw anew with the values as they stand."""
        try:
            drawn = self.draw(**self.inputs.values)
        except ValueError as refusal:
            import html

            self.refusal.value = f"<em>{html.escape(str(refusal))}</em>"
            return
        self.refusal.value = ""
        self.output.outputs = ({"output_type": "display_data", "data": _bundle(drawn), "metadata": {}},)


def _described(name: str, control: Slider | Choice) -> dict[str, Any]:
    if isinstance(control, Choice):
        return {"name": name, "choices": list(control.names)}
    return {"name": name, "low": control.low, "high": control.high, "step": control.step}


def _bundle(drawn: Any) -> dict[str, Any]:
    """The mime bundle of a plotly figure, or of what has an HTML form."""
    if hasattr(drawn, "to_plotly_json"):
        return {"application/vnd.plotly.v1+json": json.loads(drawn.to_json())}
    return {"text/html": drawn._repr_html_(), "text/plain": repr(drawn)}
