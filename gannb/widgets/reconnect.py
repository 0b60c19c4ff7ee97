"""Let a page that is loaded again find its widgets while a cell runs.

JupyterLab first asks the kernel who it is, which widgets there are and how they stand. It asks before it has a
subshell to ask on, so ipykernel puts these questions behind the running cell, and the page would stand at "Loading
widget…" until training ends. Here the channel thread, which is free, answers them; all else goes its usual way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTROL = "jupyter.widget.control"
STATES = ("request_state", "request_states")

_attended: set[int] = set()


def attend(kernel: Any) -> bool:
    """Have a kernel answer such questions at once; says whether it can (it needs the channel thread of ipykernel 7)."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None or not hasattr(kernel, "shell_channel_thread_main"):
        return False
    if id(kernel) not in _attended:
        _attended.add(id(kernel))

        async def receive(message: list[Any]) -> None:
            if not answer(kernel, message):
                await kernel.shell_channel_thread_main(message)

        thread.io_loop.add_callback(kernel.shell_stream.on_recv, receive, copy=False)
    return True


def answer(kernel: Any, message: list[Any]) -> bool:
    """Answer one of these questions; False for every other message, which is left as it is."""
    session = kernel.session
    try:
        asked_by, parts = session.feed_identities(message, copy=False)
        header, content = session.unpack(parts[1].bytes), session.unpack(parts[4].bytes)
        if header.get("subshell_id") or not is_question(header["msg_type"], content):
            return False
        question = session.deserialize(parts, copy=False)  # refuses what is not signed
    except (ValueError, LookupError, TypeError):
        return False  # for ipykernel to complain about
    status = {"parent": question, "ident": f"kernel.{kernel.ident}.status".encode()}
    session.send(kernel.iopub_socket, "status", {"execution_state": "busy"}, **status)
    reply(kernel, asked_by, question)
    session.send(kernel.iopub_socket, "status", {"execution_state": "idle"}, **status)
    return True


def is_question(kind: str, content: Mapping[str, Any]) -> bool:
    """Whether a message only asks how things stand, so that it may overtake the running cell."""
    if kind == "comm_open":
        return content.get("target_name") == CONTROL
    if kind == "comm_msg":
        return content.get("data", {}).get("method") in STATES
    return kind in ("kernel_info_request", "comm_info_request")


def reply(kernel: Any, asked_by: list[bytes], question: dict[str, Any]) -> None:
    """Give the answer: for a comm, what its own handler sends; else a reply on the shell channel."""
    kind, content = question["msg_type"], question["content"]
    if kind in ("comm_open", "comm_msg"):
        return getattr(kernel.comm_manager, kind)(kernel.shell_stream, asked_by, question)
    if kind == "kernel_info_request":
        answered = {"status": "ok", **kernel.kernel_info}
    else:
        wanted, there = content.get("target_name"), list(kernel.comm_manager.comms.items())
        comms = {k: {"target_name": c.target_name} for k, c in there if wanted in (None, c.target_name)}
        answered = {"status": "ok", "comms": comms}
    kernel.session.send(kernel.shell_stream, kind.replace("request", "reply"), answered, question, asked_by)
    return None
