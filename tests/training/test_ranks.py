"""Two processes as one run: the numbers of one rank, commands for all, and a rank that dies."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from tests.ports import free_port
from tests.training import on_ranks


def environment(root):
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root), "GLOO_SOCKET_IFNAME": "lo"}


def torchrun(root, folder, case):
    """As a person starts two ranks; torchrun ends all when one dies."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    command = [*launch, f"--master-port={free_port()}", on_ranks.__file__, str(folder), case]
    return subprocess.run(command, cwd=root, env=environment(root), capture_output=True, text=True, timeout=300)


def tensors(folder, rank, name="end"):
    return torch.load(folder / f"{name}-{rank}.pt", weights_only=True)


def state(folder, rank, name="end"):
    return json.loads((folder / f"{name}-{rank}.json").read_text())


def furthest(one, two):
    assert one.keys() == two.keys()
    return max(float((one[k].double() - two[k].double()).abs().max()) for k in one)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The run on one rank."""
    folder, threads = tmp_path_factory.mktemp("one"), torch.get_num_threads()
    torch.set_num_threads(1)
    on_ranks.plain(folder)
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(scope="module")
def two(root, tmp_path_factory):
    """The same on two, started by hand, and then a steered one."""
    folder, port = tmp_path_factory.mktemp("two"), free_port()
    meet = environment(root) | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, on_ranks.__file__, str(folder), "plain", "steered"]
    started = [
        subprocess.Popen(command, cwd=root, env=meet | {"RANK": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    return folder


def test_two_half_batches_are_one_whole(one, two):
    """float64, 20 steps, with a rule that reads means: to 1e-10."""
    assert furthest(tensors(one, 0), tensors(two, 0)) < 1e-10
    assert state(one, 0)["numbers"] == pytest.approx(state(two, 0)["numbers"], abs=1e-10)


def test_gradients_of_the_first_step_agree_in_fp32(one, two):
    assert furthest(tensors(one, 0, "gradients"), tensors(two, 0, "gradients")) < 1e-6


def test_ranks_agree_to_the_bit_and_one_writes(two):
    assert state(two, 0)["weights"] == state(two, 1)["weights"]
    (run,) = (two / "runs" / "toy").iterdir()
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)), "a second writer would write rows twice"


def test_ranks_part_at_their_end(two):
    """Else a thread of the group may abort a process whose work is done."""
    assert [(two / f"in-group-at-exit-{rank}").read_text() for rank in (0, 1)] == ["False", "False"]


def test_commands_pauses_and_interrupts_reach_all_ranks(two):
    for rank in (0, 1):
        end = state(two, rank, "steered")
        assert end["pauses"] == 3, "one asked for, one by interrupt, one by an alarm"
        assert end["numbers"]["lr"] == 3e-3
    assert state(two, 0, "steered")["weights"] == state(two, 1, "steered")["weights"]
    assert state(two, 0, "steered")["weights"] != state(two, 0)["weights"]


def test_a_rank_that_dies_ends_all_and_the_run_goes_on(root, one, tmp_path):
    died = torchrun(root, tmp_path, "dies")
    assert died.returncode != 0
    assert "SIGKILL" in died.stderr, died.stderr[-2000:]
    done = torchrun(root, tmp_path, "dies")
    assert done.returncode == 0, done.stderr
    assert furthest(tensors(one, 0), tensors(tmp_path, 0)) < 1e-10
