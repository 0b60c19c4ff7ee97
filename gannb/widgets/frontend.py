"""The notebook's front end: whether a person watches, and whether clicks reach the kernel while a cell runs."""

from __future__ import annotations

import importlib.metadata
import os
import signal
from collections.abc import Callable
from typing import Any

from gannb import distributed
from gannb.widgets import message_priority

DELIVERING = 7
"""The first major version of ipykernel that reads messages while a cell runs; see `message_priority`."""


def is_interactive(live: str) -> bool:
    """Whether to show widgets.

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


def display(widget: Any) -> None:
    """Show a widget below the cell that runs."""
    if in_kernel():
        import IPython.display

        IPython.display.display(widget)


def prioritise(widget: Any) -> None:
    """Handle a widget's messages while a cell runs."""
    if in_kernel() and message_priority.install(_kernel()):
        message_priority.prioritise(widget.model_id)


def run_between_cells(work: Callable[[], None]) -> None:
    """Run work on the kernel's main thread once no cell runs there; it can be interrupted as a cell can.

    The kernel is shown as busy meanwhile, and cells wait for it. Without a kernel the work is done at once.
    """
    if not in_kernel():
        return work()
    kernel = _kernel()

    def cell() -> None:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored between cells
        kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "busy"})
        try:
            work()
        finally:
            kernel.session.send(kernel.iopub_socket, "status", {"execution_state": "idle"})
            signal.signal(signal.SIGINT, before)

    return kernel.io_loop.add_callback(cell)


def _kernel() -> Any:
    from IPython import get_ipython

    return get_ipython().kernel


def kernel_version() -> str:
    """The installed version of ipykernel; empty where there is none."""
    try:
        return importlib.metadata.version("ipykernel")
    except importlib.metadata.PackageNotFoundError:
        return ""


def delivers_during_cells(ipykernel: str) -> bool:
    """Whether a version of ipykernel delivers messages while a cell runs."""
    major = ipykernel.split(".")[0]
    return major.isdigit() and int(major) >= DELIVERING


def notice(ipykernel: str) -> str:
    """What to show a person whose clicks wait until the cell ends: the reason, and how to steer all the same."""
    delivers = delivers_during_cells(ipykernel)
    why = "this page" if delivers else f"ipykernel {ipykernel}"
    advice = "" if delivers else " (ipykernel 7 would deliver them at once)"
    return (
        f"With {why}, moves reach the run only between cells{advice}. "
        "To steer: interrupt the kernel (■), move, then run the training cell again; it goes on from there."
    )
