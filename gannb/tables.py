"""A small table that shows itself: HTML in a notebook, aligned plain text everywhere else (nbval compares both).

On the ground floor, because parameters, data and scores show themselves as tables too.
"""

from __future__ import annotations

import html
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def cell_text(value: object) -> str:
    """One cell as text: `–` for None, yes/no for truth values, four significant digits for floats, large ones whole."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a NumPy or torch scalar
        return cell_text(value.item())
    if isinstance(value, float) and 1e4 <= abs(value) < 1e7:
        return f"{value:.0f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def unbroken(text: str) -> str:
    """A cell of numbers alone, such as `3.6 ± 1.0`, on one line; a text with letters may break."""
    if any(map(str.isalpha, text)):
        return text
    return re.sub(r"(?<=\d)-(?=\d)", "\N{NON-BREAKING HYPHEN}", text.replace(" ", "\N{NO-BREAK SPACE}"))


class ShownAsTable:
    """What shows itself as its `table`, in a notebook and elsewhere."""

    @abstractmethod
    def table(self) -> Table:
        """The table."""

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Args:
        columns: the names of the columns.
        rows: one sequence of values per row; floats show four significant digits (format them yourself for others).
        caption: one line above the table.
        note: one line below it, such as a protocol.

    Raises:
        ValueError: a row that has more or fewer values than there are columns.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", [tuple(row) for row in self.rows])
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {index} has {len(row)} values, the table has {len(self.columns)} columns")

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], caption: str = "", note: str = "") -> Table:
        """Build from mappings: columns in order of first appearance, a missing value is None.

        Args:
            records: one mapping per row.
            caption: one line above the table.
            note: one line below it.
        """
        records = list(records)
        columns = list(dict.fromkeys(name for record in records for name in record))
        return cls(columns, [[record.get(name) for name in columns] for record in records], caption, note)

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[Any]:
        """The values of one column.

        Raises:
            ValueError: there is no such column.
        """
        if name not in self.columns:
            raise ValueError(f"no column {name!r}; there are {', '.join(self.columns)}")
        index = list(self.columns).index(name)
        return [row[index] for row in self.rows]

    @property
    def markdown(self) -> str:
        """The rows as a Markdown table, without caption and note."""
        escaped = ([text.replace("|", "\\|") for text in line] for line in self._texts())
        head, *body = (f"| {' | '.join(line)} |" for line in escaped)
        return "\n".join([head, "|---" * len(self.columns) + "|", *body])

    def __repr__(self) -> str:
        grid = self._texts()
        widths = [max(len(line[i]) for line in grid) for i in range(len(self.columns))]
        right = self._numeric()
        lines = ["  ".join(self._pad(c, w, r) for c, w, r in zip(line, widths, right)).rstrip() for line in grid]
        lines.insert(1, "  ".join("─" * width for width in widths))
        return "\n".join([*filter(None, [self.caption]), *lines, *filter(None, [self.note])])

    def _repr_html_(self) -> str:
        head, *body = self._texts()
        align = ["right" if numeric else "left" for numeric in self._numeric()]

        def line(cells: Sequence[str], tag: str) -> str:
            return "<tr>" + "".join(  # HTML needs no end tags here, and notebooks store many tables
                f"<{tag} style=text-align:{a}>{html.escape(unbroken(c)).replace(chr(10), '<br>')}"
                for c, a in zip(cells, align)
            )

        rows = "".join(line(cells, "td") for cells in body)
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        note = "".join(f"<p><small>{html.escape(line)}</small></p>" for line in self.note.splitlines())
        return f"<table>{caption}<thead>{line(head, 'th')}</thead><tbody>{rows}</table>{note}"

    def _texts(self) -> list[list[str]]:
        return [list(self.columns), *([cell_text(value) for value in row] for row in self.rows)]

    def _numeric(self) -> list[bool]:
        """Which columns hold numbers only: those are aligned to the right."""
        is_number: Callable[[Any], bool] = lambda v: not isinstance(v, bool | str) and hasattr(v, "__float__")  # noqa: E731
        columns = ([row[i] for row in self.rows if row[i] is not None] for i in range(len(self.columns)))
        return [bool(values) and all(map(is_number, values)) for values in columns]

    @staticmethod
    def _pad(text: str, width: int, right: bool) -> str:
        return text.rjust(width) if right else text.ljust(width)


@dataclass(frozen=True)
class Folded:
    """What shows itself, such as a long table, behind a line that unfolds it in a notebook; as text it is unfolded.

    Args:
        shown: anything with `_repr_html_`.
        summary: the line.
    """

    shown: Any
    summary: str

    def __repr__(self) -> str:
        return repr(self.shown)

    def _repr_html_(self) -> str:
        return f"<details><summary>{html.escape(self.summary)}</summary>{self.shown._repr_html_()}</details>"
