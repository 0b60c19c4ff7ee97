"""Ports for processes that tests start."""

import secrets
import socket


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at, below those that systems give away by themselves meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
