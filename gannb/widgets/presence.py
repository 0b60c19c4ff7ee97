"""Is a person there to see and steer, and do their clicks arrive while a cell runs (notebooks.md)?"""

from __future__ import annotations

import importlib.metadata
import os

from gannb import ranks

DELIVERING = ((7, 1), (7, 4))
"""ipykernel from, and below: 7.1 to 7.3 hand over messages on a subshell while a cell runs; 6.31 and 7.4.0 do not."""


def watched(live: str) -> bool:
    """Whether to show anything.

    Args:
        live: "on", "off", or "auto": where JupyterLab started the kernel, and not under papermill or nbval.
    """
    if live == "off" or ranks.ranks() > 1:
        return False
    return live == "on" or ("JPY_SESSION_NAME" in os.environ and in_kernel())


def in_kernel() -> bool:
    """Whether this code runs in a Jupyter kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def version() -> str:
    """The installed ipykernel; empty where there is none."""
    try:
        return importlib.metadata.version("ipykernel")
    except importlib.metadata.PackageNotFoundError:
        return ""


def delivers(ipykernel: str) -> bool:
    """Whether a version of ipykernel hands over messages while a cell runs."""
    numbers = tuple(int(part) for part in ipykernel.split(".")[:2] if part.isdigit())
    return len(numbers) == 2 and DELIVERING[0] <= numbers < DELIVERING[1]


def notice(ipykernel: str) -> str:
    """What to tell a person whose clicks wait until the cell ends, and how to steer all the same."""
    why = f"ipykernel {ipykernel}" if not delivers(ipykernel) else "this page"
    advice = "" if delivers(ipykernel) else " (ipykernel 7.1 to 7.3 would deliver them at once)"
    return (
        f"With {why}, moves reach the run only between cells{advice}. "
        "To steer: interrupt the kernel (■), move, then run the training cell again; it goes on from there."
    )
