"""Read a growing file of a run: the rows added since the last read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Tail:
    """Reads a JSON-lines file as it grows; each row once.

    Args:
        path: such as a run's `metrics.jsonl`; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0

    def rows(self) -> list[dict[str, Any]]:
        """The rows that were added since the last call; an incomplete row waits for its end."""
        if not self.path.is_file():
            return []
        with self.path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        return [json.loads(line) for line in whole.splitlines()]
