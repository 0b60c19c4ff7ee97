"""What this machine has, and what it lacks, for the notebooks to run and to be steered."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path

from gannb.tables import Table
from gannb.widgets import frontend

PACKAGES = (
    *("torch", "torchvision", "torch-geometric", "jupyterlab", "ipykernel", "ipywidgets", "plotly", "papermill"),
    *("pydantic", "scikit-learn", "librosa", "pytorch-fid", "lpips", "dask"),
)
OK, NOTICE = "ok", "notice"
OVERLOOKING = ("7.0.", "7.1.", "7.2.", "7.3.")


def examine() -> Table:
    """Look at everything; a table of what was found, with a verdict each."""
    checks = (_python, _packages, _kernel, _lab, _device, _graph, _folders, _disk, _weights, _browser)
    rows = [row for check in checks for row in check()]
    notices = sum(row[1] == NOTICE for row in rows)
    note = "everything is there" if not notices else f"{notices} of {len(rows)} need a look"
    return Table(("what", "verdict", "found"), rows, note=note)


Row = tuple[str, str, str]


def _python() -> list[Row]:
    return [("python", OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}")]


def _packages() -> list[Row]:
    return [
        (name, OK, version) if (version := _version(name)) else (name, NOTICE, "not installed") for name in PACKAGES
    ]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def kernel_fit(version: str | None) -> Row:
    """Whether sliders move a run while its cell is busy, and cells surely start, by ipykernel's version."""
    if not frontend.delivers_during_cells(version or ""):
        advice = "interrupt to pause, or install ipykernel>=7.4"
        return ("kernel", NOTICE, f"ipykernel {version} delivers sliders only between cells: {advice}")
    if version and version.startswith(OVERLOOKING):
        says = "may overlook a cell or a move until the next one comes (its issue 1554): install ipykernel>=7.4"
        return ("kernel", NOTICE, f"ipykernel {version} {says}")
    return ("kernel", OK, f"ipykernel {version} delivers sliders while a cell runs")


def _kernel() -> list[Row]:
    return [kernel_fit(_version("ipykernel"))]


def _lab() -> list[Row]:
    version = _version("jupyterlab") or "0.0"
    fit = tuple(int(part) for part in version.split(".")[:2]) >= (4, 4)
    return [("JupyterLab", OK if fit else NOTICE, version if fit else f"{version}; gannb asks for 4.4 or newer")]


def _device() -> list[Row]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rows = [
        ("threads", OK, f"{torch.get_num_threads()} of torch, {cores} cores, {torch.backends.cpu.get_cpu_capability()}")
    ]
    if not torch.cuda.is_available():
        return [*rows, ("device", OK, "CPU (torch finds no CUDA device)")]
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return [*rows, ("device", OK, f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}, {memory:.0f} GiB")]


def _graph() -> list[Row]:
    """One message passed along one edge: a broken torch-geometric shows here and not an hour later."""
    try:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch-geometric still asks for torch.jit.script
            from torch_geometric.nn import GraphConv

        GraphConv(2, 2)(torch.ones(2, 2), torch.tensor([[0], [1]]))  # type: ignore[abstract]
    except (ImportError, OSError, RuntimeError) as error:
        return [("graph layers", NOTICE, f"torch-geometric does not run: {error}")]
    return [("graph layers", OK, "torch-geometric passes a message")]


def _folders() -> list[Row]:
    from gannb.config.presets import HOME
    from gannb.runs.locations import home

    notebooks = sorted((HOME / "notebooks").glob("[0-9]*.ipynb"))
    runs = home()
    nearest = next(folder for folder in (runs, *runs.parents) if folder.exists())
    writable = os.access(nearest, os.W_OK)
    return [
        ("notebooks", OK if notebooks else NOTICE, f"{len(notebooks)} in {HOME / 'notebooks'}"),
        ("runs", OK if writable else NOTICE, f"{runs}{'' if writable else ' cannot be written to'}"),
    ]


def _disk() -> list[Row]:
    from gannb.runs.locations import home

    nearest = next(folder for folder in (home(), *home().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free / 2**30
    return [("free disk", OK if free > 2 else NOTICE, f"{free:.0f} GiB")]


def _weights() -> list[Row]:
    return [("Inception weights", *_found(_inception_address())), ("LPIPS backbone", *_found(_backbone_address()))]


def _inception_address() -> str:
    from pytorch_fid.inception import FID_WEIGHTS_URL

    return FID_WEIGHTS_URL


def _backbone_address() -> str:
    from torchvision.models import AlexNet_Weights

    return AlexNet_Weights.DEFAULT.url


def _found(address: str, reach: Callable[[str], bool] | None = None) -> tuple[str, str]:
    """Whether weights lie in torch's hub cache or can be fetched."""
    import torch

    file = Path(torch.hub.get_dir()) / "checkpoints" / address.rsplit("/", 1)[-1]
    if file.is_file():
        return OK, f"in torch's hub cache ({file.stat().st_size / 2**20:.0f} MiB)"
    if (reach or _reachable)(address):
        return OK, "not here yet; fetched when first needed"
    return NOTICE, f"neither reachable nor in torch's hub cache as {file.name}: FID and LPIPS give a reason instead"


def _reachable(address: str, seconds: float = 3.0) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds) as answer:
            return answer.status < 400
    except (TimeoutError, urllib.error.URLError, OSError):
        return False


def _browser() -> list[Row]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((name for name in names if shutil.which(name)), None)
    return [("browser", OK, found or "none found; only the browser tests need one")]
