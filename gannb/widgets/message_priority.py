"""Messages that are handled while a cell runs: steering from a live view, and requests of a reloaded page.

A kernel queues messages behind the running cell. JupyterLab avoids that by a subshell, which it requests when a widget
is first shown; clicks before the reply, and all messages of a page without subshells, would wait until training ends.
Here the channel thread of ipykernel 7, which is idle, handles such messages itself; all others are queued as usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTROL = "jupyter.widget.control"
STATES = ("request_state", "request_states")

_installed: set[int] = set()
_prioritised: set[str] = set()


def install(kernel: Any) -> bool:
    """Handle messages on a kernel's channel thread; returns whether it has one (ipykernel 7 and newer)."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None or not hasattr(kernel, "shell_channel_thread_main"):
        return False
    if id(kernel) not in _installed:
        _installed.add(id(kernel))

        async def receive(message: list[Any]) -> None:
            if not take(kernel, message):
                await kernel.shell_channel_thread_main(message)

        thread.io_loop.add_callback(kernel.shell_stream.on_recv, receive, copy=False)
    return True


def prioritise(comm_id: str) -> None:
    """Give the messages to a widget priority; they are handled on the channel thread."""
    _prioritised.add(comm_id)


def take(kernel: Any, message: list[Any]) -> bool:
    """Handle a message that has priority; returns False for every other one, which is left as it is."""
    session = kernel.session
    try:
        sender, parts = session.feed_identities(message, copy=False)
        header, content = session.unpack(parts[1].bytes), session.unpack(parts[4].bytes)
        if not has_priority(header["msg_type"], content):
            return False
        received = session.deserialize(parts, copy=False)  # refuses what is not signed
    except (ValueError, LookupError, TypeError):
        return False  # for ipykernel to complain about
    status = {"parent": received, "ident": f"kernel.{kernel.ident}.status".encode()}
    session.send(kernel.iopub_socket, "status", {"execution_state": "busy"}, **status)
    handle(kernel, sender, received)
    session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, **status)
    return True


def has_priority(kind: str, content: Mapping[str, Any]) -> bool:
    """Whether a message steers or only requests a state: it changes nothing that a cell computes with."""
    if kind == "comm_open":
        return content.get("target_name") == CONTROL
    if kind == "comm_msg":
        method = content.get("data", {}).get("method")
        return method in STATES or (method == "custom" and content.get("comm_id") in _prioritised)
    return kind in ("kernel_info_request", "comm_info_request")


def handle(kernel: Any, sender: list[bytes], received: dict[str, Any]) -> None:
    """Do as ipykernel does: call the comm's handler, or reply on the shell channel.

    Args:
        kernel: the kernel.
        sender: identities of the sender.
        received: the message.
    """
    kind, content = received["msg_type"], received["content"]
    if kind in ("comm_open", "comm_msg"):
        return getattr(kernel.comm_manager, kind)(kernel.shell_stream, sender, received)
    if kind == "kernel_info_request":
        reply = {"status": "ok", **kernel.kernel_info}
    else:
        wanted, there = content.get("target_name"), list(kernel.comm_manager.comms.items())
        comms = {k: {"target_name": c.target_name} for k, c in there if wanted in (None, c.target_name)}
        reply = {"status": "ok", "comms": comms}
    kernel.session.send(kernel.shell_stream, kind.replace("request", "reply"), reply, received, sender)
    return None
