"""What this machine has, and what it lacks, for the notebooks to run and to be steered."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import warnings

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
    python = ("python", OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    rows = [python, *_packages(), kernel_fit(_version("ipykernel")), _lab(), *_device(), _graph(), *_folders(),
            *_weights(), _browser()]  # fmt: skip
    notices = sum(row[1] == NOTICE for row in rows)
    note = "everything is there" if not notices else f"{notices} of {len(rows)} need a look"
    return Table(("what", "verdict", "found"), rows, note=note)


Row = tuple[str, str, str]


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


def _lab() -> Row:
    version = _version("jupyterlab") or "0.0"
    fit = tuple(int(part) for part in version.split(".")[:2]) >= (4, 4)
    return ("JupyterLab", OK if fit else NOTICE, version if fit else f"{version}; gannb asks for 4.4 or newer")


def _device() -> list[Row]:
    import torch

    from gannb.runs.environment import multiplies_bf16

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    rows = [
        ("threads", OK, f"{torch.get_num_threads()} of torch, {cores} cores, {torch.backends.cpu.get_cpu_capability()}")
    ]
    fast = multiplies_bf16(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    slow = "in software only: precision=auto trains in fp32; bf16 and fp16 save no time"
    rows.append(("bf16", OK, "in hardware: precision=auto trains in it" if fast else slow))
    if not torch.cuda.is_available():
        return [*rows, ("device", OK, "CPU (torch finds no CUDA device)")]
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    return [*rows, ("device", OK, f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}, {memory:.0f} GiB")]


def _graph() -> Row:
    """One message passed along one edge: a broken torch-geometric shows here and not an hour later."""
    try:
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch-geometric still asks for torch.jit.script
            from torch_geometric.nn import GraphConv

        GraphConv(2, 2)(torch.ones(2, 2), torch.tensor([[0], [1]]))  # type: ignore[abstract]
    except (ImportError, OSError, RuntimeError) as error:
        return ("graph layers", NOTICE, f"torch-geometric does not run: {error}")
    return ("graph layers", OK, "torch-geometric passes a message")


def _folders() -> list[Row]:
    from gannb.config.presets import HOME
    from gannb.runs.locations import home

    notebooks = sorted((HOME / "notebooks").glob("[0-9]*.ipynb"))
    runs = home()
    nearest = next(folder for folder in (runs, *runs.parents) if folder.exists())
    writable, free = os.access(nearest, os.W_OK), shutil.disk_usage(nearest).free / 2**30
    return [
        ("notebooks", OK if notebooks else NOTICE, f"{len(notebooks)} in {HOME / 'notebooks'}"),
        ("runs", OK if writable else NOTICE, f"{runs}{'' if writable else ' cannot be written to'}"),
        ("free disk", OK if free > 2 else NOTICE, f"{free:.0f} GiB"),
    ]


def _weights() -> list[Row]:
    from pytorch_fid.inception import FID_WEIGHTS_URL
    from torchvision.models import AlexNet_Weights

    addresses = {"Inception weights": FID_WEIGHTS_URL, "LPIPS backbone": AlexNet_Weights.DEFAULT.url}
    return [(name, *_found(address)) for name, address in addresses.items()]


def _found(address: str) -> tuple[str, str]:
    """Whether weights lie in torch's hub cache or can be fetched."""
    from gannb.metrics import inception

    file = inception.hub_path(address)
    if file.is_file():
        return OK, f"in torch's hub cache ({file.stat().st_size / 2**20:.0f} MiB)"
    if not inception.unreachable(address, 3.0):
        return OK, "not here yet; fetched when first needed"
    return NOTICE, f"neither reachable nor in torch's hub cache as {file.name}: FID and LPIPS give a reason instead"


def _browser() -> Row:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((name for name in names if shutil.which(name)), None)
    return ("browser", OK, found or "none found; only the browser tests need one")
