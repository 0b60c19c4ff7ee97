"""The source of functions and classes, shown in a notebook where they are used."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable

from IPython.display import Code


def show_source(*objects: Callable[..., object]) -> Code:
    """The source of functions, methods or classes, in their order: highlighted in a notebook, plain text elsewhere.

    Raises:
        TypeError: an object without Python source, such as a built-in function.
    """
    return Code(
        "\n\n\n".join(textwrap.dedent(inspect.getsource(thing)).rstrip() for thing in objects), language="python"
    )
