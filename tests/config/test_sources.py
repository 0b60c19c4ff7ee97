"""What a parameter names on this machine: there, of the right kind, and not empty."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gannb.config import sources
from gannb.config.experiment import Experiment
from gannb.config.faults import ParameterError
from gannb.config.fields import param
from gannb.config.sources import Source, cuda_devices

IMAGES = Source(("rendered", ""), (".npz",), "images")
FEATURES = Source(("auto",), prefixed=True)


class Named(Experiment):
    """Names data and features."""

    name = "named"
    data: str = param("rendered", "images", source=IMAGES)
    features: str = param("auto", "a feature space", source=FEATURES)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that may be named; the current one."""
    for file in ("full/deep/a.png", "hidden/.b.png", "hidden/.c/d.png", "set.npz", "SET.NPZ", "text.txt", "bare"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "empty" / "below").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "full")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "again").symlink_to(tmp_path / "loop")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "value", ["rendered", "", "full", "full/deep", "linked", "set.npz", "set.npz:images", "SET.NPZ", "./full/../full"]
)
def test_what_is_there_is_found(here: Path, value: str) -> None:
    assert IMAGES.fault(value) is None
    assert Named(data=value).on_this_machine().data == value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("gone", "no such file or folder"), ("dangling", "no such file or folder"), ("empty", "an empty folder"),
        ("hidden", "an empty folder"), ("loop", "an empty folder"), ("text.txt", "a .txt file"),
        ("bare", "a file without a suffix"), ("x" * 5000, "no path (File name too long)"),
        ("~nobody-of-this-name/x", "no path (Could not determine home directory"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(here: Path, value: str, why: str) -> None:
    assert (IMAGES.fault(value) or "").startswith(why)
    with pytest.raises(ParameterError) as refused:
        Named(data=value).on_this_machine()
    assert len(str(refused.value)) < 400 and "allowed: rendered | a folder of images | a .npz file" in str(
        refused.value
    )


def test_files_alone_and_folders_alone(here: Path) -> None:
    assert Source((), (".npz",)).fault("full") == "a folder" and Source((), (".npz",)).fault("gone") == "no such file"
    assert Source((), folder="clips").fault("set.npz") == "a .npz file"
    assert Source((), folder="clips").allowed == "a folder of clips"


def test_a_file_with_a_name_in_front(here: Path) -> None:
    assert FEATURES.fault("resnet=text.txt") is None and FEATURES.allowed == "auto | NAME=FILE"
    assert FEATURES.fault("resnet=gone") == "no such file" and FEATURES.fault("resnet=full") == "a folder"
    assert {FEATURES.fault(value) for value in ("autp", "=text.txt", "resnet=", "text.txt")} == {"unknown"}


def test_all_that_is_missing_is_named_at_once_with_the_nearest_word(here: Path) -> None:
    with pytest.raises(ParameterError) as refused:
        Named(data="renderd", features="aut").on_this_machine()
    assert [fault.field for fault in refused.value.faults] == ["data", "features"]
    assert "did you mean 'rendered'?" in str(refused.value) and "did you mean 'auto'?" in str(refused.value)


def test_a_notebook_is_refused_too() -> None:
    with pytest.raises(ParameterError, match="data: given '/gone'; no such file or folder"):
        Named.of({"data": "/gone"})


class Driver:
    """A CUDA driver that knows some devices."""

    def __init__(self, devices: int, state: int = 0) -> None:
        self.devices, self.state = devices, state

    def cuInit(self, flags: int) -> int:
        return self.state

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self.devices
        return 0


@pytest.fixture
def torch_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the version file of torch and the driver that is found."""

    def choose(version: str, driver: Driver | None) -> None:
        (tmp_path / "version.py").write_text(version)
        monkeypatch.setattr(sources, "find_spec", lambda name: type("Spec", (), {"origin": str(tmp_path / "x.py")}))

        def load(name: str) -> Driver:
            if driver is None:
                raise OSError(name)
            return driver

        monkeypatch.setattr(sources, "CDLL", load)

    return choose


CUDA = "cuda: Optional[str] = '13.2'\nhip: Optional[str] = None\n"


@pytest.mark.parametrize(
    ("version", "driver", "devices"),
    [
        (CUDA, Driver(2), 2), (CUDA, Driver(2, state=100), 0), (CUDA, None, 0),
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\n", Driver(2), 0),
        ("cuda = None\nhip: Optional[str] = '6.1'\n", None, None),
    ],
)  # fmt: skip
def test_devices_are_counted_as_torch_will(torch_for: Any, version: str, driver: Driver, devices: int | None) -> None:
    torch_for(version, driver)
    assert cuda_devices() == devices


def test_the_count_is_torchs_on_this_machine() -> None:
    import torch

    assert cuda_devices() in (None, torch.cuda.device_count())


def test_a_device_that_is_not_there_is_named(torch_for: Any) -> None:
    torch_for(CUDA, Driver(2))
    assert Named(device="cuda:1").on_this_machine() and Named(device="cuda").on_this_machine()
    for device in ("cuda:2", "cuda:7", "cuda:9999"):
        with pytest.raises(
            ParameterError, match=re.escape(f"given '{device}'; allowed here: auto | cpu | cuda:0 | cuda:1")
        ):
            Named(device=device).on_this_machine()
    torch_for(CUDA, None)
    with pytest.raises(ParameterError, match=r"given 'cuda'; allowed here: auto \| cpu$"):
        Named(device="cuda").on_this_machine()
