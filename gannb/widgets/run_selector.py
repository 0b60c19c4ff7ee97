"""Select runs: filter, sort and pick with widgets where a person watches; all of them everywhere else."""

from __future__ import annotations

from typing import Any

from gannb.comparison.catalogue import Catalogue, CatalogueError
from gannb.widgets import frontend

STYLE = {"description_width": "90px"}


class RunSelector:
    """Holds the selected `runs`; after another selection, the cells that use them have to be run again.

    Args:
        catalogue: the runs to select from.
        live: "auto", "on" or "off", as the parameter of that name.

    Attributes:
        runs: the selected runs, a catalogue.
    """

    def __init__(self, catalogue: Catalogue, live: str = "auto") -> None:
        self.catalogue = self.runs = catalogue
        if frontend.is_interactive(live):
            from IPython.display import display

            display(self.panel())

    def panel(self) -> Any:
        """The widgets: a condition, a column to sort by, the runs to pick, and the result."""
        import ipywidgets as widgets

        wide = widgets.Layout(width="95%")
        self._words = self.catalogue.words()
        self._where = widgets.Text(
            description="only where", placeholder=f"such as: {self._example()}", style=STYLE, layout=wide,
            continuous_update=False,
        )  # fmt: skip
        columns = [name for name in self.catalogue.frame.columns if name != "folder"]
        self._sort = widgets.Dropdown(options=columns, value="run", description="sorted by", style=STYLE)
        self._descending = widgets.Checkbox(description="largest first", indent=False)
        self._picked = widgets.SelectMultiple(description="runs", rows=10, style=STYLE, layout=wide)
        self._status = widgets.HTML()
        for widget in (self._where, self._sort, self._descending):
            widget.observe(self._list, "value")
        self._picked.observe(self._pick, "value")
        self._list()
        self._status.value = "All are chosen. Click one; Ctrl or Shift with a click chooses several."
        return widgets.VBox([self._where, widgets.HBox([self._sort, self._descending]), self._picked, self._status])

    def _example(self) -> str:
        """A condition that holds for some of these runs."""
        for name in (*self.catalogue.in_common(), "seed"):
            value = next(iter(self.catalogue.frame[name]), None)
            if isinstance(value, str | int | float):
                return f"{name} == {value!r}"
        return "state == 'finished'"

    def _list(self, _change: object = None) -> None:
        try:
            listed = self.catalogue.where(self._where.value).sort(self._sort.value, descending=self._descending.value)
        except CatalogueError as error:
            from html import escape

            self._status.value = f"<pre>{escape(str(error))}</pre>"
            return
        self._picked.options = [(self._words[run], run) for run in listed.frame["run"]]
        self._picked.value = tuple(listed.frame["run"])

    def _pick(self, _change: object = None) -> None:
        self.runs = self.catalogue.pick(list(self._picked.value))
        below = "select the next cell, then Run ▸ Run Selected Cell and All Below"  # this cell would start over
        self._status.value = f"{self!r}. To apply it to the cells below, run them again: {below}."

    def __repr__(self) -> str:
        return f"{len(self.runs)} of {len(self.catalogue)} runs chosen"
