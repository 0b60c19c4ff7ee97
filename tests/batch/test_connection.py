"""Where a kernel's sockets lie."""

import sys
from pathlib import Path

import pytest

from gannb.batch.connection import connection


def test_two_kernels_never_share_a_socket():
    one, two = connection(Path("/tmp/a")), connection(Path("/tmp/a"))
    assert one["transport"] == two["transport"] == "ipc" and one["connection_file"] != two["connection_file"]


def test_tcp_where_a_path_is_too_long_for_a_socket():
    """The path with `-ipc-5` in place of `.json` has at most 103 bytes, as macOS allows."""
    fits = "/" + "a" * (103 - len("/" + "/01234567-ipc-5"))
    assert connection(Path(fits)) and not connection(Path(fits + "a"))
    assert not connection(Path("/" + "ä" * 50)), "bytes count, not letters"


def test_tcp_on_windows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert connection(Path("/tmp/a")) == {}
