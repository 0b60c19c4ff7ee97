"""What holds for tests and notebooks alike: where their runs go, and what nbval leaves out by type."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from nbval import kernel

from gannb.batch.connection import connection

# Plotly's JSON has no tolerance: a printed figure fingerprint stands in for it. HTML shows a person every digit of
# what was trained: the plain text beside it is what is compared. Progress and warnings go to stderr.
NOT_COMPARED = ("application/vnd.plotly.v1+json", "text/html", "stderr")

_RUNS = pytest.StashKey[str]()
_KERNELS = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the runs of tests out of a person's own: the first process makes a folder, its workers inherit it.

    Nbval's kernels of all workers start beside one another: they must not meet at a TCP port.
    """
    if "GANNB_RUNS" not in os.environ:
        config.stash[_RUNS] = os.environ["GANNB_RUNS"] = tempfile.mkdtemp(prefix="gannb-runs-")
    config.stash[_KERNELS] = tempfile.mkdtemp(prefix="gannb-kernels-")
    manager = kernel.KernelManager
    kernel.KernelManager = lambda **options: manager(**options, **connection(Path(config.stash[_KERNELS])))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove these folders again."""
    shutil.rmtree(config.stash.get(_KERNELS, ""), ignore_errors=True)
    if folder := config.stash.get(_RUNS, ""):
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("GANNB_RUNS", None)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Add those types to what nbval itself never compares (PNG, JPEG, widget views)."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += NOT_COMPARED
