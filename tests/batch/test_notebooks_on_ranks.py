"""A notebook on two ranks: one run, one result; an interrupt or a death loses nothing; plain torchrun does as well."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from gannb.batch.papermill import EXECUTED, Outcome
from gannb.batch.ranks import execute
from tests.browser import notebook
from tests.docs.pages import blocks, joined
from tests.ports import free_port

pytestmark = pytest.mark.timeout(300)

STEPS = 200


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")


def write(folder: Path, pause: float = 0.0) -> Path:
    """The spots, with the cell that papermill replaces: how long, and what to resume."""
    path = notebook.write(folder / "spots.ipynb", folder / "runs", live="off", pause=pause)
    made = nbformat.read(path, as_version=4)
    made.cells[1].metadata["tags"] = ["parameters"]
    made.cells[1].source += "\nRESUME = ''\n"
    made.cells[3].source = made.cells[3].source.replace("replay=REPLAY", "replay=REPLAY, resume=RESUME")
    nbformat.write(made, path)
    return path


def weights(executed: Path) -> str:
    cells = nbformat.read(executed, as_version=4).cells
    return re.search(
        r"weights ([0-9a-f]{64})", "".join(o.get("text", "") for c in cells for o in c.get("outputs", []))
    )[1]


def run(path: Path, **values: object) -> Outcome:
    return execute(path, values, path.parent / "runs" / "spots", progress=False, ranks=2)


def wait_for_steps(folder: Path, count: int) -> Path:
    """The run folder, once that many rows are there."""
    for _ in range(1200):
        for rows in folder.glob("runs/spots/*/metrics.jsonl"):
            if len(rows.read_text().splitlines()) >= count:
                return rows.parent
        time.sleep(0.1)
    raise AssertionError("no rows")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("straight")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        return folder, run(write(folder), STEPS=STEPS)


def test_each_rank_leaves_its_notebook_and_rank_0s_is_the_result(straight: tuple[Path, Outcome]) -> None:
    folder, outcome = straight
    assert outcome.failure is None and not outcome.interrupted
    assert [outcome.folder] == list((folder / "runs" / "spots").iterdir()), "one run, and nothing left aside"
    assert outcome.executed == outcome.folder / EXECUTED
    assert weights(outcome.executed) == weights(outcome.folder / "notebook-rank-1.ipynb")


def test_an_interrupt_pauses_all_ranks_and_the_run_goes_on_exactly(
    straight: tuple[Path, Outcome], tmp_path: Path
) -> None:
    path = write(tmp_path, pause=0.01)

    def interrupt_ranks() -> None:
        wait_for_steps(tmp_path, 30)
        (job,) = (tmp_path / "runs" / "spots").glob(".ranks@*")
        for command in Path("/proc").glob("[0-9]*/cmdline"):  # what Ctrl+C reaches: the ranks among others
            if f"gannb.batch.ranks\0{job}" in command.read_text().replace("-m\0", ""):
                os.kill(int(command.parent.name), signal.SIGINT)

    threading.Thread(target=interrupt_ranks, daemon=True).start()
    outcome = run(path, STEPS=STEPS)
    assert outcome.interrupted and outcome.failure is None
    assert any(outcome.folder.glob("checkpoints/step-*"))
    done = run(write(tmp_path), STEPS=STEPS, RESUME=str(outcome.folder))
    assert done.folder == outcome.folder and weights(done.executed) == weights(straight[1].executed)


def test_a_rank_that_dies_ends_all_and_the_run_goes_on_exactly(straight: tuple[Path, Outcome], tmp_path: Path) -> None:
    path = write(tmp_path, pause=0.01)

    def kill_rank_1() -> None:
        wait_for_steps(tmp_path, 70)  # past the first checkpoint
        (job,) = (tmp_path / "runs" / "spots").glob(".ranks@*")
        os.kill(int((job / "kernel-1").read_text()), signal.SIGKILL)

    threading.Thread(target=kill_rank_1, daemon=True).start()
    outcome = run(path, STEPS=STEPS)
    assert "rank 1: the kernel died" in str(outcome.failure)
    assert outcome.folder is not None and outcome.executed == outcome.folder / EXECUTED
    done = run(write(tmp_path), STEPS=STEPS, RESUME=str(outcome.folder))
    assert done.failure is None and weights(done.executed) == weights(straight[1].executed)


def test_plain_torchrun_and_papermill(straight: tuple[Path, Outcome], tmp_path: Path) -> None:
    """As `README.md` says it: papermill on every rank, each with an output of its own."""
    path = write(tmp_path)
    papermill = f"exec {sys.executable} -m papermill {path} out-$RANK.ipynb -p STEPS {STEPS} --no-progress-bar"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    done = subprocess.run([*torchrun, "sh", "-c", papermill], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    expected = weights(straight[1].executed)
    assert [weights(tmp_path / f"out-{rank}.ipynb") for rank in (0, 1)] == [expected, expected]
    assert len(list((tmp_path / "runs" / "spots").iterdir())) == 1


def agents(page: str, folder: Path, values: str) -> list[subprocess.Popen]:
    """The first command of a page on two machines, which are two agents here, one rank each."""
    command = next(b.code for b in blocks(page) if b.language == "sh" and b.code.startswith("torchrun"))
    words = shlex.split(joined(command))[1:]
    words = [word.replace("HOST:29400", f"127.0.0.1:{free_port()}").replace("node=4", "node=1") for word in words]
    words[-1] = f"exec {sys.executable} -m papermill {folder / 'spots.ipynb'} out-$RANK.ipynb {values}"
    torchrun = [sys.executable, "-m", "torch.distributed.run", *words]
    options = {"cwd": folder, "start_new_session": True, "stderr": subprocess.PIPE, "text": True}
    return [subprocess.Popen(torchrun, **options) for _ in range(2)]


@pytest.mark.gate
def test_two_agents_meet_and_a_lost_machine_ends_both(
    root: Path, straight: tuple[Path, Outcome], tmp_path: Path
) -> None:
    """As `docs/several_machines.md` says it."""
    page = (root / "docs" / "several_machines.md").read_text(encoding="utf-8")
    write(tmp_path, pause=0.01)
    left, lost = agents(page, tmp_path, f"-p STEPS {STEPS}")
    try:
        folder = wait_for_steps(tmp_path, 70)  # past the first checkpoint
        kernels = psutil.Process(lost.pid).children(recursive=True)
        for process in [lost, *kernels]:
            process.kill()
        left.communicate(timeout=120)
        assert left.returncode != 0 and any(folder.glob("checkpoints/step-*"))
        write(tmp_path)
        done = agents(page, tmp_path, f"-p STEPS {STEPS} -p RESUME last")
        for process in done:
            _, errors = process.communicate(timeout=200)
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in (left, lost):
            process.kill()
    expected = weights(straight[1].executed)
    assert [weights(tmp_path / f"out-{rank}.ipynb") for rank in (0, 1)] == [expected, expected]
    assert list((tmp_path / "runs" / "spots").iterdir()) == [folder], "one run, resumed"
