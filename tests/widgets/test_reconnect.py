"""A kernel whose cell is busy still tells a reloaded page who it is and which widgets it has."""

import time

import pytest
from jupyter_client.manager import start_new_kernel

from gannb.widgets.reconnect import is_question

BUSY = """
import time
import ipywidgets
from IPython import get_ipython
from gannb.widgets.reconnect import attend
slider = ipywidgets.IntSlider(7)
print(attend(get_ipython().kernel), attend(get_ipython().kernel))
for _ in range(600):
    time.sleep(0.1)
"""


@pytest.mark.parametrize(
    ("kind", "content", "overtakes"),
    [
        ("kernel_info_request", {}, True),
        ("comm_info_request", {}, True),
        ("comm_open", {"target_name": "jupyter.widget.control"}, True),
        ("comm_open", {"target_name": "jupyter.widget"}, False),
        ("comm_msg", {"data": {"method": "request_states"}}, True),
        ("comm_msg", {"data": {"method": "update"}}, False),
        ("execute_request", {"code": "1"}, False),
    ],
)
def test_only_questions_overtake_the_cell(kind, content, overtakes):
    assert is_question(kind, content) is overtakes


def reply_to(client, asked: str) -> dict:
    """The answer to this question; a slow start leaves answers to earlier ones in the channel."""
    while (reply := client.get_shell_msg(timeout=20))["parent_header"]["msg_id"] != asked:
        pass
    return reply


def test_a_busy_kernel_answers():
    manager, client = start_new_kernel()
    try:
        client.execute(BUSY)
        printed = ""
        while "True True" not in printed:
            printed += str(client.get_iopub_msg(timeout=60)["content"])
        began = time.monotonic()
        reply = reply_to(client, client.comm_info())
        assert reply["msg_type"] == "comm_info_reply"
        assert "jupyter.widget" in {comm["target_name"] for comm in reply["content"]["comms"].values()}
        assert reply_to(client, client.kernel_info())["content"]["implementation"] == "ipython"

        open_control = {"comm_id": "c", "target_name": "jupyter.widget.control", "data": {}}
        client.shell_channel.send(client.session.msg("comm_open", open_control, metadata={"version": "1.0.0"}))
        ask = {"comm_id": "c", "data": {"method": "request_states"}}
        client.shell_channel.send(client.session.msg("comm_msg", ask))
        states = {}
        while not states:
            told = client.get_iopub_msg(timeout=20)
            states = told["content"].get("data", {}).get("states", {}) if told["msg_type"] == "comm_msg" else {}
        assert 7 in [widget["state"].get("value") for widget in states.values()]
        assert time.monotonic() - began < 50, "it answered only after the cell"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
