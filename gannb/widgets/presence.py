"""Is a person there to see and steer, and do their clicks arrive while a cell runs?"""

from __future__ import annotations

import importlib.metadata
import os

from gannb import distributed

DELIVERING = 7
"""The first major version of ipykernel with a thread that reads messages while a cell runs; see `overtaking`."""


def watched(live: str) -> bool:
    """Whether to show anything.

    Args:
        live: "on", "off", or "auto": where JupyterLab started the kernel, and not under papermill or nbval.
    """
    if live == "off" or distributed.ranks() > 1:
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
    major = ipykernel.split(".")[0]
    return major.isdigit() and int(major) >= DELIVERING


def notice(ipykernel: str) -> str:
    """What to tell a person whose clicks wait until the cell ends, and how to steer all the same."""
    why = f"ipykernel {ipykernel}" if not delivers(ipykernel) else "this page"
    advice = "" if delivers(ipykernel) else " (ipykernel 7 would deliver them at once)"
    return (
        f"With {why}, moves reach the run only between cells{advice}. "
        "To steer: interrupt the kernel (■), move, then run the training cell again; it goes on from there."
    )
