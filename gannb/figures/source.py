"""The source of functions and classes, shown in a notebook where they are used."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable

from IPython.display import Code


class _Source(Code):
    """Source whose long lines scroll, where a notebook would break them within a word."""

    def _repr_html_(self) -> str:
        return super()._repr_html_().replace("<pre>", '<pre style="white-space: pre; overflow-x: auto">', 1)

    def _repr_latex_(self) -> None:
        """None: notebooks and the report show HTML, and a third copy would only take room."""


def show_source(*objects: Callable[..., object]) -> Code:
    """The source of functions, methods or classes, in their order: highlighted in a notebook, plain text elsewhere.

    Raises:
        TypeError: an object without Python source, such as a built-in function.
    """
    return _Source(
        "\n\n\n".join(textwrap.dedent(inspect.getsource(thing)).rstrip() for thing in objects), language="python"
    )
