"""The memory of a child process, for tests that hold it for long inputs to what it is for short ones."""

import re
import subprocess
import sys
from pathlib import Path

_WATCHED = r"""
import re, sys, threading, time
from pathlib import Path
held = []
def watch():
    while True:
        held.append(int(re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]))
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
"""


def peak(code: str, *arguments: object) -> float:
    """The most MiB that Python code holds while it runs in a process of its own; pages of mapped files are left out.

    Args:
        code: reads `sys.argv[1:]`.
        arguments: what it finds there.
    """
    argv = [sys.executable, "-c", f"{_WATCHED}\n{code}\nprint('peak:', max(held))", *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(re.search(r"peak: (\d+)", done.stdout)[1]) / 1024


def is_told() -> bool:
    """Whether this system tells it, as Linux does."""
    return Path("/proc/self/status").is_file()
