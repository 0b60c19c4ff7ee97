"""What holds for tests and notebooks alike: where their runs go, and what nbval leaves out by type."""

import os
import shutil
import tempfile

import pytest

# Plotly's JSON has no tolerance: a printed figure fingerprint stands in for it. HTML shows a person every digit of
# what was trained: the plain text beside it is what is compared. Progress and warnings go to stderr.
NOT_COMPARED = ("application/vnd.plotly.v1+json", "text/html", "stderr")

_RUNS = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the runs of tests out of a person's own: the first process makes a folder, its workers inherit it."""
    if "GANNB_RUNS" not in os.environ:
        config.stash[_RUNS] = os.environ["GANNB_RUNS"] = tempfile.mkdtemp(prefix="gannb-runs-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove that folder again."""
    if folder := config.stash.get(_RUNS, ""):
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop("GANNB_RUNS", None)


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Add those types to what nbval itself never compares (PNG, JPEG, widget views)."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += NOT_COMPARED
