"""The panel's two halves meet here: what the kernel shows, and what the page (`panel.js`, `panel.css`) makes of it.

One widget of our own rather than a tree of stock ones: native sliders have a name for screen readers and work by
keyboard, curves cost 40 kB a refresh where a plotly widget adds 5 MB, and nothing is asked of the network.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Panel(anywidget.AnyWidget):
    """Shows one run and tells what a person does, as messages such as `{"do": "move", "name": …, "value": …}`.

    Attributes:
        numbers: what does not change: one `controls.declared` a number.
        colours: of the lines of a chart, in their order.
        frame: what changes, replaced as a whole at each refresh; see `gannb.widgets.live_view.LiveView`.
        samples: the newest samples, a PNG; empty where there are none.
    """

    _esm = (HERE / "panel.js").read_text(encoding="utf-8")
    _css = (HERE / "panel.css").read_text(encoding="utf-8")

    numbers = traitlets.List().tag(sync=True)
    colours = traitlets.List().tag(sync=True)
    frame = traitlets.Dict().tag(sync=True)
    samples = traitlets.Bytes().tag(sync=True)
