"""The widget of the live view; the page's side is `panel.js` and `panel.css`.

One custom widget rather than a tree of ipywidgets: native sliders have names for screen readers and work by keyboard.
uPlot (50 kB, in `uplot/`) draws the charts where a plotly widget adds 5 MB; nothing is loaded from the network.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Panel(anywidget.AnyWidget):
    """Shows one run and sends a person's actions as messages such as `{"do": "move", "name": …, "value": …}`.

    Attributes:
        numbers: what does not change: one `controls.describe` per number.
        colours: of the lines of a chart, in their order.
        frame: what changes, replaced at each refresh; see `gannb.widgets.live_view.LiveView`.
        picture: the newest samples; see `gannb.widgets.picture.packed`. Empty where there are none.
    """

    _esm = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("uplot/uPlot.iife.min.js", "panel.js"))
    _css = "\n".join((HERE / name).read_text(encoding="utf-8") for name in ("uplot/uPlot.min.css", "panel.css"))

    numbers: traitlets.List = traitlets.List().tag(sync=True)
    colours: traitlets.List = traitlets.List().tag(sync=True)
    frame = traitlets.Dict().tag(sync=True)
    picture = traitlets.Dict().tag(sync=True)
