"""Parameters that name something on this machine: data, weights, logs. They are looked for before anything starts."""

from __future__ import annotations

import os
import re
from ctypes import CDLL, byref, c_int
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """What a text parameter may name.

    Attributes:
        words: names that stand for no file, such as "synthetic"; "" where it may be empty.
        suffixes: of a file; none where no file is allowed.
        folder: what a folder has to hold, in words; empty where no folder is allowed.
        prefixed: whether any file is allowed with a name in front, as in "resnet=weights.pt".
    """

    words: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    folder: str = ""
    prefixed: bool = False

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        file = "NAME=FILE" if self.prefixed else f"a {' or '.join(self.suffixes)} file" if self.suffixes else ""
        folder = f"a folder of {self.folder}" if self.folder else ""
        return " | ".join(filter(None, (*self.words, folder, file)))

    def fault(self, value: str) -> str | None:
        """Why there is no such thing on this machine; None where there is."""
        if value in self.words:
            return None
        prefix, _, path = value.partition("=") if self.prefixed else ("", "", value)
        if not path or (self.prefixed and not prefix):
            return "unknown"
        if ".npz" in self.suffixes:
            path = re.sub(r"\.npz:[^/]+$", ".npz", path)  # one array of several
        try:
            return self._fault_at(Path(path).expanduser())
        except (OSError, ValueError, RuntimeError) as error:  # too long, NUL characters, no home folder
            return f"no path ({getattr(error, 'strerror', None) or error})"

    def _fault_at(self, path: Path) -> str | None:
        if path.is_dir():
            return ("an empty folder" if not _holds_files(path) else None) if self.folder else "a folder"
        if not path.exists():
            return "no such file or folder" if self.folder else "no such file"
        if self.prefixed or path.suffix.lower() in self.suffixes:
            return None
        return f"a {path.suffix} file" if path.suffix else "a file without a suffix"


def _holds_files(folder: Path) -> bool:
    """Whether a folder or one below it holds a file; hidden ones do not count."""
    for at, folders, files in os.walk(folder, followlinks=True):
        if any(not name.startswith(".") and os.path.isfile(os.path.join(at, name)) for name in files):
            return True
        folders[:] = [name for name in folders if not name.startswith(".")]
    return False


def cuda_devices() -> int | None:
    """How many CUDA devices torch will find, without loading torch; None where only torch can say (AMD)."""
    torch = find_spec("torch")
    version = Path(torch.origin).with_name("version.py").read_text(encoding="utf-8") if torch and torch.origin else ""
    if re.search(r"^hip\b.*=\s*['\"]", version, re.MULTILINE):
        return None
    if not re.search(r"^cuda\b.*=\s*['\"]", version, re.MULTILINE):
        return 0
    try:
        driver, count = CDLL("libcuda.so.1"), c_int()
    except OSError:
        return 0
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(byref(count)) == 0 else 0
