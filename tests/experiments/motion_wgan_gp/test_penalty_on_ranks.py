"""The gradient penalty over two processes: averaged over ranks, its gradients are those of one with the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from gannb import distributed
from gannb.experiments.motion_wgan_gp.penalties import correct, per_sample
from gannb.losses.adversarial import wasserstein_d
from gannb.networks.toys import SequenceCritic
from gannb.random import Draws, generator, seeded
from tests.ports import free_port

WHOLE = 8


def gradient() -> torch.Tensor:
    """Of the critic's whole loss on this rank's share of a batch, averaged over ranks; float64."""
    mine = WHOLE // distributed.ranks()
    share = slice(distributed.rank() * mine, (distributed.rank() + 1) * mine)
    real, fake = (torch.randn(WHOLE, 8, 4, generator=generator(part)).double()[share] for part in ("real", "fake"))
    mix = Draws(0, 0, rank=distributed.rank(), ranks=distributed.ranks()).rand("mix", mine).double()
    with seeded(0, "critic"):
        critic = SequenceCritic(features=4, width=8, patches=True).double()
    scores = per_sample(critic)
    (wasserstein_d(scores(real), scores(fake)) + 10 * correct(critic, real, fake, mix)[0]).backward()
    gradients = [p.grad for p in critic.parameters() if p.grad is not None]
    distributed.average_(gradients)
    return torch.cat([g.flatten() for g in gradients])


def test_two_ranks_are_one(tmp_path: Path) -> None:
    told = {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    told["MASTER_PORT"] = str(free_port())
    path = os.pathsep.join(sys.path)
    started = [
        subprocess.Popen(
            [sys.executable, __file__, str(tmp_path / f"{rank}.pt")],
            env=os.environ | told | {"RANK": str(rank), "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        )
        for rank in range(2)
    ]
    try:
        assert [process.wait(timeout=120) for process in started] == [0, 0]
    finally:
        for process in started:
            process.kill()
    whole = gradient()
    for rank in range(2):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt"), whole, rtol=1e-9, atol=1e-12)


if __name__ == "__main__":
    torch.save(gradient(), sys.argv[1])
