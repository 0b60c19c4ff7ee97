"""The source of functions and classes, shown in a notebook where they are used."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable

from IPython.display import Code


class _Source(Code):
    """Source whose long lines scroll, where a notebook would break them in a word; with the styles it uses alone."""

    def _repr_html_(self) -> str:
        styles, end, code = super()._repr_html_().partition("</style>")
        used = {"output_html", *re.findall(r'class="(\w+)"', code)}
        kept = (line for line in styles.splitlines() if used.issuperset(re.findall(r"\.(\w+) \{", line)))
        code = code.replace("<pre>", '<pre style="white-space: pre; overflow-x: auto">', 1)
        return "\n".join(kept) + end + code

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
