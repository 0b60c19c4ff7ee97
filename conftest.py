"""What holds for tests and notebooks alike: where their runs go, and what nbval leaves out by type."""

import os
import re
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
    """Keep cards away from tests, and the runs of tests out of a person's own.

    The first process makes a folder for the runs, its workers inherit it.

    Tests compare with numbers of a CPU: they, and the processes that they start, see no card, unless `-m cuda` asks for
    those that need one. Nbval's kernels of all workers start beside one another: they must not meet at a TCP port.
    """
    if not re.search(r"(?<!not )\bcuda\b", config.option.markexpr):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
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
