"""Pages of `docs/` as a reader follows them: files and cells, written into a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Block:
    """A code block: its language, the paragraph before it, the file that this paragraph ends with (or ""), its code."""

    language: str
    before: str
    file: str
    code: str


def blocks(text: str) -> list[Block]:
    """The code blocks of a page, in order."""
    found = []
    for match in re.finditer(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        before = text[: match.start()].strip().rpartition("\n\n")[2]
        file = re.search(r"`([\w./]+)`(?:, [^`\n]*)?:$", before)
        found.append(Block(match[1], before, file[1] if file else "", match[2].strip("\n")))
    return found


def copied(root: Path, home: Path) -> Path:
    """A copy of the package in a folder, with its presets' folder."""
    shutil.copytree(root / "gannb", home / "gannb", ignore=shutil.ignore_patterns("__pycache__"))
    return home


def written(home: Path, file: str, code: str) -> Path:
    """Write a file of the page into the copy."""
    path = home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code + "\n", encoding="utf-8")
    return path


def python(home: Path, *argv: str) -> subprocess.CompletedProcess:
    """Run Python in the copy, with the copy's package."""
    environment = {k: v for k, v in os.environ.items() if k != "GANNB_RUNS"} | {"PYTHONPATH": str(home)}
    command = [sys.executable, *argv]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=300)


def joined(code: str) -> str:
    """Shell commands, each on one line, as the shell reads them."""
    return code.replace("\\\n", "")
