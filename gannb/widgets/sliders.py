"""A drawing under sliders: drawn again as they move, and once where nobody watches."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gannb.widgets import frontend


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


def with_controls(
    draw: Callable[..., Any], controls: Mapping[str, Slider | Choice], live: str = "auto", *, continuous: bool = False
) -> Any:
    """Show a drawing that depends on a few values, with a control for each where a person watches.

    Args:
        draw: takes the values by name; returns a plotly figure, or anything that shows itself in a notebook. Where it
            raises a ValueError, the message is shown and the last drawing stays.
        controls: name → slider or choice.
        live: as the run's parameter; see `gannb.widgets.frontend`.
        continuous: draw while a slider is dragged, not only when it is released.

    Returns:
        Where nobody watches, the drawing of the starting values; else a box of controls and drawing.
    """
    if not frontend.is_interactive(live):
        return draw(**{name: control.start for name, control in controls.items()})
    return ControlledFigure(draw, controls, continuous=continuous).box


class ControlledFigure:
    """The controls of `with_controls` and the drawing below them.

    Args:
        draw: takes the values by name, returns the drawing.
        controls: name → slider or choice.
        continuous: draw while a slider is dragged.

    Attributes:
        inputs: the widget of the controls; its `values` are those that are drawn.
        output: what shows the drawing.
        refusal: what shows why some values cannot be drawn.
        box: the three of them.
    """

    def __init__(
        self, draw: Callable[..., Any], controls: Mapping[str, Slider | Choice], *, continuous: bool = False
    ) -> None:
        import anywidget
        import ipywidgets
        import traitlets

        class Inputs(anywidget.AnyWidget):
            _esm = Path(__file__).with_suffix(".js")
            controls: traitlets.List = traitlets.List().tag(sync=True)
            values = traitlets.Dict().tag(sync=True)
            continuous = traitlets.Bool().tag(sync=True)

        self.draw = draw
        self.inputs = Inputs(
            controls=[_described(name, control) for name, control in controls.items()],
            values={name: control.start for name, control in controls.items()},
            continuous=continuous,
        )
        self.output, self.refusal = ipywidgets.Output(), ipywidgets.HTML()
        self.box = ipywidgets.VBox([self.inputs, self.refusal, self.output])
        self.inputs.observe(self.show, names=["values"])
        self.show()

    def show(self, _change: object = None) -> None:
        """Draw the current values."""
        try:
            drawn = self.draw(**self.inputs.values)
        except ValueError as refusal:
            self.refusal.value = f"<em>{html.escape(str(refusal))}</em>"
            return
        self.refusal.value = ""
        data, metadata = _bundle(drawn)
        self.output.outputs = ({"output_type": "display_data", "data": data, "metadata": metadata},)


def _described(name: str, control: Slider | Choice) -> dict[str, Any]:
    if isinstance(control, Choice):
        return {"name": name, "choices": list(control.names)}
    return {"name": name, "low": control.low, "high": control.high, "step": control.step}


def _bundle(drawn: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The mime bundle of a drawing, and its metadata."""
    if hasattr(drawn, "to_plotly_json"):
        return {"application/vnd.plotly.v1+json": json.loads(drawn.to_json())}, {}
    if hasattr(drawn, "_repr_mimebundle_"):
        return drawn._repr_mimebundle_()
    return {"text/html": drawn._repr_html_(), "text/plain": repr(drawn)}, {}
