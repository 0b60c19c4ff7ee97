"""The widget of the live view; the page's side is `panel.js` and `panel.css`.

One custom widget rather than a tree of ipywidgets: native sliders have names for screen readers and work by keyboard,
curves need 40 kB per refresh where a plotly widget adds 5 MB, and nothing is loaded from the network.
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
        samples: the newest samples, a PNG; empty where there are none.
    """

    _esm = (HERE / "panel.js").read_text(encoding="utf-8")
    _css = (HERE / "panel.css").read_text(encoding="utf-8")

    numbers: traitlets.List = traitlets.List().tag(sync=True)
    colours: traitlets.List = traitlets.List().tag(sync=True)
    frame = traitlets.Dict().tag(sync=True)
    samples = traitlets.Bytes().tag(sync=True)
