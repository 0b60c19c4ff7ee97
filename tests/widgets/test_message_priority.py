"""A kernel whose cell is busy still hears who steers, and tells a reloaded page who it is and which widgets it has."""

import time

import pytest
from jupyter_client.manager import start_new_kernel

from gannb.widgets.message_priority import has_priority, prioritise

BUSY = """
import time
import ipywidgets
from IPython import get_ipython
from gannb.widgets.message_priority import install, prioritise
slider, steered, other = ipywidgets.IntSlider(7), ipywidgets.Label(), ipywidgets.Label()
steered.on_msg(lambda _, message, __: setattr(slider, "value", message["value"]))
other.on_msg(lambda _, message, __: setattr(slider, "value", -1))
print(install(get_ipython().kernel), install(get_ipython().kernel))
prioritise(steered.model_id)
print("comms", steered.model_id, other.model_id, "end")
for _ in range(600):
    time.sleep(0.1)
"""


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("kernel_info_request", {}, True),
        ("comm_info_request", {}, True),
        ("comm_open", {"target_name": "jupyter.widget.control"}, True),
        ("comm_open", {"target_name": "jupyter.widget"}, False),
        ("comm_msg", {"data": {"method": "request_states"}}, True),
        ("comm_msg", {"comm_id": "panel", "data": {"method": "custom"}}, True),
        ("comm_msg", {"comm_id": "another", "data": {"method": "custom"}}, False),
        ("comm_msg", {"comm_id": "panel", "data": {"method": "update"}}, False),
        ("execute_request", {"code": "1"}, False),
    ],
)
def test_only_steering_and_questions_overtake_the_cell(kind, content, expected):
    prioritise("panel")
    assert has_priority(kind, content) is expected


@pytest.fixture(scope="module")
def busy():
    """A client of a kernel whose cell runs for a minute, and the comms of two widgets, the first of which steers."""
    manager, client = start_new_kernel()
    try:
        client.execute(BUSY)
        printed = ""
        while "end" not in printed:
            said = client.get_iopub_msg(timeout=60)
            printed += said["content"]["text"] if said["msg_type"] == "stream" else ""
        assert "True True" in printed
        client.began = time.monotonic()
        yield client, printed.split("comms ")[1].split()[:2]
        assert time.monotonic() - client.began < 50, "it answered only after the cell"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def send(client, kind: str, content: dict) -> None:
    client.shell_channel.send(client.session.msg(kind, content, metadata={"version": "1.0.0"}))


def reply_to(client, asked: str) -> dict:
    """The answer to this question; a slow start leaves answers to earlier ones in the channel."""
    while (reply := client.get_shell_msg(timeout=20))["parent_header"]["msg_id"] != asked:
        pass
    return reply


def values(client) -> list:
    """The values of all widgets, asked for as a reloaded page does."""
    send(client, "comm_open", {"comm_id": "c", "target_name": "jupyter.widget.control", "data": {}})
    send(client, "comm_msg", {"comm_id": "c", "data": {"method": "request_states"}})
    states = {}
    while not states:
        told = client.get_iopub_msg(timeout=20)
        states = told["content"].get("data", {}).get("states", {}) if told["msg_type"] == "comm_msg" else {}
    return [widget["state"].get("value") for widget in states.values()]


def test_a_busy_kernel_answers(busy):
    client, _ = busy
    reply = reply_to(client, client.comm_info())
    assert reply["msg_type"] == "comm_info_reply"
    assert "jupyter.widget" in {comm["target_name"] for comm in reply["content"]["comms"].values()}
    assert reply_to(client, client.kernel_info())["content"]["implementation"] == "ipython"
    assert 7 in values(client)


def test_a_busy_kernel_hears_who_steers_and_nobody_else(busy):
    client, (steered, other) = busy
    for comm, value in ((other, -1), (steered, 3)):  # without a subshell, as a page sends that has none (yet)
        send(client, "comm_msg", {"comm_id": comm, "data": {"method": "custom", "content": {"value": value}}})
    assert 3 in (found := values(client)) and -1 not in found


def test_what_is_not_signed_is_not_heard(busy):
    client, (steered, _) = busy
    client.session.key, key = b"another", client.session.key
    send(client, "comm_msg", {"comm_id": steered, "data": {"method": "custom", "content": {"value": 99}}})
    client.session.key = key
    assert 99 not in values(client)
