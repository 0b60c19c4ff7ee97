"""Messages that overtake the running cell: what a person does in a live view, and a reloaded page's questions.

A kernel puts what comes in behind the running cell. JupyterLab goes round that by a subshell, which it asks for when a
widget is first shown; what was clicked before the answer, and all that a page without subshells sends, would wait until
training ends. Here the channel thread of ipykernel 7, which is free, takes such messages itself; all else goes its
usual way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTROL = "jupyter.widget.control"
STATES = ("request_state", "request_states")

_attended: set[int] = set()
_steering: set[str] = set()


def attend(kernel: Any) -> bool:
    """Have a kernel's channel thread look at what comes in; says whether it can (ipykernel 7 and newer)."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None or not hasattr(kernel, "shell_channel_thread_main"):
        return False
    if id(kernel) not in _attended:
        _attended.add(id(kernel))

        async def receive(message: list[Any]) -> None:
            if not take(kernel, message):
                await kernel.shell_channel_thread_main(message)

        thread.io_loop.add_callback(kernel.shell_stream.on_recv, receive, copy=False)
    return True


def let_steer(comm_id: str) -> None:
    """Let what a page sends to this widget overtake; it is handled on the channel thread."""
    _steering.add(comm_id)


def take(kernel: Any, message: list[Any]) -> bool:
    """Handle a message that overtakes; False for every other one, which is left as it is."""
    session = kernel.session
    try:
        asked_by, parts = session.feed_identities(message, copy=False)
        header, content = session.unpack(parts[1].bytes), session.unpack(parts[4].bytes)
        if not overtakes(header["msg_type"], content):
            return False
        taken = session.deserialize(parts, copy=False)  # refuses what is not signed
    except (ValueError, LookupError, TypeError):
        return False  # for ipykernel to complain about
    status = {"parent": taken, "ident": f"kernel.{kernel.ident}.status".encode()}
    session.send(kernel.iopub_socket, "status", {"execution_state": "busy"}, **status)
    handle(kernel, asked_by, taken)
    session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, **status)
    return True


def overtakes(kind: str, content: Mapping[str, Any]) -> bool:
    """Whether a message steers, or only asks how things stand: nothing that a cell computes could change under it."""
    if kind == "comm_open":
        return content.get("target_name") == CONTROL
    if kind == "comm_msg":
        method = content.get("data", {}).get("method")
        return method in STATES or (method == "custom" and content.get("comm_id") in _steering)
    return kind in ("kernel_info_request", "comm_info_request")


def handle(kernel: Any, asked_by: list[bytes], taken: dict[str, Any]) -> None:
    """Do what ipykernel does: a comm's own handler, or a reply on the shell channel."""
    kind, content = taken["msg_type"], taken["content"]
    if kind in ("comm_open", "comm_msg"):
        return getattr(kernel.comm_manager, kind)(kernel.shell_stream, asked_by, taken)
    if kind == "kernel_info_request":
        answered = {"status": "ok", **kernel.kernel_info}
    else:
        wanted, there = content.get("target_name"), list(kernel.comm_manager.comms.items())
        comms = {k: {"target_name": c.target_name} for k, c in there if wanted in (None, c.target_name)}
        answered = {"status": "ok", "comms": comms}
    kernel.session.send(kernel.shell_stream, kind.replace("request", "reply"), answered, taken, asked_by)
    return None
