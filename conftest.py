"""What nbval leaves out by type when it compares a notebook with its committed outputs."""

import pytest

# Plotly's JSON has no tolerance (a printed figure fingerprint stands in for it); progress goes to stderr.
NOT_COMPARED = ("application/vnd.plotly.v1+json", "stderr")


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Add those types to what nbval itself never compares (PNG, JPEG, widget views)."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += NOT_COMPARED
