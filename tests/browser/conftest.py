"""JupyterLab with a token on 127.0.0.1, and a headless Chromium; skipped with a reason where there is no browser."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
)
QUIET = {  # what asks a person something, or the network for news
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    port: int
    token: str
    folder: Path

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def ask(self, method: str, path: str, body: object = None) -> object:
        """Call its REST interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address(path), data, method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def setting(self, plugin: str, **values: object) -> None:
        """Change a person's settings, as the settings editor does."""
        self.ask("PUT", f"lab/api/settings/{plugin}", {"raw": json.dumps(values)})


@pytest.fixture(scope="session")
def executable() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("no browser found (looked for chromium, chromium-browser, google-chrome)")


@pytest.fixture(scope="session")
def lab(tmp_path_factory, executable):
    """One JupyterLab for all tests."""
    home = tmp_path_factory.mktemp("lab")
    served = home / "notebooks"
    served.mkdir()
    with serving(home, served, [sys.executable, "-m", "jupyterlab", str(served)]) as lab:
        yield lab


@contextlib.contextmanager
def serving(home: Path, served: Path, command: list[str], **variables: str) -> Iterator[Lab]:
    """JupyterLab by a command, with settings of its own below `home`; it serves the folder `served`."""
    lab = Lab(free_port(), secrets.token_hex(16), served)
    names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR", "LAB_SETTINGS_DIR", "LAB_WORKSPACES_DIR")
    own = {f"JUPYTER{'' if name.startswith('LAB') else '_'}{name}": str(home / name.lower()) for name in names}
    own |= {"IPYTHONDIR": str(home / "ipython"), "JUPYTER_TOKEN": lab.token}
    unwanted = {"JPY_SESSION_NAME", "GANNB_RUNS", "PYTEST_CURRENT_TEST"}
    environment = {k: v for k, v in os.environ.items() if k not in unwanted} | own | variables
    options = [f"--ServerApp.port={lab.port}", "--ServerApp.ip=127.0.0.1", "--no-browser"]
    options += ["--allow-root"] if os.name == "posix" and os.geteuid() == 0 else []
    log = (home / "lab.log").open("w")
    server = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log)
    try:
        _wait_for(lab, server, home / "lab.log")
        for plugin, values in QUIET.items():
            lab.setting(plugin, **values)
        yield lab
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(lab: Lab, server: subprocess.Popen, log: Path) -> None:
    for _ in range(900):
        if server.poll() is not None:
            pytest.fail(f"JupyterLab ended at once:\n{log.read_text()[-2000:]}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            lab.ask("GET", "api/status")
            return
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer within three minutes:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def browser(executable):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield chromium
        chromium.close()
