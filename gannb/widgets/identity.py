"""The what-if panel of the identity experiment: one face on the yaw axis, under three sliders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gannb.data.faces import Faces
from gannb.figures.identity import what_if
from gannb.training.trainer import Trainer
from gannb.widgets import presence

if TYPE_CHECKING:
    import ipywidgets
    import plotly.graph_objects as go

# Native sliders: they have a name for screen readers and work by keyboard (notebooks.md, "Training and widgets").
ESM = """
export default { render({ model, el }) {
  for (const name of ["face", "removal", "blend"]) {
    const label = document.createElement("label"), slider = document.createElement("input");
    const shown = document.createElement("output");
    Object.assign(slider, { type: "range", min: 0, max: name === "face" ? model.get("last") : 1 });
    slider.step = name === "face" ? 1 : 0.01;
    slider.setAttribute("aria-label", name);
    slider.dataset.lmSuppressShortcuts = "true"; // arrows are for the slider, not for the notebook
    const show = () => { slider.value = model.get(name); shown.value = model.get(name); };
    slider.addEventListener("change", () => { model.set(name, Number(slider.value)); model.save_changes(); });
    slider.addEventListener("input", () => { shown.value = slider.value; });
    model.on("change:" + name, show);
    show();
    label.style.cssText = "display:inline-flex;gap:0.5em;margin-right:2em;align-items:center";
    label.append(name, slider, shown);
    el.append(label);
  }
} };
"""


def what_if_panel(trainer: Trainer, faces: Faces, *, face: int) -> go.Figure | ipywidgets.VBox:
    """Show what would be removed from one face at other angles; with sliders where a person watches.

    The sliders move nothing in the run. Each move looks at the network as it stands then.

    Args:
        trainer: of a run of `identity`.
        faces: with targets.
        face: position of the face shown first.

    Returns:
        The figure alone under papermill and nbval; the figure below its sliders in JupyterLab.
    """
    values = trainer.numbers.values()
    chosen = {"face": face, "removal": values["removal"], "blend": values["blend"]}
    if not presence.watched(trainer.run.params.live):
        return _drawn(trainer, faces, chosen)
    return _with_sliders(trainer, faces, chosen)


def _drawn(trainer: Trainer, faces: Faces, chosen: dict[str, Any]) -> go.Figure:
    return what_if(trainer.network("model"), faces, chosen["face"], removal=chosen["removal"], blend=chosen["blend"])


def _with_sliders(trainer: Trainer, faces: Faces, chosen: dict[str, Any]) -> ipywidgets.VBox:
    import anywidget
    import ipywidgets
    import traitlets

    class Sliders(anywidget.AnyWidget):
        _esm = ESM
        last = traitlets.Int().tag(sync=True)
        face = traitlets.Int().tag(sync=True)
        removal = traitlets.Float().tag(sync=True)
        blend = traitlets.Float().tag(sync=True)

    sliders, output = Sliders(last=len(faces) - 1, **chosen), ipywidgets.Output()

    def draw(_change: object = None) -> None:
        shown = _drawn(trainer, faces, {name: getattr(sliders, name) for name in chosen})
        bundle = {"application/vnd.plotly.v1+json": json.loads(shown.to_json())}
        output.outputs = ({"output_type": "display_data", "data": bundle, "metadata": {}},)

    sliders.observe(draw, names=list(chosen))
    draw()
    return ipywidgets.VBox([sliders, output])
