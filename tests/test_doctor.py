"""What the doctor says of kernels, weights and folders."""

from pathlib import Path

import pytest
import torch

from gannb import doctor
from gannb.doctor import NOTICE, OK, kernel_fit
from gannb.metrics import inception


@pytest.mark.parametrize("version", ["7.4.0", "7.10.1", "8.0a1"])
def test_kernels_that_deliver_while_busy(version: str) -> None:
    assert kernel_fit(version)[1] == OK


@pytest.mark.parametrize("version", ["6.31.0", "5.5.6", None])
def test_kernels_that_do_not_get_advice(version: str | None) -> None:
    _, verdict, said = kernel_fit(version)
    assert verdict == NOTICE and "ipykernel>=7.4" in said and "between cells" in said


@pytest.mark.parametrize("version", ["7.0.1", "7.3.0"])
def test_kernels_that_may_overlook_a_message_get_advice(version: str) -> None:
    _, verdict, said = kernel_fit(version)
    assert verdict == NOTICE and "ipykernel>=7.4" in said and "1554" in said


def test_the_installed_kernel_is_within_what_the_project_asks_for() -> None:
    assert kernel_fit(doctor._version("ipykernel"))[1] == OK


def test_weights_are_cached_reachable_or_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    address = "https://example.invalid/inception.pth"
    monkeypatch.setattr(inception, "unreachable", lambda url, within: "no network")
    assert doctor._found(address)[0] == NOTICE
    monkeypatch.setattr(inception, "unreachable", lambda url, within: "")
    assert doctor._found(address) == (OK, "not here yet; fetched when first needed")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "inception.pth").write_bytes(b"weights")
    monkeypatch.setattr(inception, "unreachable", lambda url, within: pytest.fail("no need to ask"))
    assert "hub cache" in doctor._found(address)[1]


def test_the_device_and_graph_layers_are_looked_at() -> None:
    rows = {row[0]: row for row in [*doctor._device(), doctor._graph()]}
    assert rows["graph layers"][1] == OK
    assert f"{torch.get_num_threads()} of torch" in rows["threads"][2]
    assert "precision=auto trains in" in rows["bf16"][2]


def test_a_folder_that_cannot_be_made_yet_is_judged_by_its_nearest_parent(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GANNB_RUNS", str(tmp_path / "a" / "b"))
    rows = {row[0]: row for row in doctor._folders()}
    assert rows["runs"][1] == OK and rows["free disk"][2].endswith("GiB")
