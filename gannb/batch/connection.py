"""Connections to the kernels that gannb starts: by sockets in the file system."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from traitlets.config import Config

LONGEST = 103
"""Bytes of such a socket's path on macOS; Linux allows four more."""


@contextmanager
def own_connection() -> Iterator[Config]:
    """A kernel manager's configuration for one kernel; its files are removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="gannb-", ignore_cleanup_errors=True) as folder:
        yield Config(ConnectionFileMixin=connection(Path(folder)))


def connection(folder: Path) -> dict[str, str]:
    """Settings of a kernel manager, with its files in a folder.

    A TCP port can be taken between its choice and its use, when two kernels start at once, and is open to everyone on
    the machine. TCP is used only where there are no such sockets, or their names would be too long.
    """
    path = folder / f"{uuid4().hex[:8]}.json"
    if sys.platform == "win32" or len(f"{path.with_suffix('')}-ipc-5".encode()) > LONGEST:
        return {}
    return {"transport": "ipc", "connection_file": str(path)}
