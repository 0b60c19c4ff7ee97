"""Who watches, and whether clicks arrive."""

import pytest

from gannb.widgets import frontend


@pytest.mark.parametrize(
    ("live", "in_lab", "kernel", "ranks", "shown"),
    [
        ("auto", True, True, 1, True),
        ("auto", True, False, 1, False),  # a script started from JupyterLab's kernel
        ("auto", False, True, 1, False),  # papermill, nbval
        ("on", False, False, 1, True),
        ("off", True, True, 1, False),
        ("on", True, True, 2, False),
    ],
)
def test_shown_only_where_someone_watches(live, in_lab, kernel, ranks, shown, monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    if in_lab:
        monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    monkeypatch.setattr(frontend, "in_kernel", lambda: kernel)
    monkeypatch.setattr(frontend.distributed, "ranks", lambda: ranks)
    assert frontend.is_interactive(live) is shown


def test_this_is_no_kernel():
    assert not frontend.in_kernel()


@pytest.mark.parametrize(
    ("version", "delivers"),
    [
        ("6.31.0", False),
        ("7.0.1", True),
        ("7.4.0", True),
        ("10.0.0a1", True),
        ("unknown", False),
        ("", False),
    ],
)
def test_which_kernels_deliver(version, delivers):
    assert frontend.delivers_during_cells(version) is delivers
    assert ("ipykernel 7 would" in frontend.notice(version)) is not delivers
    assert "interrupt the kernel" in frontend.notice(version)


def test_the_installed_kernel_is_one_that_delivers():
    assert frontend.delivers_during_cells(frontend.kernel_version())
